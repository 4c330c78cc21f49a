"""The trigonometric and hyperbolic functions; angles are in radians.

A function raises ValueError outside its domain and OverflowError on overflow; in both cases the
result is null.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from detector.esql.functions.registry import function

_UNARY: dict[str, Callable[[float], float]] = {
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "asinh": math.asinh,
    "acosh": math.acosh,
    "atanh": math.atanh,
}


def _register(name: str, compute: Callable[[float], float]) -> None:
    @function(f"{name}(number) -> double")
    def call(number: float) -> float:
        return compute(number)


for _name, _compute in _UNARY.items():
    _register(_name, _compute)


@function("atan2(number, number) -> double")
def atan2(y: float, x: float) -> float:
    """Return the angle of the point ``(x, y)``."""
    return math.atan2(y, x)
