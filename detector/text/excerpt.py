"""Excerpts of a text with a caret under a position."""

from __future__ import annotations

from detector.text.visible import visible


def caret_excerpt(text: str, line: int, column: int) -> str:
    """Return a line of a text with a caret under a column.

    ``line`` and ``column`` count from 1. Returns an empty string if the text has no such line.
    """
    lines = text.split("\n")
    if not 1 <= line <= len(lines):
        return ""
    source_line = lines[line - 1].replace("\t", " ")
    before = visible(source_line[: column - 1], 1000)
    after = visible(source_line[column - 1 :], 1000)
    margin = " " * len(str(line))
    return f"  {line} | {before}{after}\n  {margin} | {' ' * len(before)}^"
