r"""JSON output in which characters that would act on a terminal are ``\u`` escapes.

JSON parsers decode the escapes to the same text, so evidence is unchanged, while ``cat`` of a file
can neither control a terminal nor reorder text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from detector.text.late_pattern import late_pattern

_ACTIVE = late_pattern(
    "[\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
"""DEL, C1 controls, bidirectional marks, line separators, and invisible characters."""


def json_line(value: Any) -> str:
    """Format a value as one line of JSON, without the line break."""
    import orjson  # imported late: it loads dataclasses and inspect, a twentieth of startup time

    return escape_json(orjson.dumps(value).decode())


def json_lines(values: Iterable[Any]) -> str:
    """Format values as JSON Lines."""
    return "".join(json_line(value) + "\n" for value in values)


def escape_json(text: str) -> str:
    """Escape active characters in JSON text; they can occur only inside strings."""
    if text.isascii() and "\x7f" not in text:
        return text
    return _ACTIVE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be")
    pairs = zip(units[::2], units[1::2], strict=True)
    return "".join(f"\\u{high:02x}{low:02x}" for high, low in pairs)
