"""ES|QL's types, and its values as they are held while a query runs.

Null is None; a multivalue is a list of two or more; a date is milliseconds since the Unix epoch; an ip is its
canonical text; an integer is an int whose range its type tells.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Literal

from detector.text.time import format_milliseconds, format_shortest

Value = None | bool | int | float | str | list[Any]
"""A value of ES|QL as it is kept and printed: dates are text in the one time format, sets are
sorted lists."""

Type = Literal[
    "null",
    "boolean",
    "keyword",
    "integer",
    "long",
    "double",
    "date",
    "ip",
    "date_period",
    "time_duration",
]
NUMBERS: tuple[Type, ...] = ("integer", "long", "double")
SPANS: tuple[Type, ...] = ("date_period", "time_duration")
RANGES = {"integer": 2**31, "long": 2**63}
"""A whole number of the type lies in [-range, range)."""

TYPE_NAMES: dict[str, Type] = {
    "boolean": "boolean",
    "bool": "boolean",
    "keyword": "keyword",
    "string": "keyword",
    "text": "keyword",
    "integer": "integer",
    "int": "integer",
    "long": "long",
    "double": "double",
    "date": "date",
    "datetime": "date",
    "ip": "ip",
    "date_period": "date_period",
    "time_duration": "time_duration",
}
"""As they are written after ``::``."""


def single(values: Iterable[Any]) -> Any:
    """The value that ``values`` make up: null, the one, or a multivalue."""
    found = list(values)
    return found if len(found) > 1 else found[0] if found else None


def many(value: Any) -> list[Any]:
    """The values that ``value`` holds."""
    return [] if value is None else value if isinstance(value, list) else [value]


def in_range(number: Any, type: Type) -> Any:
    """``number``, or null where its type cannot hold it (ES|QL's overflow)."""
    if type == "double":
        return number if number == number and abs(number) != float("inf") else None
    bound = RANGES[type]
    return number if -bound <= number < bound else None


# addresses


@lru_cache(4096)
def ip_from_text(text: str) -> str | None:
    """The canonical text of an address; None where ``text`` is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return str((address.version == 6 and address.ipv4_mapped) or address)


@lru_cache(4096)
def ip_order(text: str) -> bytes:
    """What addresses sort by: 16 bytes, IPv4 mapped into IPv6."""
    address = ipaddress.ip_address(text)
    return b"\0" * 10 + b"\xff\xff" + address.packed if address.version == 4 else address.packed


def order(type: Type) -> Callable[[Any], Any]:
    """The sort key of values of a type."""
    return ip_order if type == "ip" else lambda value: value


# conversions


_MOST_DIGITS = 40
"""More make no number that a type can hold, unless they are zeros."""
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


def number_from_text(text: str, type: Type) -> Any:
    """A number of ``type``; None where the text is none."""
    text = text.strip()
    if not text.isascii() or not _NUMBER.fullmatch(text):
        return None
    whole = text.lstrip("+-").isdecimal() and len(text) <= _MOST_DIGITS
    return converted_number(int(text) if whole else float(text), type)


def converted_number(number: int | float, type: Type) -> Any:
    """``number`` as a ``type``; None where that cannot hold it. Fractions round half up."""
    if type != "double" and isinstance(number, float):
        if in_range(number, "double") is None:
            return None
        number = math.floor(number + 0.5)
    return in_range(float(number) if type == "double" else number, type)


def text_of(value: Any, type: Type) -> str:
    """What TO_STRING gives for one value. Dates carry milliseconds, as ES|QL writes them."""
    if type == "boolean":
        return "true" if value else "false"
    if type == "date":
        return format_milliseconds(value)
    if type == "double":
        return java_double(value)
    return str(value)


def java_double(number: float) -> str:
    """A double as Java writes it: 1.0, 1.0E10, 1.0E-5."""
    size = abs(number)
    if size == 0 or 1e-3 <= size < 1e7:
        return repr(float(number))
    digits, _, exponent = f"{number!r}".partition("e")
    if not exponent:
        digits, _, exponent = f"{number:.17e}".partition("e")
        for precision in range(17):
            shorter, _, power = f"{number:.{precision}e}".partition("e")
            if float(f"{shorter}e{power}") == number:
                digits, exponent = shorter, power
                break
    return f"{digits if '.' in digits else digits + '.0'}E{int(exponent)}"


def shown(value: Any, type: Type) -> Any:
    """A value as a query's result shows it: dates as text."""
    if isinstance(value, list | tuple):
        return [shown(each, type) for each in value]
    return format_shortest(value) if type == "date" and value is not None else value
