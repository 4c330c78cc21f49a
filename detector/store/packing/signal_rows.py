"""The rows of signals: a row has those of one caller and flag within an hour.

Inventory tools have thousands of signals in an hour. Packed, one takes 18 bytes.
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
    """Return the signals of a row in order. Raises DecodeError where it is damaged."""
    if len(packed) % CELL:
        raise msgspec.DecodeError(
            f"a row of signals has {len(packed)} bytes, no multiple of {CELL}"
        )
    return list(map(hour_bytes(hour).__add__, cells_in(packed)))


def insert_signals(
    connection: sqlite3.Connection, signals: Mapping[tuple[SignalKey, int], bytes]
) -> None:
    """Write signals with their callers; what is written already stays once.

    ``signals`` are cells in order, each once, by what they have in common and the hour."""
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
    """Give signals the time that ``change`` returns; delete those for which that is None."""
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
    """Return the cells of signals, in order and each once, by their hour."""
    by_hour: dict[int, list[bytes]] = defaultdict(list)
    for event in events:
        by_hour[hour_of(event)].append(event[HOUR_SIZE:])
    return {hour: join_cells(cells) for hour, cells in by_hour.items()}


def unite_cells(rows: dict[_Key, bytes], key: _Key, cells: bytes) -> None:
    """Add cells to those of a row."""
    present = rows.setdefault(key, cells)
    if present != cells:
        rows[key] = join_cells(cells_in(present + cells))


def _add(connection: sqlite3.Connection, rows: Mapping[_RowKey, bytes]) -> None:
    """Write rows, or add signals to those that are there: most are new."""
    added = connection.executemany(_INSERT, ((*key, cells) for key, cells in rows.items()))
    if added.rowcount == len(rows):
        return
    for key, cells in rows.items():
        ((packed,),) = connection.execute(f"SELECT events {_ROW}", key)
        if packed != cells:
            cells = join_cells(cells_in(packed + cells))
            connection.execute(f"UPDATE signal SET events = ? {_SAME}", (cells, *key))


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
