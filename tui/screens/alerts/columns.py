"""Columns and sort orders of the list of alerts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from detector.detection.alert import SEVERITIES, Alert
from detector.text.time import format_duration
from tui.presentation import format, time_display
from tui.presentation.severity import severity_content
from tui.widgets.columns import Column, derived_column

ALERT_COLUMNS: tuple[Column[Alert], ...] = (
    derived_column(
        "time",
        time_display.column_title,
        14,
        attrgetter("first_event"),
        format.date_time,
        drop_priority=0,
    ),
    derived_column(
        "severity", "severity", 10, attrgetter("severity"), severity_content, drop_priority=1
    ),
    Column("principal", "principal", 15, format.principal, drop_priority=2, flex=True),
    Column(
        "account",
        "account",
        12,
        lambda alert: format.value_or_count(alert.facets.accounts, "account"),
        drop_priority=9,
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
        "span", "span", 8, attrgetter("span"), format_duration, align="right", drop_priority=7
    ),
    Column(
        "identity",
        "identity",
        11,
        lambda alert: format.value_or_count(alert.facets.identity_types, "type"),
        drop_priority=11,
    ),
    Column(
        "source",
        "source",
        15,
        lambda alert: format.value_or_count(alert.facets.source_addresses, "source"),
        drop_priority=8,
    ),
    Column("network", "network", 12, format.network, drop_priority=12),
    derived_column(
        "agent",
        "agent",
        14,
        lambda alert: tuple(alert.facets.user_agents),
        format.agents,
        drop_priority=10,
    ),
    derived_column(
        "flags",
        "flags",
        12,
        lambda alert: tuple([flag.flag for flag in alert.flags]),
        format.flag_words,
        drop_priority=6,
        flex=True,
        field="flag",
    ),
    Column("state", "state", 5, format.state_label, drop_priority=5, field="status"),
)


@dataclass(frozen=True)
class AlertOrder:
    """A sort order: the column it is shown at, and its direction."""

    column: str
    label: str
    sort_key: Callable[[Alert], Any]
    descending: bool = True


_SEVERITY_RANKS = {name: rank for rank, name in enumerate(SEVERITIES)}

ORDERS = (
    AlertOrder("time", "time, newest first", lambda alert: alert.first_event),
    AlertOrder(
        "severity",
        "severity, highest first",
        lambda alert: (_SEVERITY_RANKS.get(alert.severity, -1), alert.score),
    ),
    AlertOrder("regions", "regions, most first", lambda alert: len(alert.facets.regions)),
    AlertOrder("calls", "calls, most first", lambda alert: alert.event_count),
    AlertOrder("span", "span, fastest first", lambda alert: alert.span, descending=False),
    AlertOrder("flags", "flags, most first", lambda alert: len(alert.flags)),
    AlertOrder("principal", "principal, A to Z", format.principal, descending=False),
    AlertOrder("account", "account", lambda alert: alert.account, descending=False),
    AlertOrder("source", "source", lambda alert: alert.facets.source_addresses, descending=False),
)


def row_style(alert: Alert) -> str:
    """Return the style of an alert's row."""
    if alert.status != "open" or alert.suppressed_by:
        return "$foreground-muted"
    return ""
