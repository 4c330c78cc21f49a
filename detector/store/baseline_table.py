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
"""The kinds of observation that the context of an alert depends on."""
_KNOWN_ORIGINS = 1 << 14
"""Callers in regions of which it is remembered when they were first observed."""
_MARK_ALERTS = """
UPDATE alert SET stale = 1
WHERE until > ?4 AND number IN (SELECT number FROM alert_who WHERE who = ?2)
AND NOT EXISTS (SELECT 1 FROM sight WHERE kind = ?1 AND who = ?2 AND what = ?3 AND first <= ?4)
"""
"""Marks the alerts that an observation precedes which was not made so early before.

Its parameters are the columns of a row."""


class BaselineTable:
    """The observations over all records."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[ObservedOrigin, int] = {}
        """The first times of callers in regions that are stored, or later ones."""

    def footprint(self, accounts: Sequence[str], principal: str = "") -> dict[str, RegionHistory]:
        """Return when calls were first seen in each region.

        Those of the ``accounts`` (of all, where none set), or of the ``principal`` (an ARN).
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
        """Return the folders of backfills of which files were read, by name."""
        rows = self._database.rows(
            "SELECT what FROM sight WHERE kind = ? ORDER BY what", _SELECTION
        )
        return [folder for (folder,) in rows]

    def mark_selections(self, connection: sqlite3.Connection, paths: Iterable[str]) -> None:
        """Note which of the files that were read are from a backfill."""
        folders = {selection_folder(path) for path in paths} - {None}
        if folders:
            self.extend(connection, {("selection", "", str(folder)): (0, 0) for folder in folders})

    def put(self, connection: sqlite3.Connection, spans: OriginSpans) -> None:
        """Write what was observed of callers, and before what is known of them."""
        never = float("inf")
        earlier = {
            origin: span
            for origin, span in spans.seen.items()
            if span[0] < self._known.get(origin, never)
        }
        self.extend(connection, OriginSpans(earlier, spans.changed).observations())

    def learn(self, spans: OriginSpans) -> None:
        """Remember what has been committed."""
        if len(self._known) + len(spans.seen) > _KNOWN_ORIGINS:
            self._known.clear()
        if len(spans.seen) > _KNOWN_ORIGINS:
            return
        for origin, (first, _) in spans.seen.items():
            self._known[origin] = min(first, self._known.get(origin, first))

    def extend(self, connection: sqlite3.Connection, spans: ObservationSpans) -> None:
        """Write the first times of observations; mark alerts whose past has changed."""
        numbers = {name: name_number(name) for name in {who for _, who, _ in spans}}
        rows = [
            (KIND_NUMBERS[kind], numbers[who], what, first)
            for (kind, who, what), (first, _) in spans.items()
        ]
        if connection.execute("SELECT EXISTS (SELECT 1 FROM alert_who)").fetchone()[0]:
            in_context = [kind in _IN_CONTEXT for kind, _, _ in spans]
            connection.executemany(_MARK_ALERTS, compress(rows, in_context))
        # In the order of the table, which neighbours of a row are found fastest in.
        connection.executemany(
            "INSERT INTO sight (kind, who, what, first) VALUES (?, ?, ?, ?) "
            "ON CONFLICT DO UPDATE SET first = excluded.first WHERE excluded.first < first",
            sorted(rows),
        )


class AlertBaselines:
    """The baselines of alerts; what is read for one serves the next."""

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
        """Return when something was first observed, in epoch seconds."""
        observation = kind, who, what
        if observation not in self._firsts:
            row = self._connection.execute(
                "SELECT first FROM sight WHERE kind = ? AND who = ? AND what = ?",
                (KIND_NUMBERS[kind], name_number(who), what),
            ).fetchone()
            self._firsts[observation] = None if row is None else int(row[0])
        return self._firsts[observation]
