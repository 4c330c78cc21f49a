"""The conversion of the signals of an older state, of which each alert had its own rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from detector.detection.signals.signal_index import FlaggedEvent, SignalCaller
from detector.store.packing.segment import Segment


def share_signals(connection: sqlite3.Connection) -> None:
    """Write each signal once, with the caller that its event names."""
    flags: dict[bytes, set[str]] = {}
    for identity, flag in connection.execute("SELECT DISTINCT identity, flag FROM alert_signal"):
        flags.setdefault(identity, set()).add(flag)
    for identities, body in connection.execute("SELECT identities, body FROM segment").fetchall():
        _insert(connection, _flagged(Segment.unpack(identities, body), flags))


def _insert(connection: sqlite3.Connection, signals: Iterable[FlaggedEvent]) -> None:
    """Write signals with their callers."""
    signals = list(signals)
    numbers = {
        caller: _caller_number(connection, caller)
        for caller in sorted({signal.caller for signal in signals})
    }
    connection.executemany(
        "INSERT OR IGNORE INTO signal (caller_id, time, identity, flag, issued_key) "
        "VALUES (?, ?, ?, ?, ?)",
        [
            (numbers[signal.caller], signal.time, signal.identity, signal.flag, signal.issued_key)
            for signal in signals
        ],
    )


def _caller_number(connection: sqlite3.Connection, caller: SignalCaller) -> int:
    """Return the number of a caller, which is written where it is new."""
    connection.execute(
        "INSERT OR IGNORE INTO signal_caller (arn, access_key, role_arn) VALUES (?, ?, ?)", caller
    )
    ((number,),) = connection.execute(
        "SELECT caller_id FROM signal_caller WHERE arn = ? AND access_key = ? AND role_arn = ?",
        caller,
    )
    return int(number)


def _flagged(segment: Segment, flags: dict[bytes, set[str]]) -> Iterator[FlaggedEvent]:
    for number in range(len(segment)):
        identity = segment.identity(number)
        for flag in flags.get(identity, ()):
            yield FlaggedEvent.of(identity, segment.row(number), flag)
