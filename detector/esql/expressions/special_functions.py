"""Compile the functions that choose, need constants, or read the clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from detector.ecs.values import Type
from detector.esql import ast
from detector.esql.errors import EsqlError, Span
from detector.esql.expressions.constants import coerce_text, require_timespan
from detector.esql.expressions.null_propagation import propagate_null, single_getter
from detector.esql.expressions.scope import (
    NOW,
    CalendarFact,
    ColumnFact,
    ColumnScope,
    CompiledExpr,
    FieldFact,
    Getter,
    WindowFact,
    constant,
)
from detector.esql.expressions.timespan import LONGEST_WINDOW, date_truncator
from detector.esql.functions.signature import common_type


class ExprCompiler(Protocol):
    """The part of the compiler that compiles arguments."""

    @property
    def scope(self) -> ColumnScope: ...
    def compile(self, node: ast.Expression) -> CompiledExpr: ...
    def condition(self, node: ast.Expression) -> CompiledExpr: ...


def _now(compiler: ExprCompiler, node: ast.Call) -> CompiledExpr:
    if node.arguments:
        raise EsqlError(node.span, "now takes no argument")
    now = compiler.scope.layout.options.now
    if now is not None:
        return constant(now * 1000, "date")
    return CompiledExpr(lambda row: row[NOW], "date")


def _date_trunc(compiler: ExprCompiler, node: ast.Call) -> CompiledExpr:
    if len(node.arguments) != 2:
        raise EsqlError(node.span, "date_trunc takes a timespan and a date")
    timespan, date = node.arguments
    return _truncation(
        node.name, compiler.compile(timespan), timespan.span, compiler.compile(date), date.span
    )


def _bucket(compiler: ExprCompiler, node: ast.Call) -> CompiledExpr:
    """Compile ``bucket(date, timespan)`` as ``date_trunc(timespan, date)``."""
    if len(node.arguments) != 2:
        raise EsqlError(node.span, "bucket is supported with a date and a timespan only")
    date, timespan = node.arguments
    return _truncation(
        node.name, compiler.compile(timespan), timespan.span, compiler.compile(date), date.span
    )


def _tbucket(compiler: ExprCompiler, node: ast.Call) -> CompiledExpr:
    """Compile ``tbucket(timespan)`` as ``bucket(@timestamp, timespan)``."""
    if len(node.arguments) != 1:
        raise EsqlError(node.span, "tbucket takes a timespan")
    (timespan,) = node.arguments
    date = compiler.compile(ast.Column("@timestamp", span=node.span))
    return _truncation(node.name, compiler.compile(timespan), timespan.span, date, node.span)


def _truncation(
    name: str, timespan: CompiledExpr, timespan_span: Span, date: CompiledExpr, date_span: Span
) -> CompiledExpr:
    """Compile a truncation; of ``@timestamp`` it may be a window."""
    timespan = require_timespan(timespan, timespan_span)
    date = coerce_text(date, "date", date_span)
    if date.type not in ("date", "null"):
        raise EsqlError(date_span, f"{name} cuts a date, not {date.type}")
    amount = timespan.value
    if amount.amount <= 0:
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


def _case(compiler: ExprCompiler, node: ast.Call) -> CompiledExpr:
    """Compile ``case(condition, value, …, otherwise)``: the first value whose condition is true."""
    if len(node.arguments) < 2:
        raise EsqlError(node.span, "case takes conditions, each with a value")
    conditions = node.arguments[: len(node.arguments) // 2 * 2 : 2]
    tests = [single_getter(compiler.condition(condition)) for condition in conditions]
    results = [compiler.compile(value) for value in node.arguments[1::2]]
    has_default = len(node.arguments) % 2 == 1
    if has_default:
        results.append(compiler.compile(node.arguments[-1]))
    type = _result_type(node, results)
    reads = [_widened_getter(expr, type) for expr in results]
    branches = list(zip(tests, reads, strict=False))
    read_default: Getter = reads[-1] if has_default else lambda _: None

    def case(row: Any) -> Any:
        for test, read in branches:
            if test(row) is True:
                return read(row)
        return read_default(row)

    return CompiledExpr(case, type, any(expr.many for expr in results))


def _coalesce(compiler: ExprCompiler, node: ast.Call) -> CompiledExpr:
    """Compile ``coalesce``: the first value that is not null."""
    if not node.arguments:
        raise EsqlError(node.span, "coalesce takes at least one argument")
    exprs = [compiler.compile(argument) for argument in node.arguments]
    type = _result_type(node, exprs)
    reads = [_widened_getter(expr, type) for expr in exprs]

    def coalesce(row: Any) -> Any:
        for read in reads:
            value = read(row)
            if value is not None:
                return value
        return None

    return CompiledExpr(
        coalesce,
        type,
        any(expr.many for expr in exprs),
        constant=all(expr.constant for expr in exprs),
    )


def _result_type(node: ast.Call, exprs: Sequence[CompiledExpr]) -> Type:
    """Return the one type of a function's possible results."""
    type: Type = "null"
    for expr in exprs:
        joined = common_type(type, expr.type)
        if joined is None:
            raise EsqlError(
                node.span, f"the values of {node.name} have different types: {type} and {expr.type}"
            )
        type = joined
    return type


def _widened_getter(expr: CompiledExpr, type: Type) -> Getter:
    """Make a getter that converts numbers to double where ``type`` is double."""
    read = expr.read
    if type != "double" or expr.type == "double":
        return read

    def read_double(row: Any) -> Any:
        value = read(row)
        if isinstance(value, list):
            return [float(number) for number in value]
        return None if value is None else float(value)

    return read_double


_TIMESPAN_TYPES = {"to_dateperiod": "date_period", "to_timeduration": "time_duration"}


def _timespan_conversion(compiler: ExprCompiler, node: ast.Call) -> CompiledExpr:
    """Compile ``to_dateperiod("3 days")`` or ``to_timeduration("30 seconds")``, of constants."""
    if len(node.arguments) != 1:
        raise EsqlError(node.span, f"{node.name} takes one argument")
    (argument,) = node.arguments
    timespan = require_timespan(compiler.compile(argument), argument.span)
    type = _TIMESPAN_TYPES[node.name]
    if timespan.type != type:
        raise EsqlError(argument.span, f"{node.name} gives a {type}, which this is not")
    return timespan


SPECIAL_FUNCTIONS: dict[str, Callable[[ExprCompiler, ast.Call], CompiledExpr]] = {
    "now": _now,
    "date_trunc": _date_trunc,
    "bucket": _bucket,
    "tbucket": _tbucket,
    "case": _case,
    "coalesce": _coalesce,
    "to_dateperiod": _timespan_conversion,
    "to_timeduration": _timespan_conversion,
}
