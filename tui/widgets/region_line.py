"""The regions of an alert on one line, by short names."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from textual.content import Content
from textual.widget import Widget

from tui.presentation import safe

_SHORT_DIRECTIONS = {
    "north": "n", "northeast": "ne", "east": "e", "southeast": "se",
    "south": "s", "southwest": "sw", "west": "w", "northwest": "nw", "central": "c",
}  # fmt: skip

_SEPARATOR = " ▪ "


def short_region(region: str) -> str:
    """Shorten ``ap-northeast-1`` to ``ap-ne-1``.

    Only the compass word is shortened, so no two regions get one name in any partition:
    ``us-gov-east-1`` is ``us-gov-e-1``. Other text stays as it is.
    """
    return "-".join(_SHORT_DIRECTIONS.get(word, word) for word in region.split("-"))


class RegionLine(Widget):
    """Regions as ``af-s-1 unusual ▪ ap-ne-1 … +14``, as many as fit."""

    DEFAULT_CSS = "RegionLine { height: 1; color: $foreground-muted; }"

    def __init__(self) -> None:
        super().__init__()
        self._regions: list[Content] = []

    def show(self, regions: Sequence[str], rare: Collection[str] = ()) -> None:
        """Show regions in this order, the ``rare`` ones before the others."""
        order = sorted(regions, key=lambda region: region not in rare)
        self._regions = [_region_content(region, region in rare) for region in order]
        self.refresh()

    def render(self) -> Content:
        cells = self.size.width
        for count in range(len(self._regions), 0, -1):
            line = self._line(count)
            if line.cell_length <= cells:
                return line
        if not self._regions:
            return Content("")
        return Content(safe.clip(f"{len(self._regions)} regions", cells))

    def _line(self, count: int) -> Content:
        separator = Content.styled(_SEPARATOR, "$foreground-disabled")
        line = separator.join(self._regions[:count])
        more = len(self._regions) - count
        if more:
            return Content.assemble(line, f" … +{more}")
        return line


def _region_content(region: str, rare: bool) -> Content:
    name = safe.clip(safe.visible(short_region(region)), 20) or "–"
    if rare:
        return Content.styled(f"{name} unusual", "$text-warning")
    return Content.styled(name, "$foreground")
