"""Apply functions on values to rows, with ES|QL's rules for nulls and multivalues."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from detector.ecs.values import Type, many, single
from detector.esql.expressions.scope import CompiledExpr, Getter
from detector.esql.functions import Function


def single_getter(expr: CompiledExpr) -> Getter:
    """Make a getter that returns null for a multivalue."""
    read = expr.read
    if not expr.many:
        return read

    def read_single(row: Any) -> Any:
        value = read(row)
        return None if isinstance(value, list) else value

    return read_single


def widened_getter(expr: CompiledExpr, type: Type) -> Getter:
    """Make a getter that converts numbers to double if ``type`` is double."""
    read = expr.read
    if type != "double" or expr.type == "double":
        return read

    def read_double(row: Any) -> Any:
        value = read(row)
        if isinstance(value, list):
            return [float(number) for number in value]
        return None if value is None else float(value)

    return read_double


def propagate_null(compute: Callable[..., Any], reads: Sequence[Getter]) -> Getter:
    """Make a getter that applies ``compute`` to the values of ``reads``.

    It returns null if a value is null, or if ``compute`` raises ValueError or ArithmeticError.
    """
    # Nearly all calls have one or two arguments; without an argument list they cost half as much.
    if len(reads) == 1:
        return _propagate_unary(compute, reads[0])
    if len(reads) == 2:
        return _propagate_binary(compute, reads[0], reads[1])

    def call(row: Any) -> Any:
        arguments = []
        for read in reads:
            value = read(row)
            if value is None:
                return None
            arguments.append(value)
        try:
            return compute(*arguments)
        except (ValueError, ArithmeticError):
            return None

    return call


def _propagate_unary(compute: Callable[[Any], Any], read: Getter) -> Getter:
    def call(row: Any) -> Any:
        value = read(row)
        if value is None:
            return None
        try:
            return compute(value)
        except (ValueError, ArithmeticError):
            return None

    return call


def _propagate_binary(
    compute: Callable[[Any, Any], Any], read_left: Getter, read_right: Getter
) -> Getter:
    def call(row: Any) -> Any:
        left = read_left(row)
        if left is None:
            return None
        right = read_right(row)
        if right is None:
            return None
        try:
            return compute(left, right)
        except (ValueError, ArithmeticError):
            return None

    return call


def compile_function_call(
    function: Function, exprs: Sequence[CompiledExpr], type: Type
) -> CompiledExpr:
    """Compile a function call; the signature defines how the function receives multivalues."""
    compute: Callable[..., Any] = function.implementation
    if function.typed:
        compute = _with_types(compute, tuple(expr.type for expr in exprs))
    signature = function.signature
    marks = [signature.parameter(index).mark for index in range(len(exprs))]
    if signature.many:
        compute = _as_single(compute)
    if "*" in marks:
        compute = _map_values(compute)
    reads = list(map(_argument_getter, exprs, marks))
    maps_many = any(expr.many and mark == "*" for expr, mark in zip(exprs, marks, strict=True))
    return CompiledExpr(
        propagate_null(compute, reads),
        type,
        signature.many or maps_many,
        constant=all(expr.constant for expr in exprs),
    )


def _with_types(compute: Callable[..., Any], types: Sequence[Type]) -> Callable[..., Any]:
    return lambda *arguments: compute(*arguments, types=types)


def _as_single(compute: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *arguments: single(compute(*arguments))


def _argument_getter(expr: CompiledExpr, mark: str) -> Getter:
    """Make the getter of an argument according to its parameter's mark."""
    read = expr.read
    match mark:
        case "*":
            return read
        case "[]":

            def read_many(row: Any) -> Any:
                value = read(row)
                return None if value is None else many(value)

            return read_many
        case "{}":
            return lambda row: many(read(row))
    return single_getter(expr)


def _map_values(compute: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Apply ``compute`` to each value of its single argument; drop nulls and failures."""

    def call(argument: Any) -> Any:
        if not isinstance(argument, list):
            return compute(argument)
        results = []
        for value in argument:
            try:
                result = compute(value)
            except (ValueError, ArithmeticError):
                continue
            if result is not None:
                results.append(result)
        return single(results)

    return call
