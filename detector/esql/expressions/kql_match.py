"""Compile KQL's conditions on fields.

They are two-valued: true if any of the field's values matches, otherwise false.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any

from detector.ecs.values import Type, ip_order, number_from_text, order
from detector.esql import ast
from detector.esql.comparisons import INEQUALITIES
from detector.esql.errors import EsqlError
from detector.esql.expressions.constants import TEXT_CONVERTERS
from detector.esql.expressions.scope import ColumnScope, CompiledExpr, Getter, constant
from detector.esql.like import matcher
from detector.text.time import parse_millisecond_span


def compile_field_match(node: ast.FieldMatch, scope: ColumnScope) -> CompiledExpr:
    """Compile a condition. Raises EsqlError if the value does not fit the field's type."""
    if isinstance(node.field, ast.OptionalColumn) and not scope.has(node.field.name):
        return constant(False, "boolean")
    field = scope.find(node.field.name, node.field.span)
    read = field.read
    if node.operator == "exists":
        return CompiledExpr(lambda row: read(row) is not None, "boolean")
    return _any_value(read, _test(node, field.type))


def compile_range_match(node: ast.RangeMatch, scope: ColumnScope) -> CompiledExpr:
    """Compile a range that must contain one of the field's values. Raises EsqlError."""
    field = scope.find(node.field.name, node.field.span)
    tests = [
        _test(ast.FieldMatch(node.field, operator, value, span=node.span), field.type)
        for operator, value in node.bounds
    ]
    return _any_value(field.read, lambda value: all(test(value) for test in tests))


def _any_value(read: Getter, test: Callable[[Any], bool]) -> CompiledExpr:
    """Make the condition that one of a field's values passes a test."""

    def matches(row: Any) -> bool:
        value = read(row)
        if isinstance(value, list):
            return any(map(test, value))
        return value is not None and test(value)

    return CompiledExpr(matches, "boolean")


def _test(node: ast.FieldMatch, type: Type) -> Callable[[Any], bool]:
    if node.operator == "*":
        if type != "keyword":
            raise EsqlError(
                node.span, f"{node.field.name} is of type {type}, in which * stands for nothing"
            )
        return matcher((node.value,), False, node.span)
    if node.operator == "regexp":
        if type != "keyword":
            raise EsqlError(
                node.span,
                f"{node.field.name} is of type {type}, which no regular expression matches",
            )
        return matcher((node.value,), True, node.span)
    if type == "date":
        return _in_time(node)
    if node.operator in INEQUALITIES:
        return _ordered(node, type)
    if type == "ip" and "/" in node.value:
        return _in_network(node)
    expected = _value(node, type)
    return lambda value: bool(value == expected)


def _ordered(node: ast.FieldMatch, type: Type) -> Callable[[Any], bool]:
    compare, sort_key = INEQUALITIES[node.operator], order(type)
    bound = sort_key(_value(node, type))
    return lambda value: compare(sort_key(value), bound)


def _in_time(node: ast.FieldMatch) -> Callable[[Any], bool]:
    """Compile a condition on a date whose trailing parts may be omitted.

    As in the Elasticsearch range queries that Kibana generates, missing parts are rounded up for
    ``>`` and ``<=`` and down for ``<`` and ``>=``; ``:`` matches the whole range in between.
    """
    span = parse_millisecond_span(node.value)
    if span is None:
        raise EsqlError(node.span, f"{node.field.name} is of type date, and {node.value} is none")
    first, last = span
    match node.operator:
        case ">":
            return lambda value: bool(value > last)
        case "<=":
            return lambda value: bool(value <= last)
        case "<":
            return lambda value: bool(value < first)
        case ">=":
            return lambda value: bool(value >= first)
    return lambda value: bool(first <= value <= last)


def _in_network(node: ast.FieldMatch) -> Callable[[Any], bool]:
    try:
        network = ipaddress.ip_network(node.value, strict=False)
    except ValueError:
        raise EsqlError(node.span, f"{node.value} is not a network") from None
    first, last = ip_order(str(network[0])), ip_order(str(network[-1]))
    return lambda value: first <= ip_order(value) <= last


def _value(node: ast.FieldMatch, type: Type) -> Any:
    if type == "keyword":
        return node.value
    if type in TEXT_CONVERTERS:
        value = TEXT_CONVERTERS[type](node.value)
    else:
        value = number_from_text(node.value, type)
    if value is None:
        raise EsqlError(node.span, f"{node.field.name} is of type {type}, and {node.value} is none")
    return value
