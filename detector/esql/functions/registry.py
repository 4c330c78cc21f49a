"""Register scalar functions by name, with signature and implementation."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from detector.esql.functions.signature import Signature

_Implementation = TypeVar("_Implementation", bound=Callable[..., Any])
ConstantCheck = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Function:
    """A scalar function.

    The implementation may raise ValueError or ArithmeticError: the result is null then, as in
    ES|QL. ``typed``: it takes the types of its arguments (``types=``). ``constant_checks``: by the
    index of an argument, what raises ValueError for a constant that every row would fail on.
    """

    signature: Signature
    implementation: Callable[..., Any]
    typed: bool
    constant_checks: Mapping[int, ConstantCheck]


FUNCTIONS: dict[str, Function] = {}


def function(
    signature: str, *aliases: str, constant_checks: Mapping[int, ConstantCheck] | None = None
) -> Callable[[_Implementation], _Implementation]:
    """Register an implementation under its name and ``aliases``."""

    def register(implementation: _Implementation) -> _Implementation:
        parsed = Signature.parse(signature)
        typed = "types" in inspect.signature(implementation).parameters
        for name in (parsed.name, *aliases):
            FUNCTIONS[name] = Function(parsed, implementation, typed, constant_checks or {})
        return implementation

    return register
