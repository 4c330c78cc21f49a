"""Compile ROUND_TO, which rounds a value down to the nearest of several points."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

from detector.ecs.values import NUMBERS
from detector.esql import ast
from detector.esql.errors import EsqlError
from detector.esql.expressions.argument_compiler import ArgumentCompiler
from detector.esql.expressions.constants import coerce_text
from detector.esql.expressions.null_propagation import (
    propagate_null,
    single_getter,
    widened_getter,
)
from detector.esql.expressions.scope import CompiledExpr
from detector.esql.functions.signature import common_type


def round_to(compiler: ArgumentCompiler, node: ast.Call) -> CompiledExpr:
    """Compile ``round_to(value, point, …)``; a value below all points gives the least point."""
    if len(node.arguments) < 2:
        raise EsqlError(node.span, "round_to takes a value and the points to round it to")
    value = compiler.compile(node.arguments[0])
    type = value.type
    points = []
    for argument in node.arguments[1:]:
        point = coerce_text(compiler.compile(argument), type, argument.span)
        joined = common_type(type, point.type)
        if joined not in ("date", *NUMBERS) or not point.constant:
            raise EsqlError(argument.span, "round_to takes constants of the value's type")
        type = joined
        points.append(point)
    ordered = sorted(
        number
        for number in (widened_getter(point, type)([]) for point in points)
        if number is not None
    )

    def rounded(number: Any) -> Any:
        return ordered[max(bisect_right(ordered, number) - 1, 0)]

    read = single_getter(CompiledExpr(widened_getter(value, type), value.type, value.many))
    return CompiledExpr(propagate_null(rounded, [read]), type, constant=value.constant)
