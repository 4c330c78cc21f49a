"""Register scalar functions by name, with signature and implementation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from detector.esql.functions.signature import Signature

LONGEST_TEXT = 1 << 20
"""Characters that a function may make of texts, as ES|QL limits CONCAT, REPEAT and REPLACE."""


def bounded_join(parts: Sequence[str], delimiter: str = "") -> str:
    """Join texts. Raises ValueError for more than a function may make."""
    if sum(map(len, parts)) + len(delimiter) * (len(parts) - 1) > LONGEST_TEXT:
        raise ValueError
    return delimiter.join(parts)


_Implementation = TypeVar("_Implementation", bound=Callable[..., Any])
ConstantCheck = Callable[[str], object]


class Function(msgspec.Struct, frozen=True):
    """A scalar function.

    The implementation may raise ValueError or ArithmeticError: the result is null then, as in
    ES|QL. ``typed``: it takes the types of its arguments (``types=``). ``constant_checks``: by the
    index of an argument (or of all from it, where it may be repeated), what raises ValueError for a
    constant that every row would fail on; a negative index counts from the last argument.
    """

    signature: Signature
    implementation: Callable[..., Any]
    typed: bool
    constant_checks: Mapping[int, ConstantCheck]


FUNCTIONS: dict[str, Function] = {}


def arguments_of(implementation: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of a function's arguments, without what ``inspect`` works out beside."""
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
