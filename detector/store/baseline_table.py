"""The baseline: the first observation of each account, principal, key and region."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from itertools import compress

from detector.cloudtrail.object_key import selection_folder
from detector.detection.baseline import (
    Baseline,
    ObservationKind,
    ObservationSpans,
    ObservedOrigin,
    OriginSpans,
    RegionHistory,
    principal_of,
)
from detector.detection.finding import Finding
from detector.store.database import Database
from detector.store.migrations.observation_numbers import KIND_NUMBERS
from detector.store.packing.content_id import name_number

_REGION, _CHANGED_REGION = KIND_NUMBERS["region"], KIND_NUMBERS["changed-region"]
_PRINCIPAL_REGION, _SELECTION = KIND_NUMBERS["principal-region"], KIND_NUMBERS["selection"]
_IN_CONTEXT = frozenset({"account", "principal", "access-key", "changed-region"})
"""The kinds of observation on which the context of an alert depends."""
_KNOWN_ORIGINS = 1 << 14
"""How many (caller, region) pairs' first observations are cached in memory."""
_MARK_ALERTS = """
UPDATE alert SET stale = 1
WHERE until > ?4 AND number IN (SELECT number FROM alert_who WHERE who = ?2)
AND NOT EXISTS (SELECT 1 FROM sight WHERE kind = ?1 AND who = ?2 AND what = ?3 AND first <= ?4)
"""
"""Marks the alerts of a principal as stale where an observation before their end is new.

The observation counts as new if none as early was stored. The parameters are the columns of a row
of ``sight``."""


class BaselineTable:
    """The first observations, over all records."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[ObservedOrigin, int] = {}
        """First times of callers in regions; what is stored is as early or earlier."""

    def footprint(self, accounts: Sequence[str], principal: str = "") -> dict[str, RegionHistory]:
        """Return when the first calls and changes in each region were seen, by region.

        The times are those of the ``accounts`` (of all accounts if none are given), together with
        those of the ``principal`` (an ARN).
        """
        of_accounts = f"AND who IN ({', '.join('?' * len(accounts))}) " if accounts else ""
        rows = self._database.rows(
            "SELECT what, kind, min(first) FROM sight WHERE kind IN (?, ?) "
            f"{of_accounts}GROUP BY what, kind",
            _REGION,
            _CHANGED_REGION,
            *map(name_number, accounts),
        )
        rows += self._database.rows(
            "SELECT what, kind, first FROM sight WHERE kind = ? AND who = ?",
            _PRINCIPAL_REGION,
            name_number(principal_of(principal)),
        )
        first_times: dict[str, dict[int, int]] = {}
        for region, kind, first in rows:
            first_times.setdefault(region, {})[kind] = first
        return {
            region: RegionHistory(
                times.get(_REGION), times.get(_CHANGED_REGION), times.get(_PRINCIPAL_REGION)
            )
            for region, times in first_times.items()
        }

    def selections(self) -> list[str]:
        """Return the backfill folders from which files were read, in order of name."""
        rows = self._database.rows(
            "SELECT what FROM sight WHERE kind = ? ORDER BY what", _SELECTION
        )
        return [folder for (folder,) in rows]

    def mark_selections(self, connection: sqlite3.Connection, paths: Iterable[str]) -> None:
        """Record the backfill folders of the files that were read."""
        folders = {selection_folder(path) for path in paths} - {None}
        if folders:
            self.extend(connection, {("selection", "", str(folder)): (0, 0) for folder in folders})

    def put(self, connection: sqlite3.Connection, spans: OriginSpans) -> None:
        """Write the observations of callers that are earlier than those cached."""
        never = float("inf")
        earlier = {
            origin: span
            for origin, span in spans.seen.items()
            if span[0] < self._known.get(origin, never)
        }
        self.extend(connection, OriginSpans(earlier, spans.changed).observations())

    def learn(self, spans: OriginSpans) -> None:
        """Cache the first times that have been committed."""
        if len(self._known) + len(spans.seen) > _KNOWN_ORIGINS:
            self._known.clear()
        if len(spans.seen) > _KNOWN_ORIGINS:
            return
        for origin, (first, _) in spans.seen.items():
            self._known[origin] = min(first, self._known.get(origin, first))

    def extend(self, connection: sqlite3.Connection, spans: ObservationSpans) -> None:
        """Write the first times of observations, and mark alerts whose baseline this changes."""
        numbers = {name: name_number(name) for name in {who for _, who, _ in spans}}
        rows = [
            (KIND_NUMBERS[kind], numbers[who], what, first)
            for (kind, who, what), (first, _) in spans.items()
        ]
        if connection.execute("SELECT EXISTS (SELECT 1 FROM alert_who)").fetchone()[0]:
            in_context = [kind in _IN_CONTEXT for kind, _, _ in spans]
            connection.executemany(_MARK_ALERTS, compress(rows, in_context))
        # In the order of the primary key, so that successive rows touch neighbouring pages.
        connection.executemany(
            "INSERT INTO sight (kind, who, what, first) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET first = excluded.first WHERE excluded.first < first",
            sorted(rows),
        )


class AlertBaselines:
    """The baselines of alerts; observations read for one alert are cached for the next."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._firsts: dict[tuple[str, str, str], int | None] = {}
        self._from_selection = bool(
            connection.execute(
                "SELECT 1 FROM sight WHERE kind = ? LIMIT 1", (_SELECTION,)
            ).fetchone()
        )

    def of_finding(self, finding: Finding) -> Baseline:
        """Return what is usual for an alert's principal, keys and regions."""
        start = finding.start
        facets, account = finding.facets, finding.account
        keys = [self._first("access-key", key) for key in facets.access_keys]
        changed = {
            region: self._first("changed-region", account, region) for region in facets.regions
        }
        principal_first = None
        if finding.principal:
            principal_first = self._first("principal", principal_of(finding.principal))
        return Baseline(
            since=self._first("account", account),
            principal_first=principal_first,
            key_first=max((first for first in keys if first is not None), default=None),
            unused_regions=[
                region for region, first in changed.items() if first is None or first >= start
            ],
            from_selection=self._from_selection,
        )

    def _first(self, kind: ObservationKind, who: str, what: str = "") -> int | None:
        """Return when something was first observed, in epoch seconds; None if never."""
        observation = kind, who, what
        if observation not in self._firsts:
            row = self._connection.execute(
                "SELECT first FROM sight WHERE kind = ? AND who = ? AND what = ?",
                (KIND_NUMBERS[kind], name_number(who), what),
            ).fetchone()
            self._firsts[observation] = None if row is None else int(row[0])
        return self._firsts[observation]
