"""The rows of signals: a row holds the signals of one caller and flag within one hour.

Inventory tools cause thousands of signals in an hour. Packed, a signal takes 18 bytes.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

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
from detector.store.packing.signal_cells import CELL, cells_in, join_cells

_Key = TypeVar("_Key")
_ROWS = "SELECT caller_id, flag, issued_key, hour, events FROM signal"
_SAME = "WHERE caller_id = ? AND flag = ? AND issued_key = ? AND hour = ?"
_ROW = f"FROM signal {_SAME}"
_INSERT = (
    "INSERT OR IGNORE INTO signal (caller_id, flag, issued_key, hour, events) "
    "VALUES (?, ?, ?, ?, ?)"
)

_RowKey = tuple[int, str, str, int]
"""The number of a caller, flag, issued key and hour."""


def unpack_signals(hour: int, packed: bytes) -> list[SignalEvent]:
    """Return the signals of a row, in order. Raises DecodeError if the row is damaged."""
    if len(packed) % CELL:
        raise msgspec.DecodeError(
            f"a row of signals has {len(packed)} bytes, no multiple of {CELL}"
        )
    return list(map(hour_bytes(hour).__add__, cells_in(packed)))


def insert_signals(
    connection: sqlite3.Connection, signals: Mapping[tuple[SignalKey, int], bytes]
) -> None:
    """Write signals and their callers; signals that are stored already are not stored twice.

    ``signals`` has sorted, distinct cells by (what the signals have in common, hour)."""
    numbers = {
        caller: _caller_number(connection, caller)
        for caller in sorted({key.caller for key, _ in signals})
    }
    _add(
        connection,
        {
            (numbers[key.caller], key.flag, key.issued_key, hour): cells
            for (key, hour), cells in signals.items()
        },
    )


def all_signals(query: Callable[..., Iterable[Any]]) -> Iterator[tuple[str, int, bytes]]:
    """Yield the flag, the time and the identity of all signals."""
    for flag, hour, packed in query("SELECT flag, hour, events FROM signal"):
        for event in unpack_signals(hour, packed):
            yield flag, signal_time(event), signal_identity(event)


def change_signals(
    connection: sqlite3.Connection, change: Callable[[int, bytes], int | None]
) -> None:
    """Set the time of each signal to what ``change`` returns; delete the signal if that is None.

    ``change`` is called with the time (epoch seconds) and the identity."""
    changed: dict[_RowKey, bytes] = {}
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
            for at, cells in cells_by_hour(after).items():
                unite_cells(changed, (*key, at), cells)
    _add(connection, changed)


def cells_by_hour(events: Iterable[SignalEvent]) -> dict[int, bytes]:
    """Return the sorted, distinct cells of signals, by hour."""
    by_hour: dict[int, list[bytes]] = defaultdict(list)
    for event in events:
        by_hour[hour_of(event)].append(event[HOUR_SIZE:])
    return {hour: join_cells(cells) for hour, cells in by_hour.items()}


def unite_cells(rows: dict[_Key, bytes], key: _Key, cells: bytes) -> None:
    """Merge cells into those of a row."""
    present = rows.setdefault(key, cells)
    if present != cells:
        rows[key] = join_cells(cells_in(present + cells))


def _add(connection: sqlite3.Connection, rows: Mapping[_RowKey, bytes]) -> None:
    """Insert rows, most of which are new; merge the others into the stored rows."""
    added = connection.executemany(_INSERT, ((*key, cells) for key, cells in rows.items()))
    if added.rowcount == len(rows):
        return
    for key, cells in rows.items():
        ((packed,),) = connection.execute(f"SELECT events {_ROW}", key)
        if packed != cells:
            cells = join_cells(cells_in(packed + cells))
            connection.execute(f"UPDATE signal SET events = ? {_SAME}", (cells, *key))


def _caller_number(connection: sqlite3.Connection, caller: SignalCaller) -> int:
    """Return the number of a caller; store the caller if it is new."""
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
