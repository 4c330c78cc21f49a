"""Format and parse dates by Java's date patterns, in UTC and English.

Weeks follow ISO 8601. Source: the OpenJDK documentation of ``DateTimeFormatter``, "Patterns for
Formatting and Parsing". Compiling an unsupported pattern raises ValueError.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from detector.text.late_pattern import late_pattern
from detector.text.time import to_milliseconds

DAY_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTH_NAMES = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_QUARTERS = ("1st quarter", "2nd quarter", "3rd quarter", "4th quarter")

_Formatter = Callable[[datetime], str]

_NAMED_PATTERNS = {
    "basic_date": "yyyyMMdd",
    "date": "yyyy-MM-dd",
    "date_hour_minute_second": "yyyy-MM-dd'T'HH:mm:ss",
    "date_time": "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "date_time_no_millis": "yyyy-MM-dd'T'HH:mm:ssXXX",
    "hour_minute_second": "HH:mm:ss",
    "year_month": "yyyy-MM",
    "year_month_day": "yyyy-MM-dd",
}
"""Patterns by Elasticsearch's format names, each of which may be prefixed with ``strict_``."""

_TOKEN = late_pattern(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z'\[\]{}#]+|.", re.DOTALL)


def _tokens(pattern: str) -> Iterator[tuple[str, str]]:
    """Yield a pattern's letter runs as (run, letter) and its literal texts as (text, ``""``).

    Raises ValueError for special characters that are not supported."""
    for token in _TOKEN.finditer(_NAMED_PATTERNS.get(pattern.removeprefix("strict_"), pattern)):
        text, quoted, letter = token[0], token[1], token[2]
        if quoted is not None:
            yield quoted.replace("''", "'") or "'", ""
        elif letter:
            yield text, letter
        elif text in "'[]{}#":
            raise ValueError(f"{text} in the date pattern {pattern} is not supported")
        else:
            yield text, ""


def _unsupported(pattern: str, letters: str) -> ValueError:
    part = "" if letters == pattern else f"{letters} in "
    return ValueError(f"{part}the date pattern {pattern} is not supported")


# formatting


def _number(value: Callable[[datetime], int], widths: range) -> dict[int, _Formatter]:
    """Make the formatters of a number, zero-padded to the number of letters."""
    return {width: lambda d, width=width: f"{value(d):0{width}d}" for width in widths}  # type: ignore[misc]


def _name(value: Callable[[datetime], str]) -> dict[int, _Formatter]:
    """Make the formatters of a name's short, full and narrow form."""
    return {3: lambda d: value(d)[:3], 4: value, 5: lambda d: value(d)[:1]}


def _year(value: Callable[[datetime], int]) -> dict[int, _Formatter]:
    return {**_number(value, range(1, 10)), 2: lambda d: f"{value(d) % 100:02d}"}


def _texts(forms: dict[int, str]) -> dict[int, _Formatter]:
    return {width: lambda _, text=text: text for width, text in forms.items()}  # type: ignore[misc]


def _month_name(date: datetime) -> str:
    return MONTH_NAMES[date.month - 1]


def _day_name(date: datetime) -> str:
    return DAY_NAMES[date.weekday()]


def _nanosecond_of_day(date: datetime) -> int:
    seconds = date.hour * 3600 + date.minute * 60 + date.second
    return (seconds * 1_000_000 + date.microsecond) * 1000


def _month() -> dict[int, _Formatter]:
    return {**_number(lambda d: d.month, range(1, 3)), **_name(_month_name)}


def _quarter() -> dict[int, _Formatter]:
    def index(date: datetime) -> int:
        return (date.month - 1) // 3

    return {
        **_number(lambda d: index(d) + 1, range(1, 3)),
        3: lambda d: f"Q{index(d) + 1}",
        4: lambda d: _QUARTERS[index(d)],
        5: lambda d: str(index(d) + 1),
    }


def _fraction(width: int) -> _Formatter:
    return lambda d: f"{d.microsecond * 1000:09d}"[:width]


_PLAIN_OFFSET = {1: "+00", 2: "+0000", 3: "+00:00", 4: "+0000", 5: "+00:00"}
_FORMATTERS: dict[str, dict[int, _Formatter]] = {
    "G": _texts({1: "AD", 2: "AD", 3: "AD", 4: "Anno Domini", 5: "A"}),
    "u": _year(lambda d: d.year),
    "y": _year(lambda d: d.year),
    "Y": _year(lambda d: d.isocalendar()[0]),
    "Q": _quarter(),
    "q": _quarter(),
    "M": _month(),
    "L": _month(),
    "w": _number(lambda d: d.isocalendar()[1], range(1, 3)),
    "D": _number(lambda d: d.timetuple().tm_yday, range(1, 4)),
    "d": _number(lambda d: d.day, range(1, 3)),
    "E": {**_name(_day_name), 1: lambda d: _day_name(d)[:3], 2: lambda d: _day_name(d)[:3]},
    "e": {**_number(lambda d: d.isoweekday(), range(1, 3)), **_name(_day_name)},
    "c": {**_number(lambda d: d.isoweekday(), range(1, 2)), **_name(_day_name)},
    "a": {1: lambda d: "AM" if d.hour < 12 else "PM"},
    "H": _number(lambda d: d.hour, range(1, 3)),
    "k": _number(lambda d: d.hour or 24, range(1, 3)),
    "K": _number(lambda d: d.hour % 12, range(1, 3)),
    "h": _number(lambda d: d.hour % 12 or 12, range(1, 3)),
    "m": _number(lambda d: d.minute, range(1, 3)),
    "s": _number(lambda d: d.second, range(1, 3)),
    "S": {width: _fraction(width) for width in range(1, 10)},
    "A": _number(lambda d: _nanosecond_of_day(d) // 1_000_000, range(1, 20)),
    "n": _number(lambda d: d.microsecond * 1000, range(1, 20)),
    "N": _number(_nanosecond_of_day, range(1, 20)),
    "X": _texts(dict.fromkeys(range(1, 6), "Z")),
    "x": _texts(_PLAIN_OFFSET),
    "Z": _texts({1: "+0000", 2: "+0000", 3: "+0000", 4: "GMT", 5: "Z"}),
    "z": _texts(dict.fromkeys(range(1, 5), "Z")),
    "O": _texts({1: "GMT", 4: "GMT"}),
    "V": _texts({2: "Z"}),
}
"""The formatter for each pattern letter and number of letters."""


@lru_cache(64)
def date_formatter(pattern: str) -> Callable[[datetime], str]:
    """Compile a pattern to a function that formats dates. Raises ValueError if unsupported."""
    parts: list[_Formatter] = []
    for text, letter in _tokens(pattern):
        form = _FORMATTERS.get(letter, {}).get(len(text)) if letter else _constant(text)
        if form is None:
            raise _unsupported(pattern, text)
        parts.append(form)
    return lambda date: "".join(part(date) for part in parts)


def _constant(text: str) -> _Formatter:
    return lambda _: text


# parsing

_OFFSET = r"(?P<offset>Z|[+-]\d\d:?(?:\d\d)?)"


def _names(group: str, names: tuple[str, ...], length: int | None = None) -> str:
    return f"(?P<{group}>{'|'.join(name[:length] for name in names)})"


def _digits(group: str) -> dict[int, str]:
    return {1: rf"(?P<{group}>\d{{1,2}})", 2: rf"(?P<{group}>\d\d)"}


_YEARS = {1: r"(?P<year>\d{4})", 2: r"(?P<short_year>\d\d)", 4: r"(?P<year>\d{4})"}
_MONTH_TEXTS = {
    **_digits("month"),
    3: _names("month_name", MONTH_NAMES, 3),
    4: _names("month_name", MONTH_NAMES),
}
_DAY_NAMES = {
    **dict.fromkeys(range(1, 4), _names("day_name", DAY_NAMES, 3)),
    4: _names("day_name", DAY_NAMES),
}
_PATTERNS: dict[str, dict[int, str]] = {
    "u": _YEARS,
    "y": _YEARS,
    "M": _MONTH_TEXTS,
    "L": _MONTH_TEXTS,
    "d": _digits("day"),
    "D": {1: r"(?P<day_of_year>\d{1,3})", 3: r"(?P<day_of_year>\d{3})"},
    "E": _DAY_NAMES,
    "a": {1: "(?P<half>AM|PM)"},
    "H": _digits("hour"),
    "k": _digits("hour_to_24"),
    "h": _digits("hour_to_12"),
    "K": _digits("hour_to_11"),
    "m": _digits("minute"),
    "s": _digits("second"),
    "S": {width: rf"(?P<fraction>\d{{{width}}})" for width in range(1, 10)},
    "X": dict.fromkeys(range(1, 6), _OFFSET),
    "x": dict.fromkeys(range(1, 6), _OFFSET),
    "Z": {**dict.fromkeys(range(1, 4), _OFFSET), 5: _OFFSET},
    "z": dict.fromkeys(range(1, 5), "(?:Z|UTC|GMT)"),
}
"""The regex for each pattern letter and number of letters."""


@lru_cache(64)
def date_parser(pattern: str) -> Callable[[str], int]:
    """Compile a pattern to a function that parses texts to epoch milliseconds.

    Raises ValueError if unsupported; the function raises ValueError if a text does not match."""
    pieces = []
    for text, letter in _tokens(pattern):
        piece = _PATTERNS.get(letter, {}).get(len(text)) if letter else re.escape(text)
        if piece is None:
            raise _unsupported(pattern, text)
        pieces.append(piece)
    try:
        regex = re.compile("".join(pieces), re.ASCII)
    except re.error:
        raise ValueError(f"the date pattern {pattern} names a part twice") from None
    _check_parts(pattern, set(regex.groupindex))

    def parse(text: str) -> int:
        match = regex.fullmatch(text)
        if match is None:
            raise ValueError(f"{text} has not the form {pattern}")
        return _date({name: value for name, value in match.groupdict().items() if value})

    return parse


def _check_parts(pattern: str, parts: set[str]) -> None:
    """Raise ValueError for a pattern whose parts do not make a date."""
    if not parts & {"year", "short_year"}:
        raise ValueError(f"the date pattern {pattern} names no year")
    days = {"day", "day_of_year", "month", "month_name"}
    if "day_of_year" in parts and len(parts & days) > 1:
        raise ValueError(f"the date pattern {pattern} names a part twice")
    hours = parts & {"hour", "hour_to_24", "hour_to_12", "hour_to_11"}
    if len(hours) > 1 or {"year", "short_year"} <= parts or {"month", "month_name"} <= parts:
        raise ValueError(f"the date pattern {pattern} names a part twice")
    if bool(hours & {"hour_to_12", "hour_to_11"}) != ("half" in parts):
        raise ValueError(f"the date pattern {pattern} needs both h and a")


def _date(parts: dict[str, str]) -> int:
    """Return the epoch milliseconds of a date's parts. Raises ValueError if invalid."""
    year = int(parts["year"]) if "year" in parts else 2000 + int(parts["short_year"])
    month = int(parts.get("month", 1))
    if "month_name" in parts:
        month = 1 + next(i for i, m in enumerate(MONTH_NAMES) if m.startswith(parts["month_name"]))
    local = datetime(
        year,
        month,
        int(parts.get("day", 1)),
        _hour(parts),
        int(parts.get("minute", 0)),
        int(parts.get("second", 0)),
        tzinfo=UTC,
    )
    local += timedelta(days=int(parts.get("day_of_year", 1)) - 1)
    if local.year != year or not _day_name(local).startswith(parts.get("day_name", "")):
        raise ValueError("no such day")
    fraction = int(parts.get("fraction", "0").ljust(3, "0")[:3])
    return to_milliseconds(local) + fraction - _offset(parts.get("offset", "Z"))


def _hour(parts: dict[str, str]) -> int:
    """Return the hour of the day, from 0 to 23. Raises ValueError if invalid."""
    if "hour_to_24" in parts:
        return _clock_hour(parts["hour_to_24"], 24)
    if "half" in parts:
        name = "hour_to_12" if "hour_to_12" in parts else "hour_to_11"
        hour = int(parts[name])
        if name == "hour_to_12":
            hour = _clock_hour(parts[name], 12)
        if hour > 11:
            raise ValueError("no such hour")
        return hour + 12 * (parts["half"] == "PM")
    return int(parts.get("hour", 0))


def _clock_hour(digits: str, most: int) -> int:
    """Convert an hour from 1 to ``most`` to one from 0. Raises ValueError if out of range."""
    hour = int(digits)
    if not 1 <= hour <= most:
        raise ValueError("no such hour")
    return hour % most


def _offset(zone: str) -> int:
    if zone == "Z":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    offset = 60_000 * (60 * int(digits[:2]) + int(digits[2:]))
    return offset if zone[0] == "+" else -offset
