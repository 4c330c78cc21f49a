"""The rows of signals: a row has those of one caller and flag within an hour.

Inventory tools have thousands of signals in an hour. Packed, one takes 18 bytes.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from detector.detection.signals.signal_event import (
    HOUR_SIZE,
    SignalEvent,
    hour_bytes,
    hour_of,
    moment,
    signal_identity,
    signal_time,
)
from detector.detection.signals.signal_index import SignalCaller, SignalKey

_SIZE = 18
"""The bytes of a signal: two of the second in its hour, and its identity."""
_ROWS = "SELECT caller_id, flag, issued_key, hour, events FROM signal"
_SAME = "WHERE caller_id = ? AND flag = ? AND issued_key = ? AND hour = ?"
_ROW = f"FROM signal {_SAME}"
_INSERT = (
    "INSERT OR IGNORE INTO signal (caller_id, flag, issued_key, hour, events) "
    "VALUES (?, ?, ?, ?, ?)"
)

_RowKey = tuple[int, str, str]
"""The number of a caller, flag and issued key."""


def unpack_signals(hour: int, packed: bytes) -> list[SignalEvent]:
    """Return the signals of a row in order. Raises DecodeError where it is damaged."""
    if len(packed) % _SIZE:
        raise msgspec.DecodeError(
            f"a row of signals has {len(packed)} bytes, no multiple of {_SIZE}"
        )
    of_hour = hour_bytes(hour)
    return [of_hour + packed[at : at + _SIZE] for at in range(0, len(packed), _SIZE)]


def insert_signals(
    connection: sqlite3.Connection, signals: Mapping[SignalKey, Iterable[SignalEvent]]
) -> None:
    """Write signals with their callers; what is written already stays once."""
    numbers = {
        caller: _caller_number(connection, caller)
        for caller in sorted({key.caller for key in signals})
    }
    _add(
        connection,
        (
            ((numbers[key.caller], key.flag, key.issued_key), events)
            for key, events in signals.items()
        ),
    )


def all_signals(query: Callable[..., Iterable[Any]]) -> Iterator[tuple[str, int, bytes]]:
    """Yield the flag, the time and the identity of all signals."""
    for flag, hour, packed in query("SELECT flag, hour, events FROM signal"):
        for event in unpack_signals(hour, packed):
            yield flag, signal_time(event), signal_identity(event)


def change_signals(
    connection: sqlite3.Connection, change: Callable[[int, bytes], int | None]
) -> None:
    """Give signals the time that ``change`` returns; delete those for which that is None."""
    changed: list[tuple[_RowKey, list[SignalEvent]]] = []
    for *key, hour, packed in connection.execute(_ROWS).fetchall():
        events = unpack_signals(hour, packed)
        times = [change(signal_time(event), signal_identity(event)) for event in events]
        after = [
            moment(time) + signal_identity(event)
            for time, event in zip(times, events, strict=True)
            if time is not None
        ]
        if after != events:
            connection.execute(f"DELETE {_ROW}", (*key, hour))
            changed.append((tuple(key), after))
    _add(connection, changed)


def _add(
    connection: sqlite3.Connection, signals: Iterable[tuple[_RowKey, Iterable[SignalEvent]]]
) -> None:
    for key, events in signals:
        by_hour: dict[bytes, list[SignalEvent]] = defaultdict(list)
        for event in events:
            by_hour[event[:HOUR_SIZE]].append(event)
        for of_hour in by_hour.values():
            cells = {event[HOUR_SIZE:] for event in of_hour}
            _add_row(connection, (*key, hour_of(of_hour[0])), cells)


def _add_row(connection: sqlite3.Connection, key: tuple[Any, ...], cells: set[bytes]) -> None:
    """Write a row, or add signals to the one that is there: most are new."""
    new = connection.execute(_INSERT, (*key, b"".join(sorted(cells))))
    if new.rowcount:
        return
    ((packed,),) = connection.execute(f"SELECT events {_ROW}", key)
    cells = cells.union(packed[at : at + _SIZE] for at in range(0, len(packed), _SIZE))
    connection.execute(f"UPDATE signal SET events = ? {_SAME}", (b"".join(sorted(cells)), *key))


def _caller_number(connection: sqlite3.Connection, caller: SignalCaller) -> int:
    """Return the number of a caller, which is written where it is new."""
    new = connection.execute(
        "INSERT OR IGNORE INTO signal_caller (arn, access_key, role_arn) VALUES (?, ?, ?)", caller
    )
    if new.rowcount:
        return int(new.lastrowid or 0)
    ((number,),) = connection.execute(
        "SELECT caller_id FROM signal_caller WHERE arn = ? AND access_key = ? AND role_arn = ?",
        caller,
    )
    return int(number)
