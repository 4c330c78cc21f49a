"""ES|QL's types and values.

While a query runs, null is None; a multivalue is a list of two or more values; a date is
milliseconds since the Unix epoch; an ip is its canonical text; an integer or long is an int within
the range of its type.
"""

from __future__ import annotations

import ipaddress
import math
import re
import socket
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Literal

from detector.text.late_pattern import late_pattern
from detector.text.time import format_milliseconds, format_shortest, parse_milliseconds

Value = None | bool | int | float | str | list[Any]
"""An ES|QL value as it is stored and printed: dates are text in trailhound's time format, sets
are sorted lists."""

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
"""A value of the type lies in [-range, range)."""

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
"""The type for each name that an ES|QL cast (``::``) accepts."""


def single(values: Iterable[Any]) -> Any:
    """Combine values: return null for none, the value for one, a multivalue for several."""
    items = list(values)
    if len(items) > 1:
        return items
    if not items:
        return None
    return items[0]


def many(value: Any) -> list[Any]:
    """Return the elements of a value as a list; null has none."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def in_range(number: Any, type: Type) -> Any:
    """Return ``number``, or null if it overflows its type."""
    if type == "double":
        if not (number == number and abs(number) != float("inf")):
            return None
        return number
    bound = RANGES[type]
    if not (-bound <= number < bound):
        return None
    return number


# addresses


def _canonical(text: str) -> str | None:
    """Return the canonical text of an address via the C library; None if it may be wrong.

    This takes a tenth of the time of ``ipaddress``, but the C library formats an IPv6 address that
    ends with an IPv4 address differently."""
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    try:
        written = socket.inet_ntop(family, socket.inet_pton(family, text))
    except (OSError, ValueError):
        return None
    is_told = "." not in written if family == socket.AF_INET6 else written == text
    return written if is_told else None


@lru_cache(4096)
def ip_from_text(text: str) -> str | None:
    """Return the canonical text of an address; None if ``text`` is not an address."""
    known = _canonical(text)
    if known is not None:
        return known
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return str((address.version == 6 and address.ipv4_mapped) or address)


_ISO_DATE = late_pattern(
    r"\d{4}(-\d\d(-\d\d(T\d\d(:\d\d(:\d\d([.,]\d{1,9})?)?)?(Z|[+-]\d\d(:?\d\d)?)?)?)?)?", re.ASCII
)


def date_from_text(text: str) -> int | None:
    """Parse Elasticsearch's ``strict_date_optional_time``; return milliseconds since the epoch.

    Return None for other formats, for example with a blank before the time."""
    if _ISO_DATE.fullmatch(text) is None:
        return None
    return parse_milliseconds(text)


@lru_cache(4096)
def ip_order(text: str) -> bytes:
    """Return an address's sort key: 16 bytes, with IPv4 mapped into IPv6."""
    address = ipaddress.ip_address(text)
    return b"\0" * 10 + b"\xff\xff" + address.packed if address.version == 4 else address.packed


def order(type: Type) -> Callable[[Any], Any]:
    """Return the function that computes the sort key of a type's values."""
    return ip_order if type == "ip" else lambda value: value


# conversions


_MAX_DIGITS = 40
"""A longer text exceeds the range of every type or has leading zeros."""
_NUMBER = late_pattern(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")


def number_from_text(text: str, type: Type) -> Any:
    """Parse a number and convert it to ``type``; None if it is not a number or overflows."""
    text = text.strip()
    if not text.isascii() or not _NUMBER.fullmatch(text):
        return None
    is_whole = text.lstrip("+-").isdecimal() and len(text) <= _MAX_DIGITS
    return converted_number(int(text) if is_whole else float(text), type)


def converted_number(number: int | float, type: Type) -> Any:
    """Convert a number to a type, rounding half up; None on overflow."""
    if type != "double" and isinstance(number, float):
        if in_range(number, "double") is None:
            return None
        number = math.floor(number + 0.5)
    return in_range(float(number) if type == "double" else number, type)


def text_of(value: Any, type: Type) -> str:
    """Format a single value as TO_STRING does; dates include milliseconds."""
    if type == "boolean":
        return "true" if value else "false"
    if type == "date":
        return format_milliseconds(value)
    if type == "double":
        return java_double(value)
    return str(value)


def java_double(number: float) -> str:
    """Format a double as Java does: 1.0, 1.0E10, 1.0E-5."""
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
    if "." not in digits:
        digits += ".0"
    return f"{digits}E{int(exponent)}"


def shown(value: Any, type: Type) -> Any:
    """Format a value for a query's result: dates become text."""
    is_date = type == "date"
    if isinstance(value, list | tuple):
        return [shown(item, type) for item in value] if is_date else list(value)
    return format_shortest(value) if is_date and value is not None else value
