"""The line above the list of alerts."""

from __future__ import annotations

from collections.abc import Iterable

from textual.containers import Horizontal
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from tui.keymap import key_of
from tui.model.workspace import Workspace
from tui.presentation import format
from tui.screens.alerts.rows import AlertRows
from tui.screens.base.screen import ScreenPart
from tui.widgets.charts.sparkline import TimeSparkline
from tui.widgets.row_list import RowList

_DAY = 86_400


class AlertsHeader(ScreenPart):
    """A sparkline of the data's last day, and the counts of the list."""

    def compose(self) -> Iterable[Widget]:
        """Yield the widgets of the line."""
        with Horizontal(classes="line"):
            yield TimeSparkline()
            yield Static("", id="counts")

    def show_counts(self, rows: AlertRows, *, hidden_shown: bool) -> None:
        """Show how many alerts there are, both listed and not listed."""
        row_list = self.screen.query_one(RowList)
        line = counts_line(
            rows,
            here=len(row_list.rows),
            marked=len(row_list.marks),
            following=row_list.follow_top,
            hidden_shown=hidden_shown,
        )
        self.screen.query_one("#counts", Static).update(line)

    def show_sparkline(self, rows: AlertRows) -> None:
        """Show the times of the alerts in the data's last day."""
        newest = max(rows.times, default=0)
        start, label = newest + 1 - _DAY, ""
        if rows.times:
            start = max(start, min(rows.times))
            label = f"{format.date_minute(start)[-5:]}–{format.date_minute(newest)[-5:]}"
        self.screen.query_one(TimeSparkline).load(rows.times, start, newest + 1, label)


def counts_line(
    rows: AlertRows, *, here: int, marked: int, following: bool, hidden_shown: bool
) -> Content:
    """Return the counts of the list.

    For example ``12 alerts in 9 rows · ◆2 ○10 · 2 resolved · 1 suppressed``.
    """
    hidden = rows.closed or rows.suppressed
    parts = [
        (f"+{format.number(rows.held_back)} new", "$text-accent bold", rows.held_back),
        (f"{format.number(marked)} marked", "$text-accent bold", marked),
        ("follow", "$text-accent", following),
        (_total(len(rows.matching), len(rows.shown), here), "", True),
        (_severities(rows), "$foreground-muted", here),
        (f"{format.number(rows.closed)} resolved", "$foreground-muted", rows.closed),
        (f"{format.number(rows.suppressed)} suppressed", "$foreground-muted", rows.suppressed),
        (
            f"{key_of('alerts.hidden')} {'hides' if hidden_shown else 'shows'} them",
            "$foreground-muted",
            hidden,
        ),
    ]
    return Content(" · ").join(
        Content.styled(text, style) for text, style, is_shown in parts if is_shown
    )


def _total(matching: int, shown: int, here: int) -> str:
    """Return how many of ``shown`` alerts match the filter, and in how many rows (``here``)."""
    alerts = format.plural(shown, "alert")
    if matching != shown:
        alerts = f"{format.number(matching)} of {alerts}"
    if here == matching:
        return alerts
    return f"{alerts} in {format.plural(here, 'row')}"


def _severities(rows: AlertRows) -> str:
    """Return how many alerts of each severity match: ``◆2 ▲2 ●6 ○6``."""
    return " ".join(
        f"{glyph}{format.number(rows.severities[severity])}"
        for severity, glyph in format.SEVERITY_GLYPHS.items()
        if rows.severities.get(severity)
    )


def empty_text(workspace: Workspace, total: int) -> str:
    """Return the reason why none of ``total`` alerts is shown."""
    view_model = workspace.view_model
    if total:
        return f"All alerts are resolved or suppressed.\n{key_of('alerts.hidden')} shows them."
    if view_model.error:
        return f"Ingest stopped.\n{view_model.error}"
    if not view_model.loaded or not (view_model.live or workspace.follows):
        return f"Reading {workspace.source_label} …\nAlerts appear here as soon as a rule fires."
    return (
        f"No alerts in {workspace.source_label}.\nNew files are read as they arrive. "
        f"{key_of('area.sources')} shows what was read."
    )
