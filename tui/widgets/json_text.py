"""JSON laid out for reading: every value as the bytes have it, only long strings cut.

Numbers keep their spelling, objects the order of their keys and keys that come twice: this is evidence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Literal

from tui.presentation import safe

TokenKind = Literal["plain", "key", "string", "number", "word", "note"]

JsonLine = list[tuple[str, TokenKind]]
"""A line in runs of one kind. All of it can be seen: it has been through ``safe``."""

MAX_STRING = 1_000
"""Characters of one string that are shown."""


def _indent(depth: int) -> str:
    return "  " * min(depth, 20)


class _Object(list[tuple[str, Any]]):
    """A JSON object as its pairs."""


class _Number(str):
    """A JSON number as it is spelt."""

    __slots__ = ()


def layout(raw: bytes) -> list[JsonLine]:
    """The lines of ``raw``. What is no JSON, or nested too deep to follow, is shown as text, and a
    line says so."""
    text = raw.decode("utf-8", "backslashreplace")
    try:
        value = json.loads(
            text,
            object_pairs_hook=_Object,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_Number,
        )
        return list(_value(value, 0, [], ""))
    except RecursionError:
        return list(_as_text(text, "nested too deep to lay out: as it is in the file"))
    except ValueError as error:
        return list(_as_text(text, f"no JSON ({error}): as it is in the file"))


def _as_text(text: str, why: str) -> Iterator[JsonLine]:
    yield [(safe.visible(why), "note")]
    for start in range(0, min(len(text), 20 * MAX_STRING), MAX_STRING):
        yield [(safe.visible(text[start : start + MAX_STRING]), "plain")]
    if len(text) > 20 * MAX_STRING:
        yield [(f"… {len(text) - 20 * MAX_STRING:,} characters more", "note")]


def _value(value: Any, depth: int, before: JsonLine, after: str) -> Iterator[JsonLine]:
    """The lines of ``value``: its first line goes on from ``before``, its last one ends with
    ``after``."""
    if isinstance(value, _Object) and value:
        yield [*before, ("{", "plain")]
        for place, (name, inner) in enumerate(value, 1):
            label: JsonLine = [
                (_indent(depth + 1), "plain"),
                *_string(name, "key"),
                (": ", "plain"),
            ]
            yield from _value(inner, depth + 1, label, "," if place < len(value) else "")
        yield [(_indent(depth) + "}" + after, "plain")]
    elif isinstance(value, list) and value and not isinstance(value, _Object):
        yield [*before, ("[", "plain")]
        for place, inner in enumerate(value, 1):
            yield from _value(
                inner, depth + 1, [(_indent(depth + 1), "plain")], "," if place < len(value) else ""
            )
        yield [(_indent(depth) + "]" + after, "plain")]
    else:
        rest: JsonLine = [(after, "plain")] if after else []
        yield [*before, *_scalar(value), *rest]


def _scalar(value: Any) -> JsonLine:
    if isinstance(value, _Number):
        return [(safe.visible(value, 100), "number")]
    if isinstance(value, str):
        return _string(value, "string")
    if isinstance(value, list):
        return [("{}" if isinstance(value, _Object) else "[]", "plain")]
    return [({None: "null", True: "true", False: "false"}[value], "word")]


def _string(value: str, kind: TokenKind) -> JsonLine:
    """``value`` as JSON writes it, what cannot be seen escaped; cut where it is too long, and its
    length said."""
    shown = safe.visible(json.dumps(value[:MAX_STRING], ensure_ascii=False), 8 * MAX_STRING)
    if len(value) <= MAX_STRING:
        return [(shown, kind)]
    return [(shown[:-1] + "…", kind), (f" {len(value):,} characters", "note")]
