"""Makes rules from Kibana exports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from detector.esql.errors import EsqlError
from detector.rules.kibana.export import Export, ExportedObject
from detector.rules.rule import CompileContext, Rule
from detector.rules.rule_file import (
    RuleError,
    RuleNotice,
    TrailhoundTable,
    convert_rule,
)
from detector.rules.rule_maker import make_rule
from detector.rules.rule_text import Advice
from detector.text.plural import plural


class _ExportedText(msgspec.Struct, frozen=True):
    """A rule in an export: a JSON object, often on one line."""

    document: ExportedObject

    def key_error(self, error: RuleError) -> RuleError:
        return RuleError(f"{self._name()}: {error.message}", self.document.line)

    def query_error(self, error: EsqlError) -> RuleError:
        return RuleError(
            self._in_query(error.line, error.column, error.message), self.document.line
        )

    def place_advice(self, advice: Advice) -> Advice:
        return Advice(self.document.line, 1, self._in_query(*advice))

    def _in_query(self, line: int, column: int, message: str) -> str:
        return f"{self._name()}: line {line}, column {column} of its query: {message}"

    def _name(self) -> str:
        return str(self.document.content.get("name") or "a rule without a name")


def read_export(
    export: Export | RuleError, path: Path, context: CompileContext
) -> Iterator[Rule | RuleNotice | RuleError]:
    """Yield the rules of an export, and an error for each rule that cannot be used.

    An export without rules yields a notice."""
    if isinstance(export, RuleError):
        yield export
        return
    if not export.rules:
        lists = plural(len(export.lists), "exception list")
        values = plural(len(export.value_lists), "value list")
        queries = plural(len(export.saved_queries), "saved query")
        yield RuleNotice("no rules", f"{lists}, {values} and {queries} for rules in other files")
    for document in export.rules:
        try:
            yield _exported_rule(document, path, context)
        except RuleError as error:
            yield error


def _exported_rule(document: ExportedObject, path: Path, context: CompileContext) -> Rule:
    text = _ExportedText(document)
    known = {name: value for name, value in document.content.items() if value is not None}
    try:
        metadata = convert_rule(known, "")
    except RuleError as error:
        raise text.key_error(error) from None
    return make_rule(metadata, TrailhoundTable(), text, path, context)
