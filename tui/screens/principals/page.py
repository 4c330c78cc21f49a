"""The page of a principal: its days, regions and usual values, and its tree of sessions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence

from textual.content import Content
from textual.widget import Widget

from detector.detection.alert import Alert
from detector.detection.risk import load_risk_table
from detector.investigation.principal_page import (
    PrincipalPage,
    SessionNode,
    ValueDays,
    principal_page,
)
from detector.investigation.principal_risk import risk_by_day
from detector.investigation.principals import RISK_WINDOW, PrincipalRow, actor_of
from detector.store import StateError
from detector.text.abbreviations import short_arn
from detector.text.time import DAY, format_time
from tui.concurrency.worker import work
from tui.keymap import OPEN, explain_key, key
from tui.model.callers import caller_of_principal
from tui.presentation import format, safe
from tui.presentation.copy_formats import CopyFormat, value_formats
from tui.screens.base.alert_actions import PAGE_BINDINGS, AlertActions
from tui.screens.base.copy_actions import ReadingScreen
from tui.screens.base.fact_list import FactList, Line, facts
from tui.screens.base.hunts.attach_action import AttachAction, principal_findings
from tui.screens.base.row_actions import AlertsOfRows
from tui.screens.base.screen import breadcrumbs
from tui.screens.base.text_pane import Reader
from tui.screens.base.watch_action import WatchAction, offers_of
from tui.screens.principals.columns import (
    events_filter,
    note_summaries,
    principal_label,
    watched_values,
)
from tui.settings import config
from tui.widgets.line import CellContent

_DAYS_SHOWN = 14
_VALUES_SHOWN = 20
_BARS = " ▁▂▃▄▅▆▇█"


class PrincipalScreen(ReadingScreen):
    """Everything known about the principal of ``row``."""

    BINDINGS = [
        *PAGE_BINDINGS,
        *WatchAction.BINDINGS,
        *AttachAction.BINDINGS,
        explain_key(),
        key(
            "principal.events",
            "p",
            "events",
            "events",
            "Every call of the principal, from the logs",
            OPEN,
            show=True,
        ),
        key(
            "principal.alert",
            "e",
            "alert",
            "worst alert",
            "Open the worst alert of the principal",
            OPEN,
            show=True,
        ),
    ]

    AUTO_FOCUS = "Reader"

    def __init__(self, row: PrincipalRow) -> None:
        super().__init__()
        self._row = row
        self._page: PrincipalPage | None = None
        self.alert_actions = AlertActions(
            self,
            AlertsOfRows(self, self, lambda _: self._alerts()),
            lambda: None,
            lambda: [caller_of_principal(row)],
        )
        self.watch_action = WatchAction(self, lambda: offers_of(watched_values(row)))
        self.attaching = AttachAction(self, lambda: principal_findings([row]))

    def screen_title(self) -> CellContent:
        return breadcrumbs(("Principals", principal_label(self._row)), self.size.width)

    def compose_body(self) -> Iterable[Widget]:
        with Reader(id="principal"):
            yield FactList(id="entry")

    def on_mount(self) -> None:
        super().on_mount()
        self._read()

    def show(self) -> None:
        if self._page is not None:
            self.query_one(FactList).show(list(self._lines(self._page)))

    def targets(self) -> list[PrincipalRow]:
        """Return the principal, the only target of actions."""
        return [self._row]

    def has_marks(self) -> bool:
        """Return False: nothing can be marked."""
        return False

    def row_id(self, row: PrincipalRow) -> str:
        """Return the id of the principal."""
        return f"{row.kind} {row.name}"

    def advance(self) -> bool:
        """Return False: there is no next row."""
        return False

    def clear_marks(self) -> None:
        """Do nothing: there are no marks."""

    def copy_formats(self) -> Sequence[CopyFormat]:
        return value_formats("n", "name", [self._row.name])

    @work()
    async def _read(self) -> None:
        try:
            self._page = await asyncio.to_thread(
                principal_page, self.workspace.store, actor_of(self._row)
            )
        except StateError as error:
            self.workspace.say(str(error), severity="error")
            return
        self.show()

    def _alerts(self) -> list[Alert]:
        """Return the alerts of the principal, worst first."""
        known = map(self.workspace.view_model.current, self._row.alerts)
        alerts = [alert for alert in known if alert is not None]
        return sorted(alerts, key=lambda alert: (-alert.score, alert.first_event))

    def _lines(self, page: PrincipalPage) -> Iterator[Line]:
        row = self._row
        newest = self.workspace.view_model.newest or row.last
        yield safe.text(principal_label(row), "bold")
        yield from facts(
            ("principal", row.name),
            ("first seen", format.full_time(row.first_seen)),
            ("last call", format.full_time(row.last)),
            ("rhythm", row.rhythm or "too few days to tell"),
            ("risk", row.risk.sentence(newest)),
        )
        for alert in self._alerts():
            yield safe.text(
                f"{format.date_minute(alert.first_event)}  {alert.severity}  {alert.rule.name}"
            )
        yield from note_summaries(row, self.workspace.view_model.notes)
        yield from self._risk_lines(newest)
        yield from self._sessions(page)
        yield from _heading("Regions by day")
        yield from _region_lines(page)
        yield from _heading("Calls")
        yield from facts(
            ("usual", ", ".join(page.usual)),
            ("first time", ", ".join(page.first_time)),
        )
        yield from _value_lines(page.values["call"])
        for title, kind in (("Networks", "network"), ("Programs", "program")):
            yield from _heading(title)
            yield from _value_lines(page.values[kind])
        for title, kind in (("Access keys", "key"), ("Accounts called", "account")):
            if page.values[kind]:
                yield from _heading(title)
                yield from _value_lines(page.values[kind])

    def _risk_lines(self, newest: int) -> Iterator[Line]:
        """Yield the risk at the end of each of the last days, as bars."""
        table = load_risk_table(config.config_path().with_name("risk.toml"))
        by_day = risk_by_day(self._alerts(), newest, _DAYS_SHOWN, RISK_WINDOW, table)
        most = max(by_day.values())
        if most <= 0:
            return
        worst = max(by_day, key=lambda day: (by_day[day], day))
        yield from _heading("Risk by day")
        yield _muted(f"{'':16}{_days(min(by_day), max(by_day))}, one column per day")
        yield Content.assemble(
            " " * 16,
            ("".join(_bar(max(0, risk), most) for risk in by_day.values()), "$text-warning"),
            safe.text(
                f"  {by_day[max(by_day)]:,} now, at most {most:,} on {_day(worst)}",
                "$foreground-muted",
            ),
        )

    def _sessions(self, page: PrincipalPage) -> Iterator[Line]:
        yield from _heading("Opened by")
        yield from _tree_lines(page.opened_by, "◂ ")
        if not page.opened_by:
            yield _muted("no AssumeRole call for this principal was found")
        yield from _heading("Opened")
        yield from _tree_lines(page.opens, "▸ ")
        if not page.opens:
            yield _muted("no sessions opened")
        if page.left_out:
            yield _muted(f"{page.left_out:,} more sessions are not shown")
        sessions = page.values["session"]
        if sessions:
            yield from _heading("Sessions")
            yield from _value_lines(sessions)

    def action_events(self) -> None:
        row = self._row
        self.workspace.routes.open_events(events_filter(row), row.first, row.last + 1)

    def action_explain(self) -> None:
        self.workspace.routes.open_explanation(("Principals",), self._row.name)

    def action_alert(self) -> None:
        alerts = self._alerts()
        if not alerts:
            self.workspace.say("No alert of this principal")
            return
        ids = [alert.alert_id for alert in alerts]
        self.workspace.routes.open_alert(ids[0], ids)


def _muted(text: str) -> Content:
    return safe.text(text, "$foreground-muted")


def _heading(text: str) -> Iterator[Line]:
    yield Content("")
    yield Content.styled(text, "bold $accent")


def _tree_lines(nodes: Sequence[SessionNode], sign: str, depth: int = 0) -> Iterator[Content]:
    """Yield a line for each session, indented by its hops."""
    for node in nodes:
        name = short_arn(node.actor.name)
        if node.actor.session:
            name += f"/{node.actor.session}"
        times = ""
        if depth:
            times = f"  {format.date_minute(node.first)}"
            if node.last != node.first:
                times += f" to {format.date_minute(node.last)}"
        cut = ""
        if node.is_cut:
            cut = "  …"
        mark = ""
        if depth:
            mark = sign
        yield Content.assemble(
            "   " * depth, mark, safe.text(name), safe.text(times + cut, "$foreground-muted")
        )
        yield from _tree_lines(node.children, sign, depth + 1)


def _region_lines(page: PrincipalPage) -> Iterator[Content]:
    """Yield a line for each region: a bar for each of the last days, and the calls."""
    days = sorted(page.days)[-_DAYS_SHOWN:]
    if not page.region_days:
        yield _muted("no regions")
        return
    span = range(max(days[0], days[-1] - _DAYS_SHOWN + 1), days[-1] + 1)
    most = max(max(counts.values()) for counts in page.region_days.values())
    yield _muted(f"{'':16}{_days(span[0], span[-1])}, one column per day")
    for region, counts in page.region_days.items():
        bars = "".join(_bar(counts.get(day, 0), most) for day in span)
        first, last = min(counts), max(counts)
        yield Content.assemble(
            safe.text(f"{region:16}"),
            (bars, "$accent"),
            safe.text(
                f"  {sum(counts.values()):>9,} calls  {_days(first, last)}",
                "$foreground-muted",
            ),
        )


def _bar(count: int, most: int) -> str:
    if not count:
        return "·"
    return _BARS[max(1, round(count / most * (len(_BARS) - 1)))]


def _value_lines(values: Sequence[ValueDays]) -> Iterator[Content]:
    """Yield a line for each value: calls, failures, days, first and last day."""
    for each in values[:_VALUES_SHOWN]:
        failed = ""
        if each.failed:
            failed = f", {each.failed:,} failed"
        yield Content.assemble(
            safe.text(f"{each.calls:>9,}  "),
            safe.text(each.value),
            safe.text(
                f"  {format.plural(each.days, 'day')}{failed}, {_days(each.first, each.last)}",
                "$foreground-muted",
            ),
        )
    if len(values) > _VALUES_SHOWN:
        yield _muted(f"{len(values) - _VALUES_SHOWN:,} more")


def _days(first: int, last: int) -> str:
    """Format a day, or the first and last of several days."""
    if first == last:
        return _day(first)
    return f"{_day(first)} to {_day(last)}"


def _day(number: int) -> str:
    return format_time(number * DAY)[:10]
