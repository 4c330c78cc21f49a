"""Compiles rules, and reads those of TOML files.

This module and its imports are only needed for rules that are not in the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from detector.esql.errors import QUERY_START, EsqlError
from detector.rules.key_advice import key_advice
from detector.rules.kibana.saved_query import with_saved_query
from detector.rules.lint import lint_rule
from detector.rules.rule import CompileContext, Rule, assemble_rule, query_options
from detector.rules.rule_file import Metadata, RuleError, TrailhoundTable, parse_tables
from detector.rules.rule_text import Advice, RuleText, TomlText
from detector.rules.rule_types import QueryContext, check_supported, compile_rule
from detector.rules.side_conditions import side_conditions


def read_toml(text: str, path: Path, context: CompileContext) -> Iterator[Rule | RuleError]:
    """Yield the rule of a TOML file, or the error why it cannot be used."""
    try:
        metadata, own = parse_tables(text)
        yield make_rule(metadata, own, TomlText(text, metadata.query_text), path, context)
    except RuleError as error:
        yield error


def make_rule(
    metadata: Metadata, own: TrailhoundTable, text: RuleText, path: Path, context: CompileContext
) -> Rule:
    """Compile a rule. Raises RuleError with the place in the file."""
    options = query_options(own.nulls, context)
    try:
        metadata = with_saved_query(metadata, context.export)
        check_supported(metadata)
        conditions = side_conditions(metadata, context.fields, context.export)
        query = compile_rule(metadata, QueryContext(context.fields, options, conditions))
    except EsqlError as error:
        raise text.query_error(error) from None
    except RuleError as error:
        raise text.key_error(error) from None
    alerts = own.alerts
    if alerts is None:
        alerts = own.flag is None
    if not alerts and query.grouping is not None:
        start = EsqlError(QUERY_START, "a rule that gives no alerts must not group")
        raise text.query_error(start)
    advice = lint_rule(metadata, query.tree, context.fields, own.nulls == "strict")
    placed = [text.place_advice(each) for each in advice]

    def is_column(name: str) -> bool:
        return name in query.columns or (query.grouping is None and name in context.fields)

    for key, sentence in key_advice(metadata, is_column):
        told = text.key_error(RuleError(sentence, key=key))
        placed.append(Advice(told.line, told.column, told.message))
    return assemble_rule(metadata, own, alerts, query, path, context, placed)
