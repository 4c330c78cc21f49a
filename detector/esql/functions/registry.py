"""The table of scalar functions: name, signature, implementation."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from detector.esql.signature import Signature

_Implementation = TypeVar("_Implementation", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Function:
    """An implementation may raise ValueError or ArithmeticError: the result is null then, as ES|QL
    has it.

    ``typed``: it is told the types of its arguments (``types=``).
    """

    signature: Signature
    implementation: Callable[..., Any]
    typed: bool


FUNCTIONS: dict[str, Function] = {}


def function(signature: str, *aliases: str) -> Callable[[_Implementation], _Implementation]:
    """Enters an implementation in the table."""

    def register(implementation: _Implementation) -> _Implementation:
        parsed = Signature.parse(signature)
        typed = "types" in inspect.signature(implementation).parameters
        for name in (parsed.name, *aliases):
            FUNCTIONS[name] = Function(parsed, implementation, typed)
        return implementation

    return register
