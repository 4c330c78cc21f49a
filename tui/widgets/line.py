"""Cells of text as a line: visible, cut, aligned, styled."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from rich.segment import Segment
from rich.style import Style as RichStyle
from rich.text import Text
from textual.app import App
from textual.content import Content, Span
from textual.strip import Strip
from textual.style import Style

from tui.presentation import safe

CellContent = str | Content | Text
"""The content of a cell: log text as ``str``, or styled text that is already visible."""

StyledRun = tuple[str, Style]
"""A run of text in one style."""

Align = Literal["left", "right"]


def as_content(cell: CellContent) -> Content:
    """Convert the content of a cell to visible content.

    Style strings of a ``Text`` are parsed in Textual's syntax.
    """
    if isinstance(cell, str):
        return Content(safe.visible(cell))
    if safe.visible(cell.plain, len(cell.plain)) != cell.plain:
        return safe.text(cell.plain)
    if isinstance(cell, Content):
        return cell
    spans = [Span(start, end, _textual_style(style)) for start, end, style in cell.spans]
    if cell.style:
        spans.insert(0, Span(0, len(cell.plain), _textual_style(cell.style)))
    return Content(cell.plain, spans)


def _textual_style(style: str | RichStyle) -> str | Style:
    return style if isinstance(style, str) else Style.from_rich_style(style)


def plain_text(cell: CellContent) -> str:
    """Return the text of a cell as shown, before any cut."""
    return safe.visible(cell if isinstance(cell, str) else cell.plain)


def fit_cell(
    cell: Content, cells: int, align: Align, base: Style, app: App[object]
) -> list[StyledRun]:
    """Draw content over ``base`` in exactly ``cells`` cells.

    A style that Textual cannot parse is ignored.
    """
    cut = cell.truncate(cells, ellipsis=True)
    padding = (" " * (cells - cut.cell_length), base)
    runs = list(cut.render(base, end="", parse_style=lambda style: style_of(style, app)))
    return [padding, *runs] if align == "right" else [*runs, padding]


def cursor_bar(at_cursor: bool) -> str:
    """Return the cell before a row, which marks the cursor's row."""
    return "▌" if at_cursor else " "


def style_of(style: str | Style, app: App[object]) -> Style:
    """Parse a style such as ``$error bold`` in the app's theme.

    Returns the null style if parsing fails: a misspelled style must not crash the app.
    """
    try:
        return app.stylesheet.parse_style(style)
    except Exception:  # Textual raises several unrelated kinds
        return Style.null()


def to_strip(runs: Iterable[StyledRun], cells: int, base: Style) -> Strip:
    """Make a line of exactly ``cells`` cells, filled with ``base``."""
    segments = [Segment(text, style.rich_style) for text, style in runs if text]
    return Strip(segments).adjust_cell_length(cells, base.rich_style)


def match_spans(pattern: re.Pattern[str], text: str) -> Sequence[tuple[int, int]]:
    """Return the spans of all non-empty matches."""
    if not pattern.search(text):  # most texts have none, and this is faster than an iterator
        return ()
    return [match.span() for match in pattern.finditer(text) if match.end() > match.start()]
