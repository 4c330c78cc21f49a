"""Compile constants, and convert text constants to other types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from detector.ecs import values
from detector.ecs.values import SPANS, Type
from detector.esql import ast
from detector.esql.errors import EsqlError, Span
from detector.esql.expressions.scope import CompiledExpr, constant
from detector.esql.expressions.timespan import DURATIONS, PERIODS, TemporalAmount
from detector.text.late_pattern import late_pattern
from detector.text.suggest import nearest

_TIMESPAN_TEXT = late_pattern(r"\s*([0-9]{1,18})\s*([A-Za-z]+)\s*")


def compile_literal(value: Any) -> CompiledExpr:
    """Compile a literal; a tuple is a multivalue."""
    if isinstance(value, tuple):
        element = value[0] if value else None
        return constant(values.single(value), _literal_type(element))
    return constant(value, _literal_type(value))


def _literal_type(value: Any) -> Type:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer" if values.in_range(value, "integer") is not None else "long"
    return "double" if isinstance(value, float) else "keyword"


def compile_timespan(node: ast.Timespan) -> CompiledExpr:
    """Compile a timespan. Raises EsqlError for an unknown unit."""
    if node.unit in DURATIONS:
        return constant(TemporalAmount.of(node.amount, node.unit), "time_duration")
    if node.unit in PERIODS:
        return constant(TemporalAmount.of(node.amount, node.unit), "date_period")
    units = (*DURATIONS, *PERIODS)
    raise EsqlError(node.span, f"no unit of time {node.unit}{nearest(node.unit, units)}")


TEXT_CONVERTERS: dict[str, Callable[[str], Any]] = {
    "date": values.date_from_text,
    "ip": values.ip_from_text,
    "boolean": {"true": True, "false": False}.get,
}
"""For each type, the function that converts text to a value; it returns None for invalid text."""


_FORMS = {"date": "; write it like 2026-03-01 or 2026-03-01T11:30:00Z"}


def coerce_text(expr: CompiledExpr, type: str, span: Span) -> CompiledExpr:
    """Convert a text constant to ``type``; return any other expression unchanged.

    Raises EsqlError for invalid text."""
    if expr.type != "keyword" or not expr.constant:
        return expr
    if type in SPANS or type == "span":
        return require_timespan(expr, span)
    convert = TEXT_CONVERTERS.get(type)
    if convert is None:
        return expr
    converted = []
    for text in values.many(expr.value):
        value = convert(text)
        if value is None:
            raise EsqlError(span, f'"{text}" is no {type}{_FORMS.get(type, "")}')
        converted.append(value)
    return constant(values.single(converted), type)  # type: ignore[arg-type]


def require_timespan(expr: CompiledExpr, span: Span) -> CompiledExpr:
    """Return a timespan, converting text such as ``"30 seconds"``.

    Raises EsqlError for any other expression."""
    if expr.constant and expr.type == "keyword":
        match = _TIMESPAN_TEXT.fullmatch(str(expr.value))
        if match:
            return compile_timespan(ast.Timespan(int(match[1]), match[2].lower(), span=span))
    if expr.type not in SPANS:
        raise EsqlError(span, f"a timespan such as 30 seconds must stand here, not {expr.type}")
    return expr
