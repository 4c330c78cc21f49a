"""The conversion of the signals of an older state, in which each alert had its own rows."""

from __future__ import annotations

import sqlite3

from detector.store.packing.segment import Segment


def share_signals(connection: sqlite3.Connection) -> None:
    """Write each signal once, with the caller that its event names."""
    flags: dict[bytes, set[str]] = {}
    for identity, flag in connection.execute("SELECT DISTINCT identity, flag FROM alert_signal"):
        flags.setdefault(identity, set()).add(flag)
    for identities, body in connection.execute("SELECT identities, body FROM segment").fetchall():
        segment = Segment.unpack(identities, body)
        for number in range(len(segment)):
            identity = segment.identity(number)
            if identity in flags:
                _share(connection, segment, number, flags[identity])


def _share(connection: sqlite3.Connection, segment: Segment, number: int, flags: set[str]) -> None:
    """Write a row of a segment as a signal, once for each flag."""
    row, identity = segment.row(number), segment.identity(number)
    caller = row.client.arn, row.client.access_key, row.client.role_arn
    connection.execute(
        "INSERT OR IGNORE INTO signal_caller (arn, access_key, role_arn) VALUES (?, ?, ?)", caller
    )
    connection.executemany(
        "INSERT OR IGNORE INTO signal (caller_id, time, identity, flag, issued_key) "
        "SELECT caller_id, ?, ?, ?, ? FROM signal_caller "
        "WHERE arn = ? AND access_key = ? AND role_arn = ?",
        [(row.time, identity, flag, row.issued_key, *caller) for flag in sorted(flags)],
    )
