"""The regions of an alert on one line, by short names."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from textual.content import Content
from textual.widget import Widget

from tui.presentation import safe

_WAY = {
    "north": "n", "northeast": "ne", "east": "e", "southeast": "se",
    "south": "s", "southwest": "sw", "west": "w", "northwest": "nw", "central": "c",
}  # fmt: skip

_SEPARATOR = " ▪ "


def short_region(region: str) -> str:
    """``ap-northeast-1`` -> ``ap-ne-1``. Only the compass word is shortened, so no two regions get
    one name, in any partition: ``us-gov-east-1`` is ``us-gov-e-1``. What is no region name stays as
    it is."""
    return "-".join(_WAY.get(word, word) for word in region.split("-"))


class RegionLine(Widget):
    """``af-s-1 rare ▪ ap-ne-1 ▪ us-e-1 … +14``: as many as fit, and how many more there are."""

    DEFAULT_CSS = "RegionLine { height: 1; color: $foreground-muted; }"

    def __init__(self) -> None:
        super().__init__()
        self._regions: list[Content] = []

    def show(self, regions: Sequence[str], rare: Collection[str] = ()) -> None:
        """``regions`` in the order to show; the ``rare`` ones, hardly used by the account, come
        before the others."""
        order = sorted(regions, key=lambda region: region not in rare)
        self._regions = [_named(region, region in rare) for region in order]
        self.refresh()

    def render(self) -> Content:
        cells = self.size.width
        fitting = len(self._regions)
        while fitting and (line := self._line(fitting)).cell_length > cells:
            fitting -= 1
        return (
            line
            if fitting
            else Content(safe.clip(f"{len(self._regions)} regions" if self._regions else "", cells))
        )

    def _line(self, fitting: int) -> Content:
        line = Content.styled(_SEPARATOR, "$foreground-disabled").join(self._regions[:fitting])
        more = len(self._regions) - fitting
        return Content.assemble(line, f" … +{more}") if more else line


def _named(region: str, rare: bool) -> Content:
    name = safe.clip(safe.visible(short_region(region)), 20) or "–"
    return (
        Content.styled(f"{name} rare", "$text-warning")
        if rare
        else Content.styled(name, "$foreground")
    )
