"""A scrollable area drawn line by line below a fixed header."""

from __future__ import annotations

from typing import ClassVar

from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.style import Style


class LineScroll(ScrollView, inherit_bindings=False):
    """Rows that scroll up and down below ``HEADER`` fixed lines."""

    HEADER: ClassVar[int] = 0

    ALLOW_SELECT = False

    DEFAULT_CSS = """
    LineScroll {
        height: 1fr;
        overflow-x: hidden;
        overflow-y: auto;
        scrollbar-gutter: stable;
        scrollbar-size-vertical: 1;
        scrollbar-color: $scrollbar;
        scrollbar-color-hover: $scrollbar-hover;
        scrollbar-color-active: $accent;
        scrollbar-background: $foreground 4%;
        scrollbar-background-hover: $foreground 4%;
        scrollbar-background-active: $foreground 4%;
        &:focus { background-tint: transparent; }
    }
    """

    def __init__(
        self, *, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        self._part_styles: dict[str, Style] = {}
        super().__init__(name=name, id=id, classes=classes)

    @property
    def cells(self) -> int:
        """The width of a line in cells, without the scrollbar."""
        return self.scrollable_size.width

    @property
    def top(self) -> int:
        """The first row in view."""
        return round(self.scroll_y)

    @property
    def page(self) -> int:
        """The number of rows in view."""
        return max(1, self.size.height - self.HEADER)

    def in_view(self, row: int) -> bool:
        return self.top <= row < self.top + self.page

    def set_rows(self, count: int) -> None:
        """Set the number of rows."""
        self.virtual_size = Size(0, count + self.HEADER)

    def scroll_top(self, row: int) -> None:
        """Scroll ``row`` to the top, or as far as the end allows."""
        # force: before the next layout Textual may still think that all rows fit, and not scroll
        self.scroll_to(y=row, animate=False, force=True)

    def reveal(self, row: int) -> None:
        """Scroll just far enough to bring ``row`` into view."""
        if row < self.top:
            self.scroll_top(row)
        elif not self.in_view(row):
            self.scroll_top(row - self.page + 1)

    def refresh_row(self, row: int) -> None:
        self.refresh_line(row + self.HEADER)

    def row_style(self, component: str, applies: bool) -> Style:
        """Return the style of a component class, or the widget's own."""
        if applies:
            return self.get_visual_style(component)
        return self.visual_style

    def part(self, component: str) -> Style:
        """Return the styles that a component class itself sets.

        Textual's own ``get_visual_style(partial=True)`` loses opaque backgrounds and automatic
        colors.
        """
        style = self._part_styles.get(component)
        if style is None:
            style = self._part_styles[component] = self._part_style(component)
        return style

    def _part_style(self, component: str) -> Style:
        visual = self.get_visual_style(component)
        rules = self.get_component_styles(component)
        return Style(
            background=visual.background if rules.has_rule("background") else None,
            foreground=visual.foreground if rules.has_rule("color") else None,
            bold=rules.text_style.bold,
            italic=rules.text_style.italic,
            underline=rules.text_style.underline,
            reverse=rules.text_style.reverse,
        )

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._part_styles.clear()
