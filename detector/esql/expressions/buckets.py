"""Compile the functions that round dates and numbers down to the start of a bucket."""

from __future__ import annotations

import math
from typing import Any

from detector.ecs.values import NUMBERS, in_range
from detector.esql import ast
from detector.esql.errors import EsqlError, Span
from detector.esql.expressions.argument_compiler import ArgumentCompiler
from detector.esql.expressions.bucket_size import date_bucket_size, number_bucket_size
from detector.esql.expressions.constants import coerce_text, require_timespan
from detector.esql.expressions.null_propagation import propagate_null, single_getter
from detector.esql.expressions.scope import (
    CalendarFact,
    ColumnFact,
    CompiledExpr,
    FieldFact,
    WindowFact,
    constant,
)
from detector.esql.expressions.timespan import LONGEST_WINDOW, date_truncator


def date_trunc(compiler: ArgumentCompiler, node: ast.Call) -> CompiledExpr:
    if len(node.arguments) != 2:
        raise EsqlError(node.span, "date_trunc takes a timespan and a date")
    timespan, date = node.arguments
    return _truncation(
        node.name, compiler.compile(timespan), timespan.span, compiler.compile(date), date.span
    )


def tbucket(compiler: ArgumentCompiler, node: ast.Call) -> CompiledExpr:
    """Compile ``tbucket(timespan)`` as ``bucket(@timestamp, timespan)``."""
    if len(node.arguments) != 1:
        raise EsqlError(node.span, "tbucket takes a timespan")
    (timespan,) = node.arguments
    date = compiler.compile(ast.Column("@timestamp", span=node.span))
    return _truncation(node.name, compiler.compile(timespan), timespan.span, date, node.span)


def bucket(compiler: ArgumentCompiler, node: ast.Call) -> CompiledExpr:
    """Compile ``bucket(value, size)`` or ``bucket(value, most buckets, from, to)``."""
    if len(node.arguments) not in (2, 4):
        raise EsqlError(
            node.span, "bucket takes a value and a size, or a value, a number of buckets, from, to"
        )
    value, size, *ends = map(compiler.compile, node.arguments)
    if value.type in NUMBERS:
        return _number_bucket(node, value, size, ends)
    size_span = node.arguments[1].span
    if ends:
        if value.type not in ("date", "null"):
            raise _no_value(node, value)
        amount = _date_size(node, size, ends)
        size = constant(amount, "time_duration")
    return _truncation(node.name, size, size_span, value, node.arguments[0].span)


def _no_value(node: ast.Call, value: CompiledExpr) -> EsqlError:
    return EsqlError(
        node.arguments[0].span, f"{node.name} cuts a date or a number, not {value.type}"
    )


def _date_size(node: ast.Call, count: CompiledExpr, ends: list[CompiledExpr]) -> Any:
    count_of = _constant_number(node, 1, count)
    dates = []
    for index, end in enumerate(ends, start=2):
        date = coerce_text(end, "date", node.arguments[index].span)
        if date.type != "date" or not date.constant:
            raise EsqlError(
                node.arguments[index].span,
                "a date that is written here must stand here (now() is one with --now only)",
            )
        dates.append(date.value)
    if count.type == "double" or count_of < 1:
        raise EsqlError(node.arguments[1].span, "the number of buckets is a whole one, at least 1")
    return date_bucket_size(int(count_of), *dates)


def _number_bucket(
    node: ast.Call, value: CompiledExpr, size: CompiledExpr, ends: list[CompiledExpr]
) -> CompiledExpr:
    width: float | None = _constant_number(node, 1, size)
    if ends:
        if size.type == "double":
            raise EsqlError(node.arguments[1].span, "the number of buckets is a whole one")
        numbers = [_constant_number(node, index, end) for index, end in enumerate(ends, start=2)]
        width = number_bucket_size(int(width or 0), *numbers)
        if width is None:
            raise EsqlError(node.span, "at least 1 bucket, and from below to, must stand here")
    if not width:
        raise EsqlError(node.arguments[1].span, "the size of a bucket must not be 0")
    step = width
    return CompiledExpr(
        propagate_null(
            lambda number: in_range(math.floor(number / step) * step, "double"),
            [single_getter(value)],
        ),
        "double",
        constant=value.constant,
    )


def _constant_number(node: ast.Call, index: int, expr: CompiledExpr) -> float:
    if expr.type not in NUMBERS or not expr.constant or expr.many:
        raise EsqlError(node.arguments[index].span, "a number that is written here must stand here")
    return float(expr.value)


def _truncation(
    name: str, timespan: CompiledExpr, timespan_span: Span, date: CompiledExpr, date_span: Span
) -> CompiledExpr:
    """Compile the truncation of a date; for ``@timestamp``, its fact may be a window."""
    timespan = require_timespan(timespan, timespan_span)
    date = coerce_text(date, "date", date_span)
    if date.type not in ("date", "null"):
        raise EsqlError(date_span, f"{name} cuts a date, not {date.type}")
    amount = timespan.value
    if amount.is_mixed:
        raise EsqlError(
            timespan_span, f"{name} cuts by days, by months or by years, not by two of them"
        )
    if not amount.is_positive:
        raise EsqlError(timespan_span, f"the timespan of {name} must be positive")
    fact: ColumnFact = None
    if date.fact == FieldFact("@timestamp"):
        if (amount.window or 0) > LONGEST_WINDOW:
            days = LONGEST_WINDOW // 86_400
            raise EsqlError(timespan_span, f"a window of over {days} days is not supported")
        if amount.window:
            fact = WindowFact(amount.window)
        elif amount.longest_period:
            fact = CalendarFact(amount.longest_period)
    return CompiledExpr(
        propagate_null(date_truncator(amount), [single_getter(date)]),
        "date",
        constant=date.constant,
        fact=fact,
    )
