"""A raw record, for reading; and byte-true, to take out."""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len, chop_cells
from textual.strip import Strip

from tui import safe
from tui.keymap import MOVE, key
from tui.widgets.json_text import Line, layout
from tui.widgets.line import strip
from tui.widgets.line_scroll import LineScroll

_HANG = 4
"""Cells that a wrapped line goes on further right than it began."""


class JsonView(LineScroll, can_focus=True, inherit_bindings=False):
    """JSON coloured by kind of value, wrapped to the width. Long strings are cut; ``raw_text`` has them whole."""

    COMPONENT_CLASSES = {
        "json-view--plain",
        "json-view--key",
        "json-view--string",
        "json-view--number",
        "json-view--word",
        "json-view--note",
    }

    DEFAULT_CSS = """
    JsonView {
        & > .json-view--plain { color: $foreground-muted; }
        & > .json-view--key { color: $foreground-muted; }
        & > .json-view--string { color: $foreground; }
        & > .json-view--number { color: $text-accent; }
        & > .json-view--word { color: $text-accent; }
        & > .json-view--note { color: $text-warning; text-style: italic; }
    }
    """

    BINDINGS = [
        key("text.down", "j,down", "scroll_by(1)", "down", "A line down", MOVE),
        key("text.up", "k,up", "scroll_by(-1)", "up", "A line up", MOVE),
        key("text.first", "g,home", "scroll_first", "first", "First line", MOVE),
        key("text.last", "G,end", "scroll_last", "last", "Last line", MOVE),
        key("text.half-page-down", "ctrl+d", "scroll_pages(0.5)", "half page down", "Half a page down", MOVE),
        key("text.half-page-up", "ctrl+u", "scroll_pages(-0.5)", "half page up", "Half a page up", MOVE),
        key("text.page-down", "pagedown", "scroll_pages(1)", "page down", "A page down", MOVE),
        key("text.page-up", "pageup", "scroll_pages(-1)", "page up", "A page up", MOVE),
    ]

    def __init__(self, *, name: str | None = None, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._raw: bytes | None = None
        self._lines: list[Line] = []
        self._wrapped: list[Line] = []

    def show(self, raw: bytes | None, empty: str = "No record.") -> None:
        """Show ``raw``, one JSON value, from its first line on; None: say ``empty`` (which may quote a log) instead."""
        self._raw = raw
        self._lines = [[(safe.visible(empty), "plain")]] if raw is None else layout(raw)
        self._wrap()
        self.scroll_top(0)

    @property
    def raw_text(self) -> str:
        """The record as it is in the file, to copy; bytes that are no UTF-8 as ``\\xff``."""
        return (self._raw or b"").decode("utf-8", "backslashreplace")

    def action_scroll_by(self, lines: int) -> None:
        self.scroll_top(self.top + lines)

    def action_scroll_first(self) -> None:
        self.scroll_top(0)

    def action_scroll_last(self) -> None:
        self.scroll_top(len(self._wrapped))

    def action_scroll_pages(self, pages: float) -> None:
        self.action_scroll_by(int(self.page * pages) or (1 if pages > 0 else -1))

    def on_resize(self) -> None:
        self._wrap()

    def _wrap(self) -> None:
        cells = max(1, self.cells)
        self._wrapped = [part for line in self._lines for part in _wrapped(line, cells)]
        self.set_rows(len(self._wrapped))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        row = self.top + y
        line = self._wrapped[row] if row < len(self._wrapped) else []
        drawn = [(text, self.get_visual_style(f"json-view--{kind}")) for text, kind in line]
        return strip(drawn, self.cells, self.visual_style)


def _wrapped(line: Line, cells: int) -> Iterator[Line]:
    """``line`` in parts of at most ``cells`` cells, the later ones under the first, a little to the right."""
    if sum(cell_len(text) for text, _ in line) <= cells:
        yield line
        return
    first = line[0][0]
    hang = min(len(first) - len(first.lstrip(" ")) + _HANG, cells // 2)
    part: Line = []
    room = cells
    for text, kind in line:
        if cell_len(text) > room:
            head = chop_cells(text, room)[0] if room > 0 else ""
            yield [*part, (head, kind)]
            *full, text = chop_cells(text[len(head) :], cells - hang)
            part, room = [(" " * hang, "plain")], cells - hang
            yield from ([*part, (chunk, kind)] for chunk in full)
        part.append((text, kind))
        room -= cell_len(text)
    yield part
