"""JSON laid out for reading, with every value spelled as in the source.

JSON records are evidence: numbers keep their spelling; objects keep the order of their keys and
duplicate keys.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

from tui.presentation import safe

TokenKind = Literal["plain", "key", "string", "number", "word", "note"]

JsonLine = list[tuple[str, TokenKind]]
"""A line as runs of visible text, each with its token kind."""

MAX_STRING = 1_000
"""Maximum number of characters shown of one string."""

_MAX_TEXT = 20 * MAX_STRING
"""Maximum number of characters shown of text that is not JSON."""


class _Object(list[tuple[str, Any]]):
    """A JSON object as a list of pairs."""


class _Number(str):
    """A JSON number as spelled in the source."""

    __slots__ = ()


def layout(raw: bytes) -> list[JsonLine]:
    """Lay out a JSON value in lines.

    Text that is not JSON or is nested too deep is shown as it is, below a line that says so.
    """
    text = raw.decode("utf-8", "backslashreplace")
    try:
        value = json.loads(
            text,
            object_pairs_hook=_Object,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_Number,
        )
        return list(_value_lines(value, 0, [], ""))
    except RecursionError:
        return list(_text_lines(text, "nested too deep to format: shown as in the file"))
    except ValueError as error:
        return list(_text_lines(text, f"not JSON ({error}): shown as in the file"))


def _text_lines(text: str, reason: str) -> Iterator[JsonLine]:
    yield [(safe.visible(reason), "note")]
    for start in range(0, min(len(text), _MAX_TEXT), MAX_STRING):
        yield [(safe.visible(text[start : start + MAX_STRING]), "plain")]
    if len(text) > _MAX_TEXT:
        yield [(f"… {len(text) - _MAX_TEXT:,} characters more", "note")]


def _indent(depth: int) -> str:
    return "  " * min(depth, 20)


def _value_lines(value: Any, depth: int, prefix: JsonLine, suffix: str) -> Iterator[JsonLine]:
    """Lay out a value between ``prefix`` and ``suffix``."""
    if not isinstance(value, list) or not value:
        end: JsonLine = [(suffix, "plain")] if suffix else []
        yield [*prefix, *_scalar(value), *end]
        return
    is_object = isinstance(value, _Object)
    yield [*prefix, ("{" if is_object else "[", "plain")]
    indent: JsonLine = [(_indent(depth + 1), "plain")]
    for position, item in enumerate(value, 1):
        comma = "," if position < len(value) else ""
        if is_object:
            name, member = item
            label: JsonLine = [*indent, *_string(name, "key"), (": ", "plain")]
            yield from _value_lines(member, depth + 1, label, comma)
        else:
            yield from _value_lines(item, depth + 1, indent, comma)
    yield [(_indent(depth) + ("}" if is_object else "]") + suffix, "plain")]


def _scalar(value: Any) -> JsonLine:
    if isinstance(value, _Number):
        return [(safe.visible(value, 100), "number")]
    if isinstance(value, str):
        return _string(value, "string")
    if isinstance(value, _Object):
        return [("{}", "plain")]
    if isinstance(value, list):
        return [("[]", "plain")]
    return [({None: "null", True: "true", False: "false"}[value], "word")]


def _string(value: str, kind: TokenKind) -> JsonLine:
    """Format a string as JSON, with invisible characters escaped.

    A long string is cut and followed by its length.
    """
    quoted = safe.visible(json.dumps(value[:MAX_STRING], ensure_ascii=False), 8 * MAX_STRING)
    if len(value) <= MAX_STRING:
        return [(quoted, kind)]
    return [(quoted[:-1] + "…", kind), (f" {len(value):,} characters", "note")]
