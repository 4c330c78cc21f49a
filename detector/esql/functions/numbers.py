"""Functions on numbers.

An integer stays an integer unless the signature says double.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import chain
from typing import Any

from detector.ecs.values import Type, in_range, order
from detector.esql.functions.registry import function


@function("abs(number) -> first")
def absolute(number: Any, *, types: Sequence[Type]) -> Any:
    return in_range(abs(number), types[0])


@function("ceil(number) -> first")
def ceil(number: Any) -> Any:
    if isinstance(number, int):
        return number
    return float(math.ceil(number))


@function("floor(number) -> first")
def floor(number: Any) -> Any:
    if isinstance(number, int):
        return number
    return float(math.floor(number))


@function("round(number, long?) -> first")
def rounded(number: Any, places: int = 0) -> Any:
    """Round half away from zero; negative places round before the point."""
    if abs(places) > 300:
        return number if places > 0 else type(number)(0)
    if not isinstance(number, int):
        scale = 10.0**places
        return math.copysign(math.floor(abs(number) * scale + 0.5) / scale, number)
    if places >= 0:
        return number
    size: int = 10**-places
    magnitude = (abs(number) + size // 2) // size * size
    return magnitude if number >= 0 else -magnitude


@function("signum(number) -> double")
def signum(number: Any) -> float:
    return float((number > 0) - (number < 0))


@function("sqrt(number) -> double")
def sqrt(number: Any) -> float:
    return math.sqrt(number)


@function("cbrt(number) -> double")
def cbrt(number: Any) -> float:
    root = math.cbrt(number)
    whole = round(root)
    return float(whole) if whole**3 == number else root  # libm may miss an exact root


@function("pow(number, number) -> double")
def power(base: Any, exponent: Any) -> Any:
    return in_range(math.pow(base, exponent), "double")


@function("exp(number) -> double")
def exp(number: Any) -> float:
    return math.exp(number)


@function("log(number, number?) -> double")
def log(base: Any, number: Any = None) -> float:
    """Return the natural logarithm; with two arguments, the first is the base."""
    if number is None:
        return math.log(base)
    return math.log(number) / math.log(base)


@function("log10(number) -> double")
def log10(number: Any) -> float:
    return math.log10(number)


@function("hypot(number, number) -> double")
def hypot(a: Any, b: Any) -> float:
    return math.hypot(a, b)


@function("copy_sign(number, number) -> first")
def copy_sign(magnitude: Any, sign: Any, *, types: Sequence[Type]) -> Any:
    """Return ``magnitude`` with the sign of ``sign``."""
    if types[0] == "double":
        return math.copysign(magnitude, sign)
    return in_range(-abs(magnitude) if sign < 0 else abs(magnitude), types[0])


@function("scalb(number, long) -> double")
def scalb(number: Any, exponent: int) -> Any:
    """Return ``number * 2 ** exponent``; null on overflow."""
    if not -(2**31) <= exponent < 2**31:
        raise ValueError
    return math.ldexp(number, exponent)


@function("pi() -> double")
def pi() -> float:
    return math.pi


@function("e() -> double")
def e() -> float:
    return math.e


@function("tau() -> double")
def tau() -> float:
    return math.tau


@function("greatest(same[], same[]...) -> same")
def greatest(*values: list[Any], types: Sequence[Type]) -> Any:
    """Return the greatest of all values; null if an argument is null."""
    return max(chain.from_iterable(values), key=order(types[0]))


@function("least(same[], same[]...) -> same")
def least(*values: list[Any], types: Sequence[Type]) -> Any:
    return min(chain.from_iterable(values), key=order(types[0]))


@function("clamp(same, same, same) -> same")
def clamp(value: Any, least_value: Any, most_value: Any, *, types: Sequence[Type]) -> Any:
    """Limit ``value`` to the range from ``least_value`` to ``most_value``."""
    key = order(types[0])
    return _widened(min(max(value, least_value, key=key), most_value, key=key), types)


@function("clamp_min(same, same) -> same")
def clamp_min(value: Any, least_value: Any, *, types: Sequence[Type]) -> Any:
    return _widened(max(value, least_value, key=order(types[0])), types)


@function("clamp_max(same, same) -> same")
def clamp_max(value: Any, most_value: Any, *, types: Sequence[Type]) -> Any:
    return _widened(min(value, most_value, key=order(types[0])), types)


def _widened(value: Any, types: Sequence[Type]) -> Any:
    """Convert a result to double if any of the arguments is double."""
    return float(value) if "double" in types else value
