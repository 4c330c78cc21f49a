"""A text wrapped into the lines that it has room for."""

from __future__ import annotations

from textual.content import Content
from textual.geometry import Size
from textual.widgets import Static


class WrappedText(Static):
    """Content wrapped to the width, ended by ``…`` where cut."""

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        return len(self._lines(width))

    def render(self) -> Content:
        cells, height = self.content_size
        lines = self._lines(cells)
        if len(lines) > height > 0:
            last = Content(" ").join(lines[height - 1 :]).truncate(cells, ellipsis=True)
            if last.plain.endswith("……"):  # the cut came right after a key that was cut short
                last = last[:-1]
            lines[height - 1 :] = [last]
        return Content("\n").join(lines)

    def _lines(self, cells: int) -> list[Content]:
        assert isinstance(self.content, Content)
        return self.content.wrap(cells) if cells > 0 else []
