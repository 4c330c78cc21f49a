"""What principals did is read as of one moment, and damage to it is said to be so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from detector.detection.activity.activity import ALL_DAYS, SessionOpening, ValueCount
from detector.detection.activity.actor import Actor
from detector.detection.activity.chunk import ChunkActivity, GroupCount
from detector.detection.activity.parts import CallOutcome
from detector.store import Damaged, Store
from detector.store.activity.pending_bodies import pack_bodies
from detector.text.time import DAY

ANA = Actor("role", "arn:ana", "i-1")
NETWORK = "ec2.amazonaws.com"
NUMBER = 20_000
START = NUMBER * DAY
SPAN = START, START + 9

Reading = Callable[[Store], object]
READINGS: dict[str, Reading] = {
    "days": lambda store: store.activity.read(*ALL_DAYS).days,
    "days of one": lambda store: store.activity.read(*ALL_DAYS, ANA).days,
    "each principal": lambda store: dict(store.activity.each_principal(*ALL_DAYS)),
    "with a network": lambda store: store.activity.principals_with(
        "network", NETWORK.__eq__, *ALL_DAYS
    ),
    "with a session": lambda store: store.activity.principals_with(
        "session", "i-1".__eq__, *ALL_DAYS
    ),
    "sessions": lambda store: store.activity.sessions(),
    "first calls": lambda store: store.activity.first_seen(),
    "principals": lambda store: store.activity.principals(),
    "openings": lambda store: store.activity.openings(),
}
OF_DAYS = ["days", "days of one", "each principal", "with a network", "with a session", "sessions"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A state in which a day waits to be added up."""
    activity = ChunkActivity(
        [ANA],
        [(NETWORK, "aws-cli", "", "")],
        ["eu-west-1"],
        [CallOutcome("ec2.amazonaws.com:DescribeVpcs", False, False, False)],
        [GroupCount(0, 0, 0, NUMBER, *SPAN, 1, {0: 2})],
        [(SessionOpening(ANA, ANA), SPAN)],
    )
    with closing(Store.open(tmp_path / "hunt.db")) as store:
        with store.database.transaction() as db:
            db.executemany(
                "INSERT INTO activity_pending (body) VALUES (?)",
                [(row,) for row in pack_bodies([activity.encode()])],
            )
        yield store


@pytest.mark.parametrize("statement", range(1, 5))
@pytest.mark.parametrize("name", READINGS)
def test_what_another_process_adds_up_meanwhile_is_read_once(
    store: Store, name: str, statement: int
) -> None:
    """The fold comes before each statement in turn."""
    before = READINGS[name](store)
    assert before
    left = statement

    def fold(_: str) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            with closing(Store.open(store.database.path)) as other:
                other.activity.fold()

    store.database._reader.set_trace_callback(fold)
    assert READINGS[name](store) == before
    store.database._reader.set_trace_callback(None)
    store.activity.fold()
    assert READINGS[name](store) == before
    assert not store.database.rows("SELECT * FROM activity_pending")


def _body(values: list[int], first: int = 0, last: int = 9) -> bytes:
    return msgspec.msgpack.encode([1, 0, 0, 0, first, last, 1, values, {"i-1": ValueCount(1)}])


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\x78\x01damaged", id="compressed"),
        pytest.param(_body([1, 2, 3]), id="value cut off"),
        pytest.param(_body([], first=-5), id="before its day"),
        pytest.param(_body([], last=1 << 60), id="after its day"),
    ],
)
@pytest.mark.parametrize("name", OF_DAYS)
def test_damaged_day_is_reported(store: Store, name: str, body: bytes) -> None:
    store.activity.fold()
    with store.database.transaction() as db:
        db.execute("UPDATE principal_day SET body = ?", (body,))
    with pytest.raises(Damaged, match="doctor"):
        READINGS[name](store)


@pytest.mark.parametrize("change", ["body = x'90'", "day = 1 << 30"])
@pytest.mark.parametrize("name", OF_DAYS[:3])
def test_damaged_date_and_day_are_reported(store: Store, name: str, change: str) -> None:
    store.activity.fold()
    with store.database.transaction() as db:
        db.execute(f"UPDATE principal_day SET {change}")
    with pytest.raises(Damaged):
        READINGS[name](store)


@pytest.mark.parametrize("number", [7, -(1 << 62)])
@pytest.mark.parametrize("name", OF_DAYS[:3])
def test_value_that_is_not_known_is_damage(store: Store, name: str, number: int) -> None:
    store.activity.fold()
    with store.database.transaction() as db:
        db.execute("DELETE FROM activity_value")
        db.execute("UPDATE principal_day SET body = ?", (_body([number, 1, 0, 0, 0, 0]),))
    with pytest.raises(Damaged):
        READINGS[name](store)


@pytest.mark.parametrize("name", READINGS)
def test_damage_to_what_waits_is_reported(store: Store, name: str) -> None:
    with store.database.transaction() as db:
        db.execute("UPDATE activity_pending SET body = x'9192'")
    with pytest.raises(Damaged):
        READINGS[name](store)
    with pytest.raises(Damaged):
        store.activity.fold()


def test_damaged_day_is_reported_when_it_is_added_to(store: Store) -> None:
    with store.database.transaction() as db:
        waiting = db.execute("SELECT body FROM activity_pending").fetchall()
    store.activity.fold()
    with store.database.transaction() as db:
        db.executemany("INSERT INTO activity_pending (body) VALUES (?)", waiting)
        db.execute("UPDATE principal_day SET body = ?", (_body([7, 1, 0, 0, 0, 0]),))
    with pytest.raises(Damaged):
        store.activity.fold()
    assert store.database.rows("SELECT body FROM activity_pending") == waiting
