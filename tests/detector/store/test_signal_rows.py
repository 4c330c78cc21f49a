"""The packed rows of signals, against a set of single ones."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.detection.signals.signal_event import (
    SignalEvent,
    moment,
    signal_identity,
    signal_time,
)
from detector.detection.signals.signal_index import SignalCaller, SignalKey
from detector.store import schema
from detector.store.migrations.packed_signals import PACKED_SIGNALS
from detector.store.packing.signal_cells import pack_hours
from detector.store.packing.signal_rows import (
    all_signals,
    cells_by_hour,
    change_signals,
    insert_signals,
    unpack_signals,
)

Found = dict[SignalKey, list[SignalEvent]]
CALLERS = SignalCaller("arn:a", "AKIA1", ""), SignalCaller("arn:a", "AKIA1", "role/r")
keys = st.builds(
    SignalKey,
    st.sampled_from(CALLERS),
    st.sampled_from(["iam-change", "snapshot"]),
    st.sampled_from(["", "ASIA1"]),
)
TIMES = (-3601, -1, 0, 3599, 3600, 7200)
events = st.builds(
    lambda time, number: moment(time) + bytes([number]) * 16,
    st.sampled_from(TIMES),
    st.integers(0, 3),
)
found = st.dictionaries(keys, st.lists(events, max_size=6), max_size=4)
_READ = """
SELECT arn, access_key, role_arn, flag, issued_key, hour, events
FROM signal JOIN signal_caller USING (caller_id)
"""


def opened(version: int = schema.SCHEMA_VERSION) -> sqlite3.Connection:
    """Open an empty state of a version in memory."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:version])
        patch.setattr(schema, "SCHEMA_VERSION", version)
        schema.migrate(connection)
    return connection


def query(connection: sqlite3.Connection, sql: str, *parameters: Any) -> list[Any]:
    return connection.execute(sql, parameters).fetchall()


def stored(connection: sqlite3.Connection) -> set[tuple[SignalKey, SignalEvent]]:
    """Return all signals; each row has those of its hour in order, once."""
    signals: list[tuple[SignalKey, SignalEvent]] = []
    for arn, access_key, role_arn, flag, issued_key, hour, packed in query(connection, _READ):
        key = SignalKey(SignalCaller(arn, access_key, role_arn), flag, issued_key)
        of_row = unpack_signals(hour, packed)
        assert of_row
        assert of_row == sorted(set(of_row))
        assert {signal_time(event) // 3600 for event in of_row} == {hour}
        signals += [(key, event) for event in of_row]
    assert len(signals) == len(set(signals))
    return set(signals)


def singles(signals: Found) -> set[tuple[SignalKey, SignalEvent]]:
    return {(key, event) for key, of_key in signals.items() for event in of_key}


def rows_of(signals: Found) -> dict[tuple[SignalKey, int], bytes]:
    """Return signals as the cells of hours."""
    return {
        (key, hour): cells
        for key, of_key in signals.items()
        for hour, cells in cells_by_hour(of_key).items()
    }


@given(st.lists(st.tuples(st.integers(0, 3), events), min_size=1, max_size=12))
def test_signals_of_columns_are_packed_as_single_ones(
    claims: list[tuple[int, SignalEvent]],
) -> None:
    found = pack_hours(
        [group for group, _ in claims],
        [signal_time(event) for _, event in claims],
        b"".join(signal_identity(event) for _, event in claims),
    )
    expected = {
        (group, hour): cells
        for group in {group for group, _ in claims}
        for hour, cells in cells_by_hour([each for of, each in claims if of == group]).items()
    }
    assert {(group, hour): cells for group, hour, cells in found} == expected


@given(st.lists(found, max_size=4), st.dictionaries(st.integers(0, 3), st.sampled_from(TIMES)))
def test_signals_are_kept_once_moved_and_deleted(parts: list[Found], moved: dict[int, int]) -> None:
    """Of the identities that are moved, those to time 0 are deleted instead."""
    with closing(opened()) as connection:
        expected: set[tuple[SignalKey, SignalEvent]] = set()
        for part in parts:
            insert_signals(connection, rows_of(part))
            expected |= singles(part)
        assert stored(connection) == expected
        flagged = [
            (key.flag, signal_time(event), signal_identity(event)) for key, event in expected
        ]
        assert sorted(all_signals(partial(query, connection))) == sorted(flagged)

        def change(time: int, identity: bytes) -> int | None:
            return moved.get(identity[0], time) or None

        change_signals(connection, change)
        assert stored(connection) == {
            (key, moment(at) + signal_identity(event))
            for key, event in expected
            if (at := change(signal_time(event), signal_identity(event))) is not None
        }


@given(found)
def test_the_signals_of_an_older_state_are_packed(signals: Found) -> None:
    """It had one issued key for each event of a caller and flag."""
    signals = {key: of_key for key, of_key in signals.items() if _is_single(key, signals)}
    before = schema.MIGRATIONS.index(PACKED_SIGNALS)
    with closing(opened(before)) as connection:
        for caller in CALLERS:
            connection.execute(
                "INSERT INTO signal_caller (arn, access_key, role_arn) VALUES (?, ?, ?)", caller
            )
        for key, event in singles(signals):
            connection.execute(
                "INSERT INTO signal (caller_id, time, identity, flag, issued_key) "
                "SELECT caller_id, ?, ?, ?, ? FROM signal_caller WHERE role_arn = ?",
                (
                    *(signal_time(event), signal_identity(event)),
                    *(key.flag, key.issued_key, key.caller.role_arn),
                ),
            )
        schema.migrate(connection)
        assert stored(connection) == singles(signals)


def _is_single(key: SignalKey, signals: Found) -> bool:
    return not key.issued_key or key._replace(issued_key="") not in signals


def test_a_damaged_row_is_told() -> None:
    with pytest.raises(msgspec.DecodeError, match="19 bytes, no multiple of 18"):
        unpack_signals(0, bytes(19))
