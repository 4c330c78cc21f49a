"""The signals near alerts: events that raise flags, each stored once.

Signals are stored by caller, and an alert's signals are looked up by its related principals. They
are not stored per alert, since thousands of alerts may be near thousands of signals.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Set

from detector.cloudtrail.record import json_text
from detector.detection.correlate import SIGNAL_REACH
from detector.detection.event import KeptEvent
from detector.detection.finding import Finding
from detector.detection.principal import RelatedPrincipals
from detector.detection.signals.found_signals import Flags, Signals
from detector.detection.signals.signal_event import HOUR, SignalEvent
from detector.detection.signals.signal_index import SignalCaller, SignalIndex, SignalKey
from detector.formats.native.columns import identities_in
from detector.store.database import Database
from detector.store.event_table import EventTable
from detector.store.packing.signal_cells import pack_hours
from detector.store.packing.signal_rows import (
    change_signals,
    insert_signals,
    unite_cells,
    unpack_signals,
)
from detector.store.packing.state_query import StateQuery
from detector.text.numbers import Numbers

_CALLERS = (
    "SELECT caller_id FROM signal_caller WHERE arn IN names "
    "UNION SELECT caller_id FROM signal_caller WHERE access_key IN names "
    "UNION SELECT caller_id FROM signal_caller WHERE role_arn IN names"
)
_COLUMNS = "hour, events, flag, arn, access_key, role_arn, issued_key"
_READ = f"""
WITH names AS MATERIALIZED (SELECT value FROM json_each(?1))
SELECT {_COLUMNS} FROM ({_CALLERS}) CROSS JOIN signal_caller USING (caller_id)
    CROSS JOIN signal USING (caller_id) WHERE hour BETWEEN ?2 AND ?3
UNION ALL SELECT {_COLUMNS} FROM names CROSS JOIN signal ON issued_key = value AND issued_key != ''
    JOIN signal_caller USING (caller_id) WHERE hour BETWEEN ?2 AND ?3
"""


class SignalTable:
    """The events that raise flags near alerts."""

    def __init__(self, database: Database, events: EventTable) -> None:
        self._database = database
        self._events = events

    def put(self, connection: sqlite3.Connection, signals: Signals) -> None:
        """Write the signals that a search found."""
        flagged = signals.flagged()
        events = flagged.events
        if not events.added:
            return
        groups: Numbers[tuple[SignalCaller, Flags, str]] = Numbers()
        group_of_kind = [
            groups[_caller_of(kind), flags, kind.issued_key] for kind, flags in flagged.kinds()
        ]
        # put_signals unites events with the same identity, so note every claim of one before.
        claimed = list(map(group_of_kind.__getitem__, events.kind))
        times, identities = events.times[:], bytes(events.identities)
        standing, moved = self._events.put_signals(connection, events)
        if moved:
            times_of_moved = {identity: standing[identity] for identity in moved}
            change_signals(connection, lambda time, identity: times_of_moved.get(identity, time))
        stand_at = list(map(standing.get, identities_in(identities), times))
        names = list(groups)
        rows: dict[tuple[SignalKey, int], bytes] = {}
        for group, hour, cells in pack_hours(claimed, stand_at, identities):
            caller, flags, issued_key = names[group]
            for flag in flags:
                unite_cells(rows, (SignalKey(caller, flag, issued_key), hour), cells)
        insert_signals(connection, rows)

    def clear(self, connection: sqlite3.Connection) -> None:
        """Delete all signals, and mark all alerts to be searched again."""
        connection.execute("DELETE FROM signal")
        connection.execute("UPDATE alert SET searched = -1, stale = 1")

    def forget(self, connection: sqlite3.Connection, identities: Set[bytes]) -> None:
        """Delete signals, and mark the alerts near them to be searched again."""
        if not identities:
            return
        times: set[int] = set()

        def unless_forgotten(time: int, identity: bytes) -> int | None:
            if identity not in identities:
                return time
            times.add(time)
            return None

        change_signals(connection, unless_forgotten)
        connection.executemany(
            "UPDATE alert SET searched = -1, stale = 1 WHERE start <= ? AND until > ?",
            [(time + SIGNAL_REACH, time - SIGNAL_REACH) for time in times],
        )

    def near(
        self, query: StateQuery, related: Iterable[RelatedPrincipals], start: int, end: int
    ) -> SignalIndex:
        """Return the signals in ``[start, end)`` that may belong to any of these principals.

        Others within an hour of the span may be included."""
        names = {name for each in related for name in each.names()}
        rows = query(_READ, json_text(sorted(names)), start // HOUR, (end - 1) // HOUR)
        found: dict[SignalKey, list[SignalEvent]] = defaultdict(list)
        for hour, packed, flag, arn, access_key, role_arn, issued_key in rows:
            key = SignalKey(SignalCaller(arn, access_key, role_arn), flag, issued_key)
            found[key] += unpack_signals(hour, packed)
        return SignalIndex(found)


def _caller_of(kind: KeptEvent) -> SignalCaller:
    client = kind.client
    return SignalCaller(client.arn, client.access_key, client.role_arn)


def signal_span(finding: Finding) -> tuple[int, int]:
    """Return the span, ``[start, end)``, in which an event can be a signal of an alert."""
    start, end = finding.extent
    return start - SIGNAL_REACH, end + SIGNAL_REACH
