"""A text in the lines that there are for it."""

from __future__ import annotations

from textual.content import Content
from textual.geometry import Size
from textual.widgets import Static


class WrappedText(Static):
    """Wraps its content to its own width; ``…`` stands for what there is no room for."""

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        return len(self._lines(width))

    def render(self) -> Content:
        cells, room = self.content_size
        lines = self._lines(cells)
        if len(lines) > room > 0:
            last = Content(" ").join(lines[room - 1 :]).truncate(cells, ellipsis=True)
            lines[room - 1 :] = [
                last[:-1] if last.plain.endswith("……") else last
            ]  # a key was cut short before
        return Content("\n").join(lines)

    def _lines(self, cells: int) -> list[Content]:
        assert isinstance(self.content, Content)
        return self.content.wrap(cells) if cells > 0 else []
