"""Days of principals are stored without loss, and those of older states get names of sessions."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.detection.activity.activity import (
    MORE,
    VALUE_KINDS,
    DayActivity,
    SessionOpening,
    ValueCount,
)
from detector.detection.activity.actor import Actor
from detector.store import Store, schema
from detector.store.migrations.session_names import SESSION_NAMES
from detector.store.packing.stored_day import decode_day, numbered_values, pack_day, unpack_day
from detector.text.time import DAY

DAY_NUMBER = 20_000
START = DAY_NUMBER * DAY

seconds = st.integers(START, START + DAY - 1)
numbers = st.integers(0, 1 << 40)
counts = st.builds(ValueCount, numbers, numbers, numbers) | st.builds(
    ValueCount, numbers, numbers, numbers, seconds, seconds
)
values = st.dictionaries(
    st.sampled_from(VALUE_KINDS), st.dictionaries(st.text(max_size=40), counts, min_size=1)
)
days = st.builds(DayActivity, numbers, numbers, numbers, numbers, seconds, seconds, numbers, values)


@given(days)
def test_day_is_stored_without_loss(day: DayActivity) -> None:
    names = list(numbered_values(day))
    assert all(kind != "session" for kind, _ in names)
    body = pack_day(day, DAY_NUMBER, {name: number for number, name in enumerate(names)})
    assert unpack_day(body, DAY_NUMBER, dict(enumerate(names))) == day


def test_large_day_is_compressed_and_a_small_one_is_not() -> None:
    sessions = {f"session-{number}": ValueCount(1) for number in range(100)}
    large = pack_day(
        DayActivity(values={"session": sessions}, first=START, last=START), DAY_NUMBER, {}
    )
    assert len(large) < 1200
    assert decode_day(large).sessions.keys() == sessions.keys()
    small = pack_day(DayActivity(calls=1, first=START, last=START), DAY_NUMBER, {})
    assert len(small) < 20


@pytest.mark.parametrize("body", [b"", b"\x78", b"\x78\x01damaged", b"\x90", b"\xff"])
def test_damaged_day_is_said_to_be_so(body: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_day(body)


def test_days_of_an_older_state_get_the_names_of_their_sessions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "hunt.db"
    version = schema.MIGRATIONS.index(SESSION_NAMES)
    with closing(sqlite3.connect(path, isolation_level=None)) as db, monkeypatch.context() as older:
        older.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:version])
        older.setattr(schema, "SCHEMA_VERSION", version)
        schema.migrate(db)
        db.execute("INSERT INTO principal VALUES (1, 'role', 'arn:r', 9), (2, 'user', 'ana', 9)")
        db.execute(
            "INSERT INTO activity_value VALUES (1, 'session', 'i-1'), (2, 'region', 'eu-west-1'), "
            "(3, 'session', 'opened'), (4, 'session', '')"
        )
        db.execute("INSERT INTO session_opening VALUES (2, 0, 1, 3, 5, 6)")
        packed = [
            *(1, 2, 1, 0, 60, 121),
            *(2, 3, 0, 0, 0, 0),
            *(3, 1, 0, 1, 0, 1),
            *(4, 0, 0, 0, 0, 0),
        ]
        body = msgspec.msgpack.encode([3, 1, 1, 2, 0, 120, 1, packed])
        db.execute("INSERT INTO principal_day VALUES (1, ?, ?)", (DAY_NUMBER, body))
    with closing(Store.open(path)) as store:
        (day,) = store.activity.read(DAY_NUMBER, DAY_NUMBER + 1).days.values()
        assert day == DayActivity(
            *(3, 1, 1, 2, START, START + 120, 1),
            {
                "region": {"eu-west-1": ValueCount(3)},
                "session": {
                    "i-1": ValueCount(2, 1, 0, START + 60, START + 120),
                    "opened": ValueCount(1, 0, 1, START, START),
                    MORE: ValueCount(),
                },
            },
        )
        opening = SessionOpening(Actor("user", "ana"), Actor("role", "arn:r", "opened"))
        assert store.activity.openings() == {opening: (5, 6)}
        assert store.activity.sessions() is None
        found = store.activity.principals_with("session", "i-1".__eq__, 0, 1 << 30)
        assert found == {Actor("role", "arn:r")}
        left = store.database.rows("SELECT value FROM activity_value ORDER BY value_id")
        assert left == [("eu-west-1",), ("opened",)]
