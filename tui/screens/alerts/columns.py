"""Columns and sort orders of the list of alerts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

from textual.content import Content

from detector.detection.alert import SEVERITIES, Alert
from detector.text.time import format_duration
from tui.presentation import format, safe, time_display
from tui.presentation.rule_names import rule_name
from tui.presentation.theme import SEVERITY_STYLE
from tui.screens.alerts.sweep_groups import SweepGroup
from tui.widgets.columns import Column, derived_column

_SHORT_SEVERITIES = {"critical": "crit", "medium": "med"}

_SHORT_VERDICTS = {
    "escalated": "esc",
    "suspicious": "susp",
    "benign": "ok",
    "false-positive": "fp",
    "duplicate": "dup",
}
"""Short names of the deciding verdicts, the most urgent verdict first."""


def risk_cell(alert: Alert) -> Content:
    """Return glyph, uncapped risk and severity; ``…`` while the risk is being computed."""
    if alert.risk is None:
        return Content.styled("…", "$foreground-muted")
    word = _SHORT_SEVERITIES.get(alert.severity, alert.severity)
    glyph = format.SEVERITY_GLYPHS.get(alert.severity, " ")
    text = f"{glyph} {format.total_risk(alert):>3} {word}"
    return safe.text(text, SEVERITY_STYLE.get(alert.severity, ""))


def note_cell(alert: Alert, members: Sequence[Alert] = ()) -> str:
    """Return the triage state: status, a sign if there are notes, and their verdict.

    ``~`` means that late data may still change the alert. ``members`` are the alerts that the row
    represents; their most urgent verdict is shown.
    """
    unsettled = "" if alert.settled else "~"
    note = ""
    verdicts = {one.handling.verdict for one in members or (alert,) if one.handling.notes}
    if verdicts:
        words = (word for verdict, word in _SHORT_VERDICTS.items() if verdict in verdicts)
        note = f"✎ {next(words, '')}".rstrip()
    return " ".join(filter(None, [unsettled + format.status_label(alert), note]))


ALERT_COLUMNS: tuple[Column[Alert], ...] = (
    Column("risk", "risk", 10, risk_cell, drop_priority=0),
    Column(
        "principal",
        "principal",
        14,
        format.principal,
        drop_priority=1,
        flex=True,
        wish=20,
        shorten=lambda alert, cells: format.elide(format.principal(alert), cells),
    ),
    Column(
        "rule",
        "rule",
        14,
        lambda alert: alert.rule.name,
        drop_priority=2,
        flex=True,
        shorten=lambda alert, cells: rule_name(alert.rule, cells),
    ),
    Column(
        "account",
        "account",
        12,
        lambda alert: format.value_or_count(alert.facets.accounts, "account"),
        drop_priority=7,
    ),
    Column(
        "regions",
        "reg",
        3,
        lambda alert: str(len(alert.facets.regions)),
        align="right",
        drop_priority=3,
    ),
    derived_column(
        "calls",
        "calls",
        5,
        attrgetter("event_count"),
        format.number,
        align="right",
        drop_priority=4,
    ),
    derived_column(
        "span", "span", 8, attrgetter("span"), format_duration, align="right", drop_priority=9
    ),
    derived_column(
        "flags",
        "flags",
        10,
        lambda alert: tuple([flag.flag for flag in alert.flags]),
        format.flag_words,
        drop_priority=5,
        flex=True,
        wish=19,
        field="flag",
    ),
    Column("assignee", "assignee", 9, lambda alert: alert.assignee, drop_priority=8),
    Column("note", "note", 8, note_cell, drop_priority=6, field="verdict"),
    derived_column(
        "time",
        time_display.column_title,
        14,
        attrgetter("first_event"),
        format.date_time,
        drop_priority=10,
    ),
    Column(
        "source",
        "source",
        15,
        lambda alert: format.value_or_count(alert.facets.source_addresses, "source"),
        drop_priority=11,
    ),
    derived_column(
        "agent",
        "agent",
        14,
        lambda alert: tuple(alert.facets.user_agents),
        format.agents,
        drop_priority=12,
    ),
    Column("network", "network", 12, format.network, drop_priority=13),
    Column(
        "identity",
        "identity",
        11,
        lambda alert: format.value_or_count(alert.facets.identity_types, "type"),
        drop_priority=14,
    ),
)
"""In a narrow list, risk, principal, rule, regions, calls, flags and note are kept longest."""


def columns_of_rows(
    folded_group: Callable[[Alert], SweepGroup | None],
    members: Callable[[Alert], Sequence[Alert]],
) -> list[Column[Alert]]:
    """Return the columns of rows that may represent several alerts.

    ``folded_group`` returns the group that an alert's row represents, or None. The row of a group
    shows the number of its alerts, how often they recur, and the most urgent verdict on its
    ``members``.
    """

    def principal(alert: Alert) -> str:
        group = folded_group(alert)
        if group is None:
            return format.principal(alert)
        return f"{len(group.alert_ids)}▸ {format.principal(alert)}"

    def short_principal(alert: Alert, cells: int) -> str:
        return format.elide(principal(alert), cells)

    def flags(alert: Alert) -> str:
        group = folded_group(alert)
        words = format.flag_words([flag.flag for flag in alert.flags])
        if group is None or not group.recurrence.pace:
            return words
        return f"{group.recurrence.pace} {words}"

    own = {
        "principal": {"cell": principal, "shorten": short_principal},
        "flags": {"cell": flags, "depends_on": None},
        "note": {"cell": lambda alert: note_cell(alert, members(alert))},
    }
    return [
        replace(column, **own.get(column.key, {}))  # type: ignore[arg-type]
        for column in ALERT_COLUMNS
    ]


@dataclass(frozen=True)
class AlertOrder:
    """A sort order: the column whose title shows it, its key and its direction."""

    column: str
    label: str
    sort_key: Callable[[Alert], Any]
    descending: bool = True


_SEVERITY_RANKS = {name: rank for rank, name in enumerate(SEVERITIES)}

NEWEST_FIRST = AlertOrder("time", "time, newest first", lambda alert: alert.first_event)

ORDERS = (
    AlertOrder(
        "risk",
        "risk, highest first",
        lambda alert: (_SEVERITY_RANKS.get(alert.severity, -1), format.total_risk(alert)),
    ),
    NEWEST_FIRST,
    AlertOrder("regions", "regions, most first", lambda alert: len(alert.facets.regions)),
    AlertOrder("calls", "calls, most first", lambda alert: alert.event_count),
    AlertOrder("span", "span, fastest first", lambda alert: alert.span, descending=False),
    AlertOrder("flags", "flags, most first", lambda alert: len(alert.flags)),
    AlertOrder("principal", "principal, A to Z", format.principal, descending=False),
    AlertOrder("rule", "rule, A to Z", lambda alert: alert.rule.name, descending=False),
    AlertOrder("account", "account", lambda alert: alert.account, descending=False),
    AlertOrder("assignee", "assignee, A to Z", lambda alert: alert.assignee, descending=False),
    AlertOrder("source", "source", lambda alert: alert.facets.source_addresses, descending=False),
)
"""The sort orders. The first is the default: the worst alert first."""


def row_style(alert: Alert) -> str:
    """Return the style of an alert's row."""
    if alert.status != "open" or alert.suppressed_by:
        return "$foreground-muted"
    return ""
