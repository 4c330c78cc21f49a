"""The list of principals: who called, how often, from where, how unusual, and the risk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from detector.detection.activity.activity import (
    DayActivity,
    activity_days,
    merged,
    shown_values,
)
from detector.detection.activity.actor import Actor
from detector.detection.alert import Alert
from detector.detection.baseline import ENOUGH_HISTORY
from detector.detection.risk import RiskTable
from detector.investigation.principal_risk import (
    PrincipalRisk,
    alerts_by_principal,
    principal_risk,
)
from detector.store import Store
from detector.text.plural import plural
from detector.text.time import DAY, format_time

RISK_WINDOW = 7 * DAY
"""Default number of seconds over which a principal's risk is summed up."""
UNCOMMON_AMONG = 2
"""A call is uncommon if at most this many principals made it."""
_FEWEST_PRINCIPALS = 5
"""Minimum number of principals for judging calls as uncommon."""


class PrincipalRow(msgspec.Struct, frozen=True, gc=False):
    """A principal over some days; times are in epoch seconds.

    ``first`` and ``last`` are its first and last call on these days, ``first_seen`` is its first
    call ever. ``days`` are its numbers of calls by day number. ``uncommon`` are the calls that
    hardly any other principal makes. ``rhythm`` describes the pattern of its calls in time."""

    kind: str
    name: str
    first_seen: int
    first: int
    last: int
    calls: int
    failed: int
    denied: int
    writes: int
    regions: tuple[str, ...]
    networks: tuple[str, ...]
    programs: tuple[str, ...]
    api_calls: tuple[str, ...]
    accounts: tuple[str, ...]
    keys: tuple[str, ...]
    sessions: int
    truncated: tuple[str, ...]
    """The kinds of values of which not all are kept."""
    days: tuple[tuple[int, int], ...]
    uncommon: tuple[str, ...]
    rhythm: str
    is_new: bool
    alerts: tuple[str, ...]
    risk: PrincipalRisk

    @property
    def principal(self) -> tuple[str, str]:
        return self.kind, self.name

    @property
    def services(self) -> list[str]:
        """The services called, sorted."""
        return sorted({call.partition(":")[0] for call in self.api_calls})

    @property
    def account(self) -> str:
        """The account that the principal belongs to; ``""`` if its name does not show it."""
        parts = self.name.split(":", 5)
        if len(parts) == 6:
            return parts[4]
        return self.name if self.kind == "account" else ""

    def as_json(self) -> dict[str, Any]:
        """Return the object that ``--format jsonl`` prints."""
        return {
            "principal": self.name,
            "kind": self.kind,
            "account": self.account,
            "first_seen": format_time(self.first_seen),
            "first_call": format_time(self.first),
            "last_call": format_time(self.last),
            "calls": self.calls,
            "failed": self.failed,
            "denied": self.denied,
            "writes": self.writes,
            "regions": list(self.regions),
            "networks": list(self.networks),
            "programs": list(self.programs),
            "services": self.services,
            "api_calls": list(self.api_calls),
            "accounts_called": list(self.accounts),
            "access_keys": list(self.keys),
            "sessions": self.sessions,
            "truncated": list(self.truncated),
            "calls_by_day": {format_time(day * DAY)[:10]: calls for day, calls in self.days},
            "uncommon_calls": list(self.uncommon),
            "rhythm": self.rhythm,
            "new": self.is_new,
            "alerts": list(self.alerts),
            "risk": {
                "score": self.risk.score,
                "severity": self.risk.severity,
                "parts": [[part.what, part.left] for part in self.risk.parts],
            },
        }


class PrincipalList(msgspec.Struct, frozen=True):
    """The principals of some days, highest risk first, and the data behind the list.

    ``newest`` is the time of the newest event read, ``uncounted_files`` is the number of files read
    before activity was counted, ``duplicates`` the number of hits delivered more than once."""

    rows: tuple[PrincipalRow, ...]
    newest: int
    uncounted_files: int
    duplicates: int

    @property
    def notes(self) -> list[str]:
        """Caveats for reading the counts."""
        notes = []
        if self.duplicates:
            hits = plural(self.duplicates, "hit")
            notes.append(f"calls include duplicates: {hits} delivered more than once")
        if self.uncounted_files:
            notes.append(
                f"{self.uncounted_files:,} files were read by an older version: their calls are "
                "not counted"
            )
        return notes


class PrincipalSum(msgspec.Struct, frozen=True, gc=False):
    """A principal's activity over some days; ``hours`` are bit sets of each day's hours."""

    whole: DayActivity
    day_calls: dict[int, int]
    hours: dict[int, int]


def sum_principals(
    store: Store, since: int | None = None, until: int | None = None
) -> dict[Actor, PrincipalSum]:
    """Return the sums over the days that ``[since, until)`` touches, in epoch seconds."""
    return {
        actor: PrincipalSum(
            merged(days),
            {day: of_day.calls for day, of_day in days.items()},
            {day: of_day.hours for day, of_day in days.items()},
        )
        for actor, days in store.activity.each_principal(*activity_days(since, until))
    }


def list_principals(
    store: Store,
    table: RiskTable,
    since: int | None = None,
    until: int | None = None,
    risk_window: int = RISK_WINDOW,
    sums: Mapping[Actor, PrincipalSum] | None = None,
) -> PrincipalList:
    """Return the principals with calls on the days that ``[since, until)`` touches.

    ``sums`` is the result of ``sum_principals``, if it is already available.
    """
    newest = store.files.newest_event_time() or 0
    if sums is None:
        sums = sum_principals(store, since, until)
    rows = principal_rows(
        sums, store.activity.first_seen(), store.alerts.all(), newest, table, risk_window
    )
    return PrincipalList(
        tuple(rows),
        newest,
        store.activity.uncounted_files(),
        store.files.accounting().records_duplicate,
    )


def principal_rows(
    sums: Mapping[Actor, PrincipalSum],
    first_seen: Mapping[tuple[str, str], int],
    alerts: Iterable[Alert],
    newest: int,
    table: RiskTable,
    risk_window: int = RISK_WINDOW,
) -> list[PrincipalRow]:
    """Return one row per principal: highest risk first, then most uncommon calls, then latest."""
    makers = Counter(call for each in sums.values() for call in _values(each.whole, "call"))
    by_principal = alerts_by_principal(alerts)
    history_since = min(first_seen.values(), default=newest)
    rows = []
    for actor, of_principal in sums.items():
        whole = of_principal.whole
        own_alerts = by_principal.get(actor.principal, [])
        first = first_seen.get(actor.principal, whole.first)
        uncommon: list[str] = []
        if len(sums) >= _FEWEST_PRINCIPALS:
            uncommon = [call for call in _values(whole, "call") if makers[call] <= UNCOMMON_AMONG]
        rows.append(
            _row(
                actor,
                of_principal,
                first,
                uncommon,
                rhythm(of_principal.hours, first, history_since, newest),
                is_new_principal(first, history_since, newest),
                own_alerts,
                principal_risk(own_alerts, newest, risk_window, table),
            )
        )
    rows.sort(key=lambda row: (-row.risk.total, -len(row.uncommon), -row.last, row.kind, row.name))
    return rows


def _row(
    actor: Actor,
    of_principal: PrincipalSum,
    first_seen: int,
    uncommon: Sequence[str],
    rhythm: str,
    is_new: bool,
    alerts: Sequence[Alert],
    risk: PrincipalRisk,
) -> PrincipalRow:
    whole = of_principal.whole
    kind, name = actor.principal
    return PrincipalRow(
        kind,
        name,
        first_seen,
        whole.first,
        whole.last,
        whole.calls,
        whole.failed,
        whole.denied,
        whole.writes,
        _values(whole, "region"),
        _values(whole, "network"),
        _values(whole, "program"),
        _values(whole, "call"),
        _values(whole, "account"),
        _values(whole, "key"),
        len(_values(whole, "session")),
        tuple(sorted(kind for kind, counts in whole.values.items() if "" in counts)),
        tuple(sorted(of_principal.day_calls.items())),
        tuple(uncommon),
        rhythm,
        is_new,
        tuple(alert.alert_id for alert in alerts),
        risk,
    )


def _values(whole: DayActivity, kind: str) -> tuple[str, ...]:
    return tuple(sorted(value for value, _ in shown_values(whole.values.get(kind, {}))))


def is_new_principal(first_seen: int, history_since: int, newest: int) -> bool:
    """Return whether a principal first called in the last day, after enough history without it."""
    return newest - first_seen < DAY and first_seen - history_since >= ENOUGH_HISTORY


_MOST = 0.8
_HOURLY = 20
"""Average hours with calls per day from which the rhythm is hourly."""
_WEEK = 7


def rhythm(days: Mapping[int, int], first_seen: int, history_since: int, newest: int) -> str:
    """Describe when a principal calls: new, once, hourly, daily, weekdays or irregular.

    ``days`` are bit sets of the hours with calls, by day number. ``""`` if there are too few days
    to tell."""
    if is_new_principal(first_seen, history_since, newest):
        return "new"
    first, last = min(days), max(newest // DAY, max(days))
    span = last - first + 1
    hours = sum(hours.bit_count() for hours in days.values()) / len(days)
    is_daily = len(days) >= _MOST * span
    if hours >= _HOURLY and is_daily:
        return "hourly"
    if span < 3:
        return ""
    if len(days) == 1:
        return "once"
    if is_daily:
        return "daily"
    weekdays = sum(1 for day in range(first, last + 1) if _is_weekday(day))
    if span >= _WEEK and all(map(_is_weekday, days)) and len(days) >= _MOST * weekdays:
        return "weekdays"
    return "irregular"


def _is_weekday(day: int) -> bool:
    return (day + 3) % 7 < 5  # 1970-01-01 was a Thursday


def actor_of(row: PrincipalRow) -> Actor:
    """Return a row's principal as an actor without a session."""
    return Actor(row.kind, row.name)  # type: ignore[arg-type]
