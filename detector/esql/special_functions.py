"""The functions that are more than an implementation: they choose, or depend on constants, or on the clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from detector.ecs.values import Type
from detector.esql import ast
from detector.esql.constants import spanned, taken_as
from detector.esql.errors import EsqlError, Span
from detector.esql.null_propagation import lifted, one
from detector.esql.scope import NOW, CompiledExpr, FieldFact, Getter, Scope, WindowFact, constant
from detector.esql.signature import common
from detector.esql.timespan import LONGEST_WINDOW, truncate


class Compiles(Protocol):
    """What compiles the arguments."""

    @property
    def scope(self) -> Scope: ...
    def compile(self, node: ast.Expression) -> CompiledExpr: ...
    def condition(self, node: ast.Expression) -> CompiledExpr: ...


def _now(compiler: Compiles, node: ast.Call) -> CompiledExpr:
    if node.arguments:
        raise EsqlError(node.span, "now takes no argument")
    if (now := compiler.scope.layout.options.now) is not None:
        return constant(now * 1000, "date")
    return CompiledExpr(lambda row: row[NOW], "date")


def _date_trunc(compiler: Compiles, node: ast.Call) -> CompiledExpr:
    if len(node.arguments) != 2:
        raise EsqlError(node.span, "date_trunc takes a timespan and a date")
    span, date = node.arguments
    return _cut(node, compiler.compile(span), span.span, compiler.compile(date), date.span)


def _bucket(compiler: Compiles, node: ast.Call) -> CompiledExpr:
    """``bucket(date, span)`` is ``date_trunc(span, date)``."""
    if len(node.arguments) != 2:
        raise EsqlError(node.span, "bucket is supported with a date and a timespan only")
    date, span = node.arguments
    return _cut(node, compiler.compile(span), span.span, compiler.compile(date), date.span)


def _tbucket(compiler: Compiles, node: ast.Call) -> CompiledExpr:
    """``tbucket(span)`` is ``bucket(@timestamp, span)``."""
    if len(node.arguments) != 1:
        raise EsqlError(node.span, "tbucket takes a timespan")
    (span,) = node.arguments
    timestamp = compiler.compile(ast.Column("@timestamp", span=node.span))
    return _cut(node, compiler.compile(span), span.span, timestamp, node.span)


def _cut(
    node: ast.Call, span: CompiledExpr, span_at: Span, date: CompiledExpr, date_at: Span
) -> CompiledExpr:
    span = spanned(span, span_at)
    date = taken_as(date, "date", date_at)
    if date.type not in ("date", "null"):
        raise EsqlError(date_at, f"{node.name} cuts a date, not {date.type}")
    if span.value.amount <= 0:
        raise EsqlError(span_at, f"the timespan of {node.name} must be positive")
    seconds = (
        span.value.window
        if isinstance(date.fact, FieldFact) and date.fact.name == "@timestamp"
        else None
    )
    if seconds and seconds > LONGEST_WINDOW:
        raise EsqlError(
            span_at, f"a window of over {LONGEST_WINDOW // 86_400} days is not supported"
        )
    return CompiledExpr(
        lifted(truncate(span.value), [one(date)]),
        "date",
        constant=date.constant,
        fact=WindowFact(seconds) if seconds else None,
    )


def _case(compiler: Compiles, node: ast.Call) -> CompiledExpr:
    """``case(condition, value, …, otherwise)``: the first value whose condition is true."""
    if len(node.arguments) < 2:
        raise EsqlError(node.span, "case takes conditions, each with a value")
    parts = list(node.arguments)
    last = parts.pop() if len(parts) % 2 else None
    tests = [one(compiler.condition(part)) for part in parts[::2]]
    chosen = [compiler.compile(part) for part in (*parts[1::2], *([last] if last else []))]
    type = _one_type(node, chosen)
    results = [_widened(code, type) for code in chosen]
    pairs = list(zip(tests, results, strict=False))
    otherwise: Getter = results[-1] if last else lambda _: None

    def case(row: Any) -> Any:
        for test, result in pairs:
            if test(row) is True:
                return result(row)
        return otherwise(row)

    return CompiledExpr(case, type, any(code.many for code in chosen))


def _coalesce(compiler: Compiles, node: ast.Call) -> CompiledExpr:
    """The first value that is not null."""
    if not node.arguments:
        raise EsqlError(node.span, "coalesce takes at least one argument")
    codes = [compiler.compile(argument) for argument in node.arguments]
    type = _one_type(node, codes)
    reads = [_widened(code, type) for code in codes]

    def coalesce(row: Any) -> Any:
        for read in reads:
            if (value := read(row)) is not None:
                return value
        return None

    return CompiledExpr(
        coalesce,
        type,
        any(code.many for code in codes),
        constant=all(code.constant for code in codes),
    )


def _one_type(node: ast.Call, codes: Sequence[CompiledExpr]) -> Type:
    type: Type = "null"
    for code in codes:
        if (joined := common(type, code.type)) is None:
            raise EsqlError(
                node.span, f"the values of {node.name} have different types: {type} and {code.type}"
            )
        type = joined
    return type


def _widened(code: CompiledExpr, type: Type) -> Getter:
    """Where numbers of different types meet, all are of the wider one."""
    read = code.read
    if type != "double" or code.type == "double":
        return read

    def widened(row: Any) -> Any:
        value = read(row)
        return (
            [float(each) for each in value]
            if isinstance(value, list)
            else value
            if value is None
            else float(value)
        )

    return widened


def _span_of(compiler: Compiles, node: ast.Call) -> CompiledExpr:
    """``to_dateperiod("3 days")``, ``to_timeduration("30 seconds")``, of constants."""
    if len(node.arguments) != 1:
        raise EsqlError(node.span, f"{node.name} takes one argument")
    (argument,) = node.arguments
    code = spanned(compiler.compile(argument), argument.span)
    wanted = {"to_dateperiod": "date_period", "to_timeduration": "time_duration"}[node.name]
    if code.type != wanted:
        raise EsqlError(argument.span, f"{node.name} gives a {wanted}, which this is not")
    return code


SPECIAL_FUNCTIONS: dict[str, Callable[[Compiles, ast.Call], CompiledExpr]] = {
    "now": _now,
    "date_trunc": _date_trunc,
    "bucket": _bucket,
    "tbucket": _tbucket,
    "case": _case,
    "coalesce": _coalesce,
    "to_dateperiod": _span_of,
    "to_timeduration": _span_of,
}
