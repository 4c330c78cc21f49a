"""Make rules of what Kibana exports."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from detector.esql.errors import EsqlError
from detector.rules.kibana.export import Export, ExportedObject, parse_export
from detector.rules.rule import CompileContext, Rule, make_rule
from detector.rules.rule_file import (
    RuleError,
    RuleNotice,
    TrailhoundTable,
    convert_rule,
    read_file_text,
)
from detector.text.plural import plural

EXPORT_SUFFIXES = (".ndjson", ".json")


@dataclass(frozen=True, slots=True)
class _ExportedText:
    """A rule in an export: an object of JSON, often on one line."""

    document: ExportedObject

    def key_error(self, error: RuleError) -> RuleError:
        return RuleError(f"{self._name()}: {error.message}", self.document.line)

    def query_error(self, error: EsqlError) -> RuleError:
        position = f"line {error.line}, column {error.column} of its query"
        return RuleError(f"{self._name()}: {position}: {error.message}", self.document.line)

    def _name(self) -> str:
        return str(self.document.content.get("name") or "a rule without a name")


def read_export(
    path: Path, text: str, context: CompileContext
) -> Iterator[Rule | RuleNotice | RuleError]:
    """Yield the rules of an export, and why others cannot be used. Raises RuleError."""
    export = parse_export(text)
    if not export.rules:
        lists = plural(len(export.lists), "exception list")
        queries = plural(len(export.saved_queries), "saved query")
        yield RuleNotice("no rules", f"{lists} and {queries} for rules in other files")
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


def collect_exports(paths: Iterable[Path]) -> Export:
    """Collect the exception lists and saved queries of files; those in error are passed over.

    Reading their rules tells what is wrong."""
    collected = Export()
    for path in paths:
        if path.suffix in EXPORT_SUFFIXES:
            with contextlib.suppress(RuleError):
                collected.add(parse_export(read_file_text(path)))
    return collected
