"""The numbers of a rule other than thresholds: KQL and Sigma ranges, and alert suppression."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from detector.esql import ast, kql
from detector.esql.tree_walk import walk
from detector.rules.rule import SIGMA_RULE, Rule
from detector.rules.rule_types import EVERYTHING
from detector.workbench.candidates import SIGMA_OPERATORS, NumberCandidate, last_part
from detector.workbench.rule_source import KeyPath, RuleSource, Splice

_KQL_TYPES = ("query", "threshold", "new_terms")
_RANGE = re.compile(r"\s*(<=|>=|<|>)\s*([0-9]+)(?![\w.])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def filter_numbers(rule: Rule, text: RuleSource) -> Iterator[NumberCandidate]:
    """Yield the numbers with which the filter of a KQL or Sigma rule compares."""
    if rule.type in _KQL_TYPES and rule.language in ("", "kuery"):
        yield from _of_kql(rule, text)
    elif rule.type == SIGMA_RULE:
        path = (*text.rule_path, "detection")
        yield from _of_selections(text.value_at(path), path)


def suppression_duration(rule: Rule, text: RuleSource) -> Iterator[NumberCandidate]:
    """Yield the duration of alert suppression, in the unit used in the file."""
    suppression = rule.alert_suppression
    if suppression is None or suppression.duration is None:
        return
    name = f"suppression-{_UNITS[suppression.duration.unit]}"
    path = (*text.rule_path, "alert_suppression", "duration", "value")
    value = suppression.duration.value
    yield NumberCandidate(name, "count", value, "==", "number", True, path)


def _of_kql(rule: Rule, text: RuleSource) -> Iterator[NumberCandidate]:
    path = (*text.rule_path, "query")
    query = rule.query_text
    if query.strip() in EVERYTHING or text.value_at(path) != query:
        return
    for node in walk(kql.parse_kql(query)):
        if not isinstance(node, ast.FieldMatch):
            continue
        match = _RANGE.match(query, node.span.end)
        if match is not None and match[1] == node.operator:
            name, place = last_part(node.field.name), Splice(*match.span(2))
            yield NumberCandidate(
                name, "count", int(match[2]), match[1], "number", False, path, place
            )


def _of_selections(value: object, path: KeyPath) -> Iterator[NumberCandidate]:
    """Yield the numbers with which fields are compared in selections, at any depth."""
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _of_selections(each, (*path, index))
    if not isinstance(value, Mapping):
        return
    for key, each in value.items():
        field, *modifiers = str(key).split("|")
        operators = [SIGMA_OPERATORS[name] for name in modifiers if name in SIGMA_OPERATORS]
        if type(each) is int and len(operators) == 1:
            place = (*path, key)
            name = last_part(field)
            yield NumberCandidate(name, "count", each, operators[0], "number", False, place)
        else:
            yield from _of_selections(each, (*path, key))
