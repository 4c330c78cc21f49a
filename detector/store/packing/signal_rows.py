"""The rows of signals: a row has those of one caller and flag within an hour.

Inventory tools have thousands of signals in an hour. Packed, one takes 18 bytes.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec

from detector.detection.signals.signal_index import SignalCaller, SignalEvent, SignalKey

HOUR = 3600
"""Seconds."""
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
    start, number = hour * HOUR, int.from_bytes
    return [
        (start + number(packed[at : at + 2], "big"), packed[at + 2 : at + _SIZE])
        for at in range(0, len(packed), _SIZE)
    ]


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


def all_signals(query: Callable[..., Iterable[Any]]) -> Iterator[tuple[str, SignalEvent]]:
    """Yield all signals with the flag that each raises."""
    for flag, hour, packed in query("SELECT flag, hour, events FROM signal"):
        for event in unpack_signals(hour, packed):
            yield flag, event


def change_signals(
    connection: sqlite3.Connection, change: Callable[[int, bytes], int | None]
) -> None:
    """Give signals the time that ``change`` returns; delete those for which that is None."""
    changed: list[tuple[_RowKey, list[SignalEvent]]] = []
    for *key, hour, packed in connection.execute(_ROWS).fetchall():
        events = unpack_signals(hour, packed)
        after = [(change(time, identity), identity) for time, identity in events]
        if after != events:
            connection.execute(f"DELETE {_ROW}", (*key, hour))
            left = [(time, identity) for time, identity in after if time is not None]
            changed.append((tuple(key), left))
    _add(connection, changed)


def _add(
    connection: sqlite3.Connection, signals: Iterable[tuple[_RowKey, Iterable[SignalEvent]]]
) -> None:
    for key, events in signals:
        packed: dict[int, set[bytes]] = defaultdict(set)
        for time, identity in events:
            hour, second = divmod(time, HOUR)
            packed[hour].add(second.to_bytes(2, "big") + identity)
        for hour, cells in packed.items():
            _add_row(connection, (*key, hour), cells)


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
