"""The rows of signals, and their conversion from an older state."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from detector.detection.signals.signal_index import FlaggedEvent
from detector.store.packing.segment import Segment


def share_signals(connection: sqlite3.Connection) -> None:
    """Write each signal once, with the caller that its event names."""
    flags: dict[bytes, set[str]] = {}
    for identity, flag in connection.execute("SELECT DISTINCT identity, flag FROM alert_signal"):
        flags.setdefault(identity, set()).add(flag)
    for identities, body in connection.execute("SELECT identities, body FROM segment").fetchall():
        insert_signals(connection, _flagged(Segment.unpack(identities, body), flags))


def insert_signals(connection: sqlite3.Connection, signals: Iterable[FlaggedEvent]) -> None:
    """Write signals with their callers."""
    signals = list(signals)
    connection.executemany(
        "INSERT OR IGNORE INTO signal_caller (arn, access_key, role_arn) VALUES (?, ?, ?)",
        sorted({signal.caller for signal in signals}),
    )
    connection.executemany(
        "INSERT OR IGNORE INTO signal (caller_id, time, identity, flag, issued_key) "
        "SELECT caller_id, ?, ?, ?, ? FROM signal_caller "
        "WHERE arn = ? AND access_key = ? AND role_arn = ?",
        [
            (signal.time, signal.identity, signal.flag, signal.issued_key, *signal.caller)
            for signal in signals
        ],
    )


def _flagged(segment: Segment, flags: dict[bytes, set[str]]) -> Iterator[FlaggedEvent]:
    for number in range(len(segment)):
        identity = segment.identity(number)
        for flag in flags.get(identity, ()):
            yield FlaggedEvent.of(segment.row(number).event(identity), flag)
