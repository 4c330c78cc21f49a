"""Lines with a label at the left and a tag at the right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from textual.content import Content
from textual.widget import Widget

from tui.presentation import safe

_LABEL_CELLS = 6
_GAP = 3
"""Minimum number of blank cells before a tag."""


class LabelledLine(NamedTuple):
    """A label from our own code, a text that may quote a log, and a tag at the right end.

    ``short_tag`` replaces the tag if text and tag do not fit on one line.
    """

    label: str
    text: str
    tag: str = ""
    short_tag: str = ""


class LabelledLines(Widget):
    """As many lines as there are labels, each wrapped to at most ``max_lines``.

    A text that is too long ends in ``…``. A line without text is blank.
    """

    DEFAULT_CSS = "LabelledLines { height: auto; }"

    def __init__(self, labels: Sequence[str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._lines = [LabelledLine(label, "") for label in labels]
        self.max_lines = 1

    @property
    def lines(self) -> Sequence[LabelledLine]:
        """The lines as last shown."""
        return self._lines

    def show(self, *lines: LabelledLine) -> None:
        """Show these lines, replacing those with the same labels."""
        by_label = {line.label: line for line in lines}
        shown = [by_label.get(line.label, line) for line in self._lines]
        if shown != self._lines:
            self._lines = shown
            self.refresh(layout=self.max_lines > 1)

    def clear(self) -> None:
        """Blank all lines."""
        self.show(*(LabelledLine(line.label, "") for line in self._lines))

    def get_content_height(self, container: object, viewport: object, width: int) -> int:  # noqa: ARG002
        return sum(len(self._wrapped(line, width)) for line in self._lines)

    def render(self) -> Content:
        cells = self.content_size.width
        return Content("\n").join(
            part for line in self._lines for part in self._wrapped(line, cells)
        )

    def _wrapped(self, line: LabelledLine, cells: int) -> list[Content]:
        if not line.text:
            return [Content("")]
        text = safe.text(line.text)
        tag = safe.text(line.tag, "$foreground-muted")
        if line.short_tag and _LABEL_CELLS + text.cell_length + _GAP + tag.cell_length > cells:
            tag = safe.text(line.short_tag, "$foreground-muted")
        tag_cells = tag.cell_length + _GAP if line.tag else 0
        room = max(8, cells - _LABEL_CELLS - tag_cells)
        wrapped = text.wrap(room)
        shown = wrapped[: self.max_lines]
        if len(wrapped) > self.max_lines:
            rest = Content(" ").join(wrapped[self.max_lines - 1 :])
            shown[-1] = rest.truncate(room, ellipsis=True)
        label = Content.styled(line.label.ljust(_LABEL_CELLS), "$foreground-muted")
        first = Content.assemble(label, shown[0])
        if line.tag and first.cell_length + tag_cells <= cells:
            padding = " " * (cells - first.cell_length - tag.cell_length)
            first = Content.assemble(first, padding, tag)
        return [first, *(part.pad_left(_LABEL_CELLS) for part in shown[1:])]
