"""Field types, which define the meaning of an operator and a value.

A test is a small callable on a row's value of the field. An absent value (an empty text, an empty
list, None) passes only the test for absence, which is written ``""``.
"""

from __future__ import annotations

import operator as operators
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import msgspec

from detector.filter import text_match, time_expressions
from detector.filter.parser import FilterValue
from detector.filter.text_match import Pattern
from detector.filter.time_expressions import Span
from detector.text.suggest import nearest
from detector.text.time import SECONDS_PER_UNIT

Test = Callable[[Any], bool]

_ORDER = {">": operators.gt, ">=": operators.ge, "<": operators.lt, "<=": operators.le}


class Kind(Protocol):
    @property
    def description(self) -> str:
        """A short description of the type."""

    def test(self, operator: str, value: FilterValue, reference: float) -> Test:
        """Compile a comparison; times are relative to ``reference``.

        Raises ValueError with a one-line message.
        """


class TextMatches(msgspec.Struct, frozen=True):
    """Tests whether one of the texts matches the pattern."""

    pattern: Pattern

    def __call__(self, value: str | Sequence[str]) -> bool:
        if isinstance(value, str):
            return bool(value) and self.pattern(value.casefold())
        return any(text and self.pattern(text.casefold()) for text in value)


class Missing(msgspec.Struct, frozen=True):
    """Tests whether the value is absent."""

    def __call__(self, value: Any) -> bool:
        return value is None or (not isinstance(value, int | float) and not any(value))


class Compared(msgspec.Struct, frozen=True):
    by: Callable[[Any, Any], bool]
    number: float

    def __call__(self, value: float | None) -> bool:
        return value is not None and self.by(value, self.number)


class Between(msgspec.Struct, frozen=True):
    """Tests whether a number is in a range, both ends included."""

    low: float
    high: float

    def __call__(self, value: float | None) -> bool:
        return value is not None and self.low <= value <= self.high


class During(msgspec.Struct, frozen=True):
    """Tests whether a time is in the span."""

    span: Span

    def __call__(self, value: float | None) -> bool:
        return value is not None and self.span.start <= value < self.span.end


class OneOf(msgspec.Struct, frozen=True):
    words: frozenset[str]

    def __call__(self, value: str | Sequence[str]) -> bool:
        values = (value,) if isinstance(value, str) else value
        return not self.words.isdisjoint(values)


class Text(msgspec.Struct, frozen=True):
    """Text: ``:`` finds a value anywhere in it, ``=`` compares the whole text."""

    description = "text"

    def test(self, operator: str, value: FilterValue, reference: float) -> Test:  # noqa: ARG002
        return _of_text(operator, value, text_match.pattern)


class Address(msgspec.Struct, frozen=True):
    """An address in any notation, a network, or text."""

    description = "address or network"

    def test(self, operator: str, value: FilterValue, reference: float) -> Test:  # noqa: ARG002
        return _of_text(operator, value, text_match.address)


class Choice(msgspec.Struct, frozen=True):
    """One of a few words, which may be abbreviated.

    ``ordered``: the words are in ascending order.
    """

    words: tuple[str, ...]
    ordered: bool = False

    @property
    def description(self) -> str:
        return " < ".join(self.words) if self.ordered else ", ".join(self.words)

    def test(self, operator: str, value: FilterValue, reference: float) -> Test:  # noqa: ARG002
        if _asks_for_nothing(value):
            return Missing()
        meant = self._meant(operator, value)
        if operator in (":", "="):
            return OneOf(frozenset(meant))
        if not self.ordered:
            raise ValueError(f"{value.text} has no order: use : or =")
        if len(meant) > 1:
            raise ValueError(f"{value.text} may be {' or '.join(meant)}: type more of it")
        by, offset = _ORDER[operator], self.words.index(meant[0])
        return OneOf(frozenset(word for index, word in enumerate(self.words) if by(index, offset)))

    def _meant(self, operator: str, value: FilterValue) -> list[str]:
        folded = value.text.casefold()
        if value.wild:
            asked = text_match.pattern(value, whole=True)
            meant = [word for word in self.words if asked(word)]
        else:
            meant = [word for word in self.words if word == folded] or [
                word for word in self.words if operator != "=" and word.startswith(folded)
            ]
        if not meant:
            raise ValueError(
                f"{value.text} is not one of {', '.join(self.words)}"
                f"{nearest(value.text, self.words)}"
            )
        return meant


class Number(msgspec.Struct, frozen=True):
    """A number; ``units`` are the allowed suffixes, each with its factor."""

    units: tuple[tuple[str, float], ...] = ()

    @property
    def description(self) -> str:
        if not self.units:
            return "number"
        return f"number, with {', '.join(unit for unit, _ in self.units)}"

    def test(self, operator: str, value: FilterValue, reference: float) -> Test:  # noqa: ARG002
        if _asks_for_nothing(value):
            return Missing()
        if value.dots is None:
            return Compared(_ORDER.get(operator, operators.eq), self._number(value.text))
        _refuse_range(operator)
        low, high = value.bounds
        between = Between(
            self._number(low) if low else float("-inf"),
            self._number(high) if high else float("inf"),
        )
        if between.low > between.high:
            raise ValueError(f"{value.text} ends before it starts")
        return between

    def _number(self, text: str) -> float:
        digits = text.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
        unit = text[len(digits) :].strip().casefold()
        by = {"": 1.0, **{name.casefold(): size for name, size in self.units}}.get(unit)
        try:
            if by is None or len(digits) > _DIGITS or "_" in digits:
                raise ValueError(text)
            return float(digits) * by
        except ValueError:
            examples = ["10", *(f"10{unit}" for unit, _ in self.units[:1])]
            raise ValueError(
                f"{text} is not a number: write it like {' or '.join(examples)}"
            ) from None


_DIGITS = 18

SECONDS = Number(tuple((unit, float(size)) for unit, size in SECONDS_PER_UNIT.items()))
BYTES = Number((("B", 1.0), ("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12)))


class Time(msgspec.Struct, frozen=True):
    """A time, in epoch seconds."""

    description = "time"

    def test(self, operator: str, value: FilterValue, reference: float) -> Test:
        return (
            Missing() if _asks_for_nothing(value) else During(self.span(operator, value, reference))
        )

    def span(self, operator: str, value: FilterValue, reference: float) -> Span:
        """Return the span of times that satisfy the comparison. Raises ValueError."""
        if value.dots is None:
            return time_expressions.span_for_operator(
                operator, time_expressions.span_of(value.text, reference)
            )
        _refuse_range(operator)
        return time_expressions.span_between(*value.bounds, reference)


def _of_text(operator: str, value: FilterValue, read: Callable[..., Pattern]) -> Test:
    if operator not in (":", "="):
        raise ValueError(
            f"{operator} compares numbers, times and severities; this field is text: use : or ="
        )
    return (
        Missing() if _asks_for_nothing(value) else TextMatches(read(value, whole=operator == "="))
    )


def _asks_for_nothing(value: FilterValue) -> bool:
    return value.quoted and not value.text


def _refuse_range(operator: str) -> None:
    if operator not in (":", "="):
        raise ValueError(f"a range works with : only, not with {operator}")
