"""The regions of alerts, and how usual each is."""

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
from tui.screens.base.loading import LoadingScreen
from tui.screens.base.screen import breadcrumbs
from tui.widgets.charts.region_board import RegionBoard
from tui.widgets.line import CellContent


@dataclass(frozen=True)
class RegionCounts:
    """The number of calls or alerts in each region, and the regions' histories.

    ``noun`` names what is counted. The history lies before ``start``. ``has_history`` tells whether
    there is enough of it to call a region new or unusual.
    """

    noun: str
    total: int
    counts: Mapping[str, int]
    histories: Mapping[str, RegionHistory]
    start: int | None
    has_history: bool

    def label(self, region: str) -> str:
        """Return how usual the region is.

        A region without a count only ever gets the label ``used``.
        """
        if not self.has_history:
            return ""
        label = self.histories.get(region, RegionHistory()).label(self.start)
        if region in self.counts or label == "used":
            return label
        return ""


def count_calls(store: Store, alert: Alert) -> RegionCounts:
    """Count the calls of an alert by region. Raises StateError."""
    start = alert.start
    counts = Counter(event.region for event in store.alerts.events(alert.alert_id))
    histories = store.baseline.footprint(alert.facets.accounts, alert.principal)
    has_history = alert.baseline is not None and alert.baseline.has_enough_history(start)
    return RegionCounts("call", counts.total(), counts, histories, start, has_history)


def count_alerts(store: Store, alerts: Sequence[Alert]) -> RegionCounts:
    """Count the alerts that touched each region. Raises StateError."""
    counts: Counter[str] = Counter()
    for alert in alerts:
        counts.update(alert.facets.regions)
    histories = store.baseline.footprint(())
    return RegionCounts("alert", len(alerts), counts, histories, None, has_history=True)


class RegionBoardScreen(LoadingScreen[RegionCounts]):
    """The regions by geography, with their counts.

    ``count`` is called in a thread; ``choose`` is called with the name of an opened region.
    """

    BINDINGS = [
        key(
            "board.close",
            "b",
            "leave",
            "close",
            "Back",
            OPEN,
            show=True,
        )
    ]

    AUTO_FOCUS = "RegionBoard"

    def __init__(
        self,
        trail: Sequence[str],
        count: Callable[[], RegionCounts],
        choose: Callable[[str], object],
    ) -> None:
        super().__init__()
        self._trail = (*trail, "regions")
        self._count = count
        self._choose = choose
        self._counts: RegionCounts | None = None

    def screen_title(self) -> CellContent:
        return breadcrumbs(self._trail, self.size.width)

    def compose_body(self) -> Iterable[Widget]:
        yield Static("", id="legend", classes="line")
        yield RegionBoard()
        yield Static("", id="region")

    def loader(self) -> Callable[[], RegionCounts]:
        return self._count

    def show_content(self, content: RegionCounts) -> None:
        self._counts = content
        labels = {name: content.label(name) for name in {*content.counts, *content.histories}}
        self.query_one(RegionBoard).load(group_by_geography(content.counts), content.counts, labels)
        self.query_one("#legend", Static).update(_legend(content))
        self._describe()

    @on(RegionBoard.Moved)
    def _describe(self) -> None:
        region = self.query_one(RegionBoard).cursor_region
        if self._counts is not None and region is not None:
            self.query_one("#region", Static).update(safe.text(_described(region, self._counts)))

    @on(RegionBoard.Opened)
    def _opened(self, event: RegionBoard.Opened) -> None:
        if self._counts is None:
            return
        name = event.region.name
        if name in self._counts.counts:
            self.workspace.leave()
            self._choose(name)
        else:
            self.workspace.say(f"No {self._counts.noun}s in {name}")


def _legend(counts: RegionCounts) -> Content:
    regions = format.plural(len(counts.counts), "region")
    history = "not enough history"
    if counts.has_history:
        history = "! unusual: no previous changes there"
    return Content.assemble(
        f"{regions}, {format.plural(counts.total, counts.noun)}",
        (f" · + opt-in region · {history}", "$foreground-muted"),
    )


_OPT_IN = {True: "disabled by default", False: "enabled by default", None: ""}


def _described(region: Region, counts: RegionCounts) -> str:
    """Describe a region: its place, its count and its history."""
    history = counts.histories.get(region.name, RegionHistory())
    first_times = (
        ("seen", history.seen),
        ("changed", history.changed),
        ("by this principal", history.principal),
    )
    since = [
        f"{what} since {format.full_time(time)}" for what, time in first_times if time is not None
    ]
    parts = (
        region.name or "no region",
        region.city or region.geography,
        _OPT_IN[region.opt_in],
        format.plural(counts.counts.get(region.name, 0), counts.noun),
        ", ".join(since) or "never seen",
    )
    return " · ".join(filter(None, parts))
