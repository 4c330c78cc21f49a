"""The scalar functions: a table of name, signature and implementation.

Meanings: Elastic's ES|QL reference, "Functions and operators". An implementation may raise ValueError,
OverflowError or ArithmeticError: the result is null then, as ES|QL has it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from detector.rules.signature import Signature


@dataclass(frozen=True, slots=True)
class Function:
    """``typed``: the implementation is told the types of its arguments (``types=``)."""

    signature: Signature
    implementation: Callable[..., Any]
    typed: bool


FUNCTIONS: dict[str, Function] = {}


def function(signature: str, *aliases: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(implementation: Callable[..., Any]) -> Callable[..., Any]:
        parsed = Signature.of(signature)
        typed = "types" in inspect.signature(implementation).parameters
        for name in (parsed.name, *aliases):
            FUNCTIONS[name] = Function(parsed, implementation, typed)
        return implementation
    return register


@function("starts_with(keyword, keyword) -> boolean")
def starts_with(text: str, prefix: str) -> bool:
    return text.startswith(prefix)


@function("ends_with(keyword, keyword) -> boolean")
def ends_with(text: str, suffix: str) -> bool:
    return text.endswith(suffix)
