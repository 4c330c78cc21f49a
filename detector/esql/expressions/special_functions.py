"""Compile the functions that choose between arguments, need constants, or read the clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from detector.ecs.values import Type
from detector.esql import ast
from detector.esql.errors import EsqlError
from detector.esql.expressions.argument_compiler import ArgumentCompiler
from detector.esql.expressions.buckets import bucket, date_trunc, tbucket
from detector.esql.expressions.constants import require_timespan
from detector.esql.expressions.null_propagation import single_getter, widened_getter
from detector.esql.expressions.round_to import round_to
from detector.esql.expressions.scope import NOW, CompiledExpr, Getter, constant
from detector.esql.functions.signature import common_type


def _now(compiler: ArgumentCompiler, node: ast.Call) -> CompiledExpr:
    if node.arguments:
        raise EsqlError(node.span, "now takes no argument")
    now = compiler.scope.layout.options.now
    if now is not None:
        return constant(now * 1000, "date")
    return CompiledExpr(lambda row: row[NOW], "date")


def _case(compiler: ArgumentCompiler, node: ast.Call) -> CompiledExpr:
    """Compile ``case(condition, value, …, default)``: the first value whose condition is true."""
    if len(node.arguments) < 2:
        raise EsqlError(node.span, "case takes conditions, each with a value")
    conditions = node.arguments[: len(node.arguments) // 2 * 2 : 2]
    tests = [single_getter(compiler.condition(condition)) for condition in conditions]
    results = [compiler.compile(value) for value in node.arguments[1::2]]
    has_default = len(node.arguments) % 2 == 1
    if has_default:
        results.append(compiler.compile(node.arguments[-1]))
    type = _result_type(node, results)
    reads = [widened_getter(expr, type) for expr in results]
    branches = list(zip(tests, reads, strict=False))
    read_default: Getter = reads[-1] if has_default else lambda _: None

    def case(row: Any) -> Any:
        for test, read in branches:
            if test(row) is True:
                return read(row)
        return read_default(row)

    return CompiledExpr(case, type, any(expr.many for expr in results))


def _coalesce(compiler: ArgumentCompiler, node: ast.Call) -> CompiledExpr:
    """Compile ``coalesce``: the first value that is not null."""
    if not node.arguments:
        raise EsqlError(node.span, "coalesce takes at least one argument")
    exprs = [compiler.compile(argument) for argument in node.arguments]
    type = _result_type(node, exprs)
    reads = [widened_getter(expr, type) for expr in exprs]

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
    """Return the common type of a function's possible results. Raises EsqlError if none."""
    type: Type = "null"
    for expr in exprs:
        joined = common_type(type, expr.type)
        if joined is None:
            raise EsqlError(
                node.span, f"the values of {node.name} have different types: {type} and {expr.type}"
            )
        type = joined
    return type


_TIMESPAN_TYPES = {"to_dateperiod": "date_period", "to_timeduration": "time_duration"}


def _timespan_conversion(compiler: ArgumentCompiler, node: ast.Call) -> CompiledExpr:
    """Compile ``to_dateperiod("3 days")`` or ``to_timeduration("30 seconds")`` of a constant."""
    if len(node.arguments) != 1:
        raise EsqlError(node.span, f"{node.name} takes one argument")
    (argument,) = node.arguments
    timespan = require_timespan(compiler.compile(argument), argument.span)
    type = _TIMESPAN_TYPES[node.name]
    if timespan.type != type:
        raise EsqlError(argument.span, f"{node.name} gives a {type}, which this is not")
    return timespan


SPECIAL_FUNCTIONS: dict[str, Callable[[ArgumentCompiler, ast.Call], CompiledExpr]] = {
    "now": _now,
    "date_trunc": date_trunc,
    "bucket": bucket,
    "bin": bucket,
    "tbucket": tbucket,
    "round_to": round_to,
    "case": _case,
    "coalesce": _coalesce,
    "to_dateperiod": _timespan_conversion,
    "to_timeduration": _timespan_conversion,
}
