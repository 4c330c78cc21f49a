"""The board of regions: where an alert was, or all alerts were, and how usual each region is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from textual import on
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from detector.cloudtrail.regions import Region, group_by_geography
from detector.detection.alert import Alert
from detector.detection.baseline import RegionHistory
from detector.store import Store
from tui.keymap import OPEN, key
from tui.presentation import format, safe
from tui.screens.base.breadcrumbs import breadcrumbs
from tui.screens.base.loading import LoadingScreen
from tui.widgets.charts.region_board import RegionBoard
from tui.widgets.line import CellContent


@dataclass(frozen=True)
class Told:
    """What is told of the regions: how many of ``noun`` each has and there are, and what was there
    before ``start``.

    ``known``: whether there is history enough to call a region new or rare.
    """

    noun: str
    total: int
    counts: Mapping[str, int]
    footing: Mapping[str, RegionHistory]
    start: int | None
    known: bool

    def word(self, region: str) -> str:
        """How usual the region is; nothing of one without a call that is not used."""
        if not self.known:
            return ""
        word = self.footing.get(region, RegionHistory()).label(self.start)
        return word if region in self.counts or word == "used" else ""


def of_alert(store: Store, alert: Alert) -> Told:
    """The calls of an alert. Raises StateError."""
    start = alert.start
    counts = Counter(event.region for event in store.alerts.events(alert.alert_id))
    return Told(
        "call",
        counts.total(),
        counts,
        store.baseline.footprint(alert.facets.accounts, alert.principal),
        start,
        alert.baseline is not None and alert.baseline.has_enough_history(start),
    )


def of_alerts(store: Store, alerts: Sequence[Alert]) -> Told:
    """How many of the alerts touched each region. Raises StateError."""
    counts = Counter(region for alert in alerts for region in alert.facets.regions)
    return Told("alert", len(alerts), counts, store.baseline.footprint(()), None, True)


class BoardScreen(LoadingScreen[Told]):
    """``ask`` gives what is told now, in a thread; ``choose`` hears of the region that is
    opened."""

    BINDINGS = [
        key(
            "board.close",
            "b",
            "leave",
            "close",
            "Back to where the board was opened",
            OPEN,
            show=True,
        )
    ]

    AUTO_FOCUS = "RegionBoard"

    def __init__(
        self, trail: Sequence[str], ask: Callable[[], Told], choose: Callable[[str], object]
    ) -> None:
        super().__init__()
        self._trail = (*trail, "regions")
        self._ask = ask
        self._choose = choose
        self._told: Told | None = None

    def screen_title(self) -> CellContent:
        return breadcrumbs(self._trail, self.size.width)

    def compose_body(self) -> Iterable[Widget]:
        yield Static("", id="legend", classes="line")
        yield RegionBoard()
        yield Static("", id="region")

    def loader(self) -> Callable[[], Told]:
        return self._ask

    def show_content(self, content: Told) -> None:
        self._told = content
        shown = self.query_one(RegionBoard)
        groups = group_by_geography(content.counts)
        shown.load(
            groups,
            content.counts,
            {name: content.word(name) for name in {*content.counts, *content.footing}},
        )
        self.query_one("#legend", Static).update(
            Content.assemble(
                f"{format.plural(len(content.counts), 'region')}, {format.plural(content.total, content.noun)}",
                (
                    " · + opt-in · "
                    + (
                        "rare: nothing changed there before"
                        if content.known
                        else "too little history to call one rare"
                    ),
                    "$foreground-muted",
                ),
            )
        )
        self._describe()

    @on(RegionBoard.Moved)
    def _describe(self) -> None:
        region = self.query_one(RegionBoard).cursor_region
        if self._told is not None and region is not None:
            self.query_one("#region", Static).update(safe.text(_described(region, self._told)))

    @on(RegionBoard.Opened)
    def _opened(self, event: RegionBoard.Opened) -> None:
        if self._told is None or event.region.name not in self._told.counts:
            self.workspace.say(f"Nothing of this was in {event.region.name}")
        else:
            self.workspace.leave()
            self._choose(event.region.name)


def _described(region: Region, told: Told) -> str:
    """One region in words: what and where it is, what was in it, since when it is used."""
    footing = told.footing.get(region.name, RegionHistory())
    optional = {True: "off until an account enables it", False: "on in every account", None: ""}[
        region.opt_in
    ]
    since = [
        f"{what} since {format.full_time(first)}"
        for what, first in (
            ("seen", footing.seen),
            ("changed", footing.changed),
            ("by this principal", footing.principal),
        )
        if first is not None
    ]
    return " · ".join(
        filter(
            None,
            (
                region.name or "no region",
                region.place or region.geography,
                optional,
                format.plural(told.counts.get(region.name, 0), told.noun),
                ", ".join(since) or "never seen",
            ),
        )
    )
