"""Registers scalar functions by name, with signature and implementation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from detector.esql.functions.signature import Signature

LONGEST_TEXT = 1 << 20
"""The most characters in a function's result; ES|QL limits CONCAT, REPEAT and REPLACE to it."""


def bounded_join(parts: Sequence[str], delimiter: str = "") -> str:
    """Join texts. Raises ValueError if the result would exceed ``LONGEST_TEXT``."""
    if sum(map(len, parts)) + len(delimiter) * (len(parts) - 1) > LONGEST_TEXT:
        raise ValueError
    return delimiter.join(parts)


_Implementation = TypeVar("_Implementation", bound=Callable[..., Any])
ConstantCheck = Callable[[str], object]


class Function(msgspec.Struct, frozen=True):
    """A scalar function.

    If the implementation raises ValueError or ArithmeticError, the result is null, as in ES|QL.
    ``typed``: it takes the types of its arguments (``types=``). ``constant_checks``: by argument
    index, a function that raises ValueError for a constant with which every row would fail. A
    repeated argument is checked from that index on; a negative index counts from the last argument.
    """

    signature: Signature
    implementation: Callable[..., Any]
    typed: bool
    constant_checks: Mapping[int, ConstantCheck]


FUNCTIONS: dict[str, Function] = {}


def arguments_of(implementation: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of a function's parameters, without the overhead of ``inspect``."""
    code = implementation.__code__
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


def function(
    signature: str, *aliases: str, constant_checks: Mapping[int, ConstantCheck] | None = None
) -> Callable[[_Implementation], _Implementation]:
    """Register an implementation under its name and ``aliases``."""

    def register(implementation: _Implementation) -> _Implementation:
        parsed = Signature.parse(signature)
        typed = "types" in arguments_of(implementation)
        for name in (parsed.name, *aliases):
            FUNCTIONS[name] = Function(parsed, implementation, typed, constant_checks or {})
        return implementation

    return register
