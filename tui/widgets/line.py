"""From cells of text to the finished line of a list: visible, clipped, aligned, styled."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from rich.segment import Segment
from rich.text import Text
from textual.app import App
from textual.content import Content, Span
from textual.strip import Strip
from textual.style import Style

from tui.presentation import safe

CellContent = str | Content | Text
"""What a cell may hold: log text as ``str``; or text that is styled and already visible."""

StyledRun = tuple[str, Style]
"""A run of text in one style."""

Align = Literal["left", "right"]


def as_content(cell: CellContent) -> Content:
    """``cell`` as content that is visible whatever it came from. Style strings of a ``Text`` are
    read as Textual's."""
    if isinstance(cell, str):
        return Content(safe.visible(cell))
    if safe.visible(cell.plain, len(cell.plain)) != cell.plain:
        return safe.text(cell.plain)
    if isinstance(cell, Content):
        return cell
    spans = [(0, len(cell.plain), cell.style), *cell.spans] if cell.style else cell.spans
    return Content(
        cell.plain,
        [
            Span(start, end, of if isinstance(of, str) else Style.from_rich_style(of))
            for start, end, of in spans
        ],
    )


def plain_text(cell: CellContent) -> str:
    """The letters of ``cell`` as they are shown, before any cut."""
    return safe.visible(cell if isinstance(cell, str) else cell.plain)


def fit_cell(
    cell: Content, cells: int, align: Align, base: Style, app: App[object]
) -> list[StyledRun]:
    """``cell`` in exactly ``cells`` cells, over ``base``. A style that Textual cannot read is left
    out."""
    shown = cell.truncate(cells, ellipsis=True)
    blank = (" " * (cells - shown.cell_length), base)
    drawn = list(shown.render(base, end="", parse_style=lambda style: style_of(style, app)))
    return [blank, *drawn] if align == "right" else [*drawn, blank]


def style_of(style: str | Style, app: App[object]) -> Style:
    """A style of ours (``$error bold``) in the app's theme; the null style where it cannot be
    read."""
    try:
        return app.stylesheet.parse_style(style)
    except (
        Exception
    ):  # Textual raises several unrelated kinds; a misspelt style must not take the app down
        return Style.null()


def to_strip(drawn: Iterable[StyledRun], cells: int, base: Style) -> Strip:
    """The line: ``drawn``, cut or filled with ``base`` to exactly ``cells`` cells."""
    segments = [Segment(text, style.rich_style) for text, style in drawn if text]
    return Strip(segments).adjust_cell_length(cells, base.rich_style)


def match_spans(pattern: re.Pattern[str], text: str) -> Sequence[tuple[int, int]]:
    """Where ``pattern`` is found in ``text``; empty matches are none."""
    if not pattern.search(text):  # as in most texts, and sooner told than by an iterator
        return ()
    return [found.span() for found in pattern.finditer(text) if found.end() > found.start()]
