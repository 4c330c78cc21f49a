"""From a computation on values to one on rows: what null and multivalues do to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from detector.ecs.values import Type, many, single
from detector.esql.functions import Function
from detector.esql.scope import CompiledExpr, Getter


def one(code: CompiledExpr) -> Getter:
    """Its value, or null where there are several."""
    read = code.read
    if not code.many:
        return read
    return lambda row: None if isinstance(value := read(row), list) else value


def lifted(compute: Callable[..., Any], reads: Sequence[Getter]) -> Getter:
    """``compute`` over what ``reads`` give; null where one of them is null or ``compute`` fails."""
    if len(reads) == 1:
        (read,) = reads

        def unary(row: Any) -> Any:
            if (value := read(row)) is None:
                return None
            try:
                return compute(value)
            except (ValueError, ArithmeticError):
                return None

        return unary
    if len(reads) == 2:
        left, right = reads

        def binary(row: Any) -> Any:
            if (a := left(row)) is None or (b := right(row)) is None:
                return None
            try:
                return compute(a, b)
            except (ValueError, ArithmeticError):
                return None

        return binary

    def other(row: Any) -> Any:
        arguments = []
        for read in reads:
            if (value := read(row)) is None:
                return None
            arguments.append(value)
        try:
            return compute(*arguments)
        except (ValueError, ArithmeticError):
            return None

    return other


def applied(function: Function, codes: Sequence[CompiledExpr], type: Type) -> CompiledExpr:
    """A call of ``function``; its signature says how multivalues are handed over."""
    compute: Callable[..., Any] = function.implementation
    if function.typed:
        types = tuple(code.type for code in codes)
        plain = compute
        compute = lambda *arguments: plain(*arguments, types=types)  # noqa: E731
    marks = [function.signature.parameter(place).mark for place in range(len(codes))]
    if function.signature.many:
        listed = compute
        compute = lambda *arguments: single(listed(*arguments))  # noqa: E731
    if "*" in marks:
        compute = _each(compute, marks.index("*"))
    reads = [_marked(code, mark) for code, mark in zip(codes, marks, strict=True)]
    several = function.signature.many or any(
        c.many for c, m in zip(codes, marks, strict=True) if m == "*"
    )
    return CompiledExpr(
        lifted(compute, reads), type, several, constant=all(code.constant for code in codes)
    )


def _marked(code: CompiledExpr, mark: str) -> Getter:
    read = code.read
    match mark:
        case "*":
            return read
        case "[]":
            return lambda row: None if (value := read(row)) is None else many(value)
        case "{}":
            return lambda row: many(read(row))
    return one(code)


def _each(compute: Callable[..., Any], place: int) -> Callable[..., Any]:
    """``compute`` on every value of the argument at ``place``; values that it fails on go."""

    def each(*arguments: Any) -> Any:
        if not isinstance(arguments[place], list):
            return compute(*arguments)
        found = []
        for value in arguments[place]:
            try:
                result = compute(*arguments[:place], value, *arguments[place + 1 :])
            except (ValueError, ArithmeticError):
                continue
            if result is not None:
                found.append(result)
        return single(found)

    return each
