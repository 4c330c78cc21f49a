"""DISSECT: a text cut at fixed delimiters. Source: Elastic's ES|QL reference, "Process data with DISSECT"."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

Values = list[str | None]


@dataclass(frozen=True, slots=True)
class _Key:
    """``%{+name/2->}``: a column (none: the part is skipped), its place among the parts joined,
    what follows it."""

    name: str | None
    place: int
    padded: bool
    delimiter: str


def dissector(pattern: str, separator: str) -> tuple[list[str], Callable[[str], Values | None]]:
    """The names of the columns, and what gives their values for a text: None where it does not fit
    the pattern.

    Parts of one ``+name`` are joined by ``separator``. Raises ValueError for what is no pattern.
    """
    start, keys = _parsed(pattern)
    names = list(dict.fromkeys(key.name for key in keys if key.name is not None))
    if not names:
        raise ValueError("the pattern names no column")

    def dissect(text: str) -> Values | None:
        if (parts := _parts(text, start, keys)) is None:
            return None
        return [
            separator.join(
                part
                for _, part in sorted(
                    (
                        (key.place, part)
                        for key, part in zip(keys, parts, strict=True)
                        if key.name == name
                    ),
                    key=lambda placed: placed[0],
                )
            )
            for name in names
        ]

    return names, dissect


def _parts(text: str, start: str, keys: list[_Key]) -> list[str] | None:
    if not text.startswith(start):
        return None
    parts = []
    at = len(start)
    for key in keys:
        if not key.delimiter:
            parts.append(text[at:])
            break
        if (end := text.find(key.delimiter, at)) < 0:
            return None
        parts.append(text[at:end])
        at = end + len(key.delimiter)
        while key.padded and text.startswith(key.delimiter, at):
            at += len(key.delimiter)
    return parts


def _parsed(pattern: str) -> tuple[str, list[_Key]]:
    found = list(re.finditer(r"%\{([^}]*)\}", pattern))
    if not found:
        raise ValueError("the pattern has no %{key}")
    keys = []
    for number, each in enumerate(found):
        end = found[number + 1].start() if number + 1 < len(found) else len(pattern)
        delimiter = pattern[each.end() : end]
        if not delimiter and number + 1 < len(found):
            raise ValueError(
                f"a delimiter must stand between %{{{each[1]}}} and {found[number + 1][0]}"
            )
        keys.append(_key(each[1], number, delimiter))
    return pattern[: found[0].start()], keys


def _key(text: str, number: int, delimiter: str) -> _Key:
    padded = text.endswith("->")
    name = text.removesuffix("->")
    if name[:1] in ("*", "&"):
        raise ValueError(f"reference keys such as %{{{text}}} are not supported by ES|QL")
    if not name or name.startswith("?"):
        return _Key(None, number, padded, delimiter)
    place = number
    if name.startswith("+"):
        name, slash, order = name[1:].partition("/")
        if slash and not order.isdecimal():
            raise ValueError(f"the order in %{{{text}}} must be a number")
        place = int(order) if slash else number
    return _Key(name, place, padded, delimiter)
