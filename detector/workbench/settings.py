"""Parse and step parameter values: ``regions=8,window=60s``, ``regions=6..14``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import product
from typing import NamedTuple

from detector.text.time import DAY, HOUR, MINUTE, SECONDS_PER_UNIT
from detector.workbench.parameters import RuleParameter
from detector.workbench.variant import VariantError, VariantMaker

_NUMBER = re.compile(r"[0-9]{1,12}")
_DURATION = re.compile(r"([0-9]{1,9})\s*(s|m|h|d|w)")
MOST_CELLS = 400
"""The most variants in a grid."""
_DURATIONS = (
    *(1, 2, 5, 10, 15, 20, 30, 45),
    *(MINUTE, 90, 2 * MINUTE, 3 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE),
    *(HOUR, 2 * HOUR, 4 * HOUR, 6 * HOUR, 12 * HOUR),
    *(DAY, 2 * DAY, 3 * DAY, 5 * DAY, 7 * DAY, 10 * DAY, 14 * DAY, 21 * DAY, 30 * DAY, 60 * DAY),
)
"""The common durations through which a parameter steps, in seconds."""


class Axis(NamedTuple):
    """The values that a parameter takes in a grid."""

    parameter: RuleParameter
    values: tuple[int, ...]


def parse_settings(text: str, maker: VariantMaker) -> dict[str, int]:
    """Parse comma-separated ``name=value`` pairs. Raises VariantError."""
    values: dict[str, int] = {}
    for parameter, written in _pairs(text, maker):
        values[parameter.name] = _value(parameter, written)
    return values


def parse_grid(text: str, maker: VariantMaker) -> list[Axis]:
    """Parse comma-separated ``name=first..last`` or ``name=value`` pairs. Raises VariantError."""
    axes = []
    for parameter, written in _pairs(text, maker):
        first, dots, last = written.partition("..")
        if not dots:
            axes.append(Axis(parameter, (_value(parameter, first),)))
            continue
        begin, end = _value(parameter, first), _value(parameter, last)
        if end < begin:
            raise VariantError(f"{parameter.name}={written}: the first value is the larger one")
        axes.append(Axis(parameter, tuple(_between(parameter, begin, end))))
    cells = 1
    for axis in axes:
        cells *= len(axis.values)
    if cells > MOST_CELLS:
        raise VariantError(f"{cells:,} variants are too many: at most {MOST_CELLS}")
    return axes


def cells_of(axes: Sequence[Axis]) -> Iterator[dict[str, int]]:
    """Yield the parameter values of each variant of a grid; the last axis varies fastest."""
    names = [axis.parameter.name for axis in axes]
    for values in product(*(axis.values for axis in axes)):
        yield dict(zip(names, values, strict=True))


def moved(parameter: RuleParameter, value: int, steps: int) -> int:
    """Return the value ``steps`` steps above, or below if negative.

    A count moves by one, a large count by more; a duration moves to the next common one."""
    if parameter.kind == "count":
        return max(1, value + steps * _stride(value))
    for _ in range(abs(steps)):
        if steps > 0:
            value = next((each for each in _DURATIONS if each > value), value * 2)
        else:
            value = next((each for each in reversed(_DURATIONS) if each < value), value)
    return value


def _stride(value: int) -> int:
    """Return the step of a count: 1 below 100, otherwise a tenth of its power of ten."""
    return max(1, 10 ** (len(str(value)) - 2)) if value >= 100 else 1


def _between(parameter: RuleParameter, first: int, last: int) -> Iterator[int]:
    value = first
    while value <= last:
        yield value
        value = value + 1 if parameter.kind == "count" else moved(parameter, value, 1)


def _pairs(text: str, maker: VariantMaker) -> Iterator[tuple[RuleParameter, str]]:
    for part in text.split(","):
        name, equals, written = part.strip().partition("=")
        if not equals:
            raise VariantError(f"{part.strip() or text!r}: write it like regions=8,window=60s")
        yield maker.parameter(name.strip()), written.strip()


def _value(parameter: RuleParameter, text: str) -> int:
    text = text.strip()
    match = _DURATION.fullmatch(text)
    if parameter.kind == "duration" and match:
        value = int(match[1]) * SECONDS_PER_UNIT[match[2]]
    elif parameter.kind == "count" and _NUMBER.fullmatch(text):
        value = int(text)
    else:
        form = "a number such as 8" if parameter.kind == "count" else "a duration such as 60s or 5m"
        raise VariantError(f"{parameter.name}={text}: it takes {form}")
    if value < 1:
        raise VariantError(f"{parameter.name}={text}: it must be 1 or more")
    return value
