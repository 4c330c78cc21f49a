"""Converts times in various forms to ISO 8601 in UTC.

Ambiguous dates (``03/04/2026``), zones given only by a regional abbreviation, and numbers that are
not a plausible epoch time are not accepted.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from detector.text.late_pattern import late_pattern
from detector.text.time import format_time, parse_time

_TEXT_CAP = 64
_EPOCH = late_pattern(r"\d{10}(?:\d{3}|\d{6}|\d{9})?(?:\.\d*)?|\d\.\d+E\d\d?")
_FIRST_EPOCH, _LAST_EPOCH = 1e9, 1e10
"""The accepted range in seconds: from 2001, before AWS existed, to 2286."""
_DOT_NET = late_pattern(r"/Date\((\d+)(?:[+-]\d{4})?\)/")
_UTC_NAME = late_pattern(r"\s*Z?\s*[(\[]?(?:Etc/UTC|UTC|GMT|Z)[)\]]?$", re.IGNORECASE)
_ZONE_BEHIND_OFFSET = late_pattern(
    r"((?:UTC|GMT)?[+-]\d\d:?\d\d) ?(?:UTC|GMT|\[[\w/+-]+\]|\([\w ]+\))(?: m=[+-][\d.]+)?$"
)
"""An offset followed by the zone's name, as in Go, Java and JavaScript; and Go's monotonic
clock."""
_UTC_WITHIN = late_pattern(r" (?:UTC|GMT)(?= \d{4}$)")
_WRITTEN_VALUE = late_pattern(r"""(?:[A-Za-z]\w*\()?(["'])(.+)\1\)?""")
"""A time in quotes, or in a function call, as in ``ISODate("…")``."""
_OFFSET_NAME = late_pattern(r"\s*[(\[]?(?:UTC|GMT)?([+-]\d\d:?(?:\d\d)?)[)\]]?$")
_FRACTION = late_pattern(r"(:\d\d)[.,]\d+")
_LAYOUTS = (
    "%Y/%m/%d %H:%M:%S",
    "%Y%m%d%H%M%S",
    "%d/%b/%Y:%H:%M:%S",
    "%d-%b-%Y %H:%M:%S",
    "%d %b %Y %H:%M:%S",
    "%a %b %d %H:%M:%S %Y",
    "%a %b %d %Y %H:%M:%S",
    "%b %d, %Y %H:%M:%S",
    "%B %d, %Y %H:%M:%S",
    "%b %d, %Y %I:%M:%S %p",
    "%B %d, %Y %I:%M:%S %p",
    "%b %d, %Y, %I:%M:%S %p",
    "%B %d, %Y, %H:%M:%S",
    "%B %d, %Y, %I:%M:%S %p",
    "%b %d, %Y @ %H:%M:%S",
)
_WRAPPED_TIME = ("$date", "$numberLong", "$numberInt", "value", "S", "N", "iso", "epoch")
_EPOCH_SECONDS = ("seconds", "_seconds", "epochSecond", "sec")


def time_text(value: Any) -> str | None:
    """Return a time of any form as ISO 8601; None if the value is not a time."""
    for _ in range(4):
        if not isinstance(value, dict | list):
            break
        value = _unwrapped(value)
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return _from_epoch(float(value))
    if not isinstance(value, str) or len(value) > _TEXT_CAP:
        return None
    text = value.strip()
    if parse_time(text) is not None:
        return text
    text = _plain(text)
    for read in (_from_digits, _from_iso, _from_mail, _from_layouts):
        time_text = read(text)
        if time_text is not None and parse_time(time_text) is not None:
            return time_text
    return None


def _plain(text: str) -> str:
    """Return a time without quotes, calls and repeated zones around it."""
    written = _WRITTEN_VALUE.fullmatch(text)
    if written:
        text = written[2].strip()
    text = _ZONE_BEHIND_OFFSET.sub(r"\1", text.replace("\u2212", "-"))
    return _UTC_WITHIN.sub("", text)


def _unwrapped(value: dict[str, Any] | list[Any]) -> Any:
    """Return the value that an object or a list wraps; None if there is none."""
    if isinstance(value, list):
        return value[0] if len(value) == 1 else _from_parts(value)
    for name in _EPOCH_SECONDS:
        if isinstance(value.get(name), int | float | str):
            return value[name]
    for name in _WRAPPED_TIME:
        if name in value:
            return value[name]
    return next(iter(value.values())) if len(value) == 1 else None


def _from_parts(parts: list[Any]) -> str | None:
    """Convert ``[2026, 4, 2, 9, 15, 7]``, with or without nanoseconds."""
    if not 6 <= len(parts) <= 7 or any(type(part) is not int for part in parts):
        return None
    with contextlib.suppress(ValueError, OverflowError):
        return _iso(datetime(*parts[:6]))
    return None


def _from_epoch(number: float) -> str | None:
    """Convert seconds, milliseconds, microseconds or nanoseconds, distinguished by magnitude."""
    for unit in (1.0, 1e3, 1e6, 1e9):
        if _FIRST_EPOCH <= number / unit < _LAST_EPOCH:
            return format_time(number / unit)
    return None


def _from_digits(text: str) -> str | None:
    match = _DOT_NET.fullmatch(text)
    if match:
        return _from_epoch(float(match[1]))
    if _EPOCH.fullmatch(text):
        return _from_epoch(float(text))
    return None


def _from_iso(text: str) -> str | None:
    """Convert any spelling of ISO 8601, followed by any name of UTC."""
    if len(text) <= len("2026-04-02"):
        return None  # a date without a time
    with contextlib.suppress(ValueError):
        return _iso(datetime.fromisoformat(text))
    plain, zone = _split_zone(text)
    with contextlib.suppress(ValueError):
        if len(plain) > len("2026-04-02"):
            return _iso(datetime.fromisoformat(plain + zone))
    return None


def _from_mail(text: str) -> str | None:
    """Convert ``Thu, 02 Apr 2026 09:15:00 +0000``."""
    if not re.search(r"[+-]\d{4}$|(?:GMT|UTC|UT)$", text):
        return None
    from email.utils import parsedate_to_datetime  # imports twenty modules for a rare form

    with contextlib.suppress(ValueError, TypeError, OverflowError):
        return _iso(parsedate_to_datetime(text))
    return None


def _from_layouts(text: str) -> str | None:
    plain, zone = _split_zone(_FRACTION.sub(r"\1", text))
    plain = " ".join(plain.replace("\u202f", " ").split())
    for moment in _readings(lambda layout: datetime.strptime(plain, layout)):
        return _iso(datetime.fromisoformat(moment.isoformat() + zone))
    return None


def _readings(read: Callable[[str], datetime]) -> Iterator[datetime]:
    for layout in _LAYOUTS:
        with contextlib.suppress(ValueError):
            yield read(layout)


def _split_zone(text: str) -> tuple[str, str]:
    """Split a time into its text and its offset; a time without a zone is in UTC."""
    match = _UTC_NAME.search(text)
    if match:
        return text[: match.start()], "+00:00"
    match = _OFFSET_NAME.search(text)
    if match and ":" in text[: match.start()]:
        digits = match[1].replace(":", "").ljust(5, "0")
        return text[: match.start()], f"{digits[:3]}:{digits[3:]}"
    return text, "+00:00"


def _iso(moment: datetime) -> str | None:
    try:
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (OverflowError, ValueError):
        return None
    if seconds < 0:
        return None
    return format_time(seconds)
