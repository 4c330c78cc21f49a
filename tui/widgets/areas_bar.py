"""The first line of every screen: the areas, by key, and whether the data is live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widget import Widget

_BETWEEN = "  "
_GAP = 3
"""Blank cells before the status, and between two of its items."""


@dataclass(frozen=True)
class Area:
    """An area as the line names it.

    ``count`` is a number or a glyph, ``""`` for none; ``style`` is the style of the count.
    """

    name: str
    key: str
    title: str
    short_title: str
    count: str = ""
    style: str = ""


class AreasBar(Widget):
    """The areas at the left, the one in front in bold; the status at the right.

    As the width shrinks, the bar drops the app's name, then the later status items, then long
    titles, then counts, then blanks.
    """

    ALLOW_SELECT = False

    COMPONENT_CLASSES = {"areas-bar--front", "areas-bar--other", "areas-bar--key"}

    DEFAULT_CSS = """
    AreasBar {
        height: 1;
        & > .areas-bar--front { color: $accent; text-style: bold; }
        & > .areas-bar--other { color: $foreground-muted; }
        & > .areas-bar--key { color: $footer-key-foreground; text-style: bold; }
    }
    """

    @dataclass
    class Chosen(Message):
        """A click on an area."""

        name: str

    def __init__(self) -> None:
        super().__init__()
        self._areas: Sequence[Area] = ()
        self._front = ""
        self._status: Sequence[Content] = ()

    def show(self, areas: Sequence[Area], front: str, status: Sequence[Content]) -> None:
        """Show areas, ``front`` in bold, and status items, the most important first."""
        shown = (areas, front, status)
        if shown != (self._areas, self._front, self._status):
            self._areas, self._front, self._status = shown
            self.refresh()

    def render(self) -> Content:
        cells = self.size.width
        left = self._left(cells)
        right = Content("")
        for count in range(len(self._status), 0, -1):
            right = Content(" " * _GAP).join(self._status[:count])
            if left.cell_length + _GAP + right.cell_length <= cells:
                break
        room = cells - left.cell_length - _GAP
        right = right.truncate(max(0, room), ellipsis=True)
        padding = " " * (cells - left.cell_length - right.cell_length)
        return Content.assemble(left, padding, right)

    def _left(self, cells: int) -> Content:
        """Return the widest form that leaves room for the first items of the status."""
        left = Content("")
        for count, form in _FORMS:
            left = self._form(*form)
            wanted = sum(item.cell_length + _GAP for item in self._status[:count])
            if left.cell_length + wanted <= cells:
                return left
        return left.truncate(cells, ellipsis=True)

    def _form(self, named: bool, counted: bool, short: bool, between: str) -> Content:
        parts = [Content.styled("trailhound", "bold")] if named else []
        for area in self._areas:
            style = self.get_visual_style(f"areas-bar--{self._place(area)}")
            title = area.short_title if short else area.title
            key = (area.key, self.get_visual_style("areas-bar--key"))
            count = Content("")
            if area.count and (counted or not area.count[0].isdigit()):
                count = Content.assemble(" ", (area.count, area.style or style))
            parts.append(Content.assemble(key, (f" {title}", style), count))
        return Content(between).join(parts)

    def _place(self, area: Area) -> str:
        if area.name == self._front:
            return "front"
        return "other"

    def on_click(self, event: events.Click) -> None:
        offset = event.get_content_offset(self)
        if offset is None:
            return
        # Blanks before a key distinguish it from a count's digit; without counts, one is enough.
        left = self._left(self.size.width).plain
        between = _BETWEEN if _BETWEEN in left else " "
        text = between + left
        starts = []
        position = 0
        for area in self._areas:
            position = text.find(f"{between}{area.key} ", position)
            starts.append((position, area.name))
        for start, name in reversed(starts):
            if 0 <= start <= offset.x:
                self.post_message(self.Chosen(name))
                return


_FORMS = (
    (2, (True, True, False, _BETWEEN)),
    (2, (False, True, False, _BETWEEN)),
    (1, (False, True, False, _BETWEEN)),
    (1, (False, True, True, _BETWEEN)),
    (1, (False, False, True, _BETWEEN)),
    (1, (False, False, True, " ")),
)
"""The forms of the bar, widest first: the number of status items that must fit; then whether the
app is named, areas are counted and titles are short, and the text between two areas."""
