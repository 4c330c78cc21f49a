"""Eviction of old windows: nothing of an alert, nothing written, nothing silently."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.store import RETENTION, IngestHeld, StateError, Store
from detector.text.time import parse_time
from detector.triage.note import NoteBody
from tests.clock import Clock
from tests.detector.strategies import Trail, trails
from tests.detector.trail import (
    ANA,
    REFERENCE,
    REGIONS,
    START,
    Raw,
    adds_up,
    call,
    outcome,
    rules,
    scan,
    sweep,
    watch,
    write,
)

DAY = 86_400


def later(days: int, *records: Raw) -> list[Raw]:
    """These records so many days later."""
    return [
        {
            **record,
            "eventTime": f"2026-{3 + days // 31:02d}-{1 + days % 31:02d}{record['eventTime'][10:]}",
            "eventID": f"{days}-{record['eventID']}",
        }
        for record in records
    ]


@pytest.fixture
def clock() -> Clock:
    return Clock(START + 3600.0)


@pytest.fixture
def store(clock: Clock) -> Iterator[Store]:
    with closing(Store.open(None, clock)) as store:
        yield store


def hits(store: Store) -> int:
    return sum(count.hits for count in store.rules.counts().values())


def test_evict_drops_old_windows_without_alert(store: Store, clock: Clock, tmp_path: Path) -> None:
    write(tmp_path, "a.json", [*sweep(10), *sweep(9, 600), call(1200)])
    write(tmp_path, "b.json", later(40, *sweep(10)))
    store.triage.add_notes([scan(tmp_path, store=store).alerts[1]], NoteBody("mine"))
    before = store.alerts.all()
    events = store.alerts.events(before[1].alert_id)
    clock.now += 10 * DAY
    assert store.retention.evict(RETENTION) == (0, 0), "what was read lately may be an archive"
    clock.now += 32 * DAY
    assert store.retention.evict(RETENTION) == (10, 10)
    assert (store.alerts.all(), store.alerts.events(before[1].alert_id), hits(store)) == (
        before,
        events,
        20,
    )
    assert [note.body.text for note in store.triage.notes()] == ["mine"]
    assert scan(tmp_path, store=store).accounting.late_dropped == 0, "nothing is read again for it"


def test_segments_of_kept_alerts_stay_as_they_are(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """Only those from which something goes are written anew."""
    for name, records in (
        ("a", sweep(10)),
        ("b", [*sweep(10, 600), call(1200)]),
        ("c", later(40, *sweep(10))),
    ):
        write(tmp_path, f"{name}.json", records)
        scan(tmp_path, store=store)
    query = "SELECT segment_id FROM segment ORDER BY first"
    before = store.database.rows(query)
    clock.now += 42 * DAY
    assert store.retention.evict(RETENTION) == (1, 1)
    after = store.database.rows(query)
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, True]


def test_record_for_evicted_window_is_counted_as_late(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    write(tmp_path, "a.json", [*sweep(6), *sweep(10, 60)])
    write(tmp_path, "b.json", later(40, *sweep(10)))
    before = scan(tmp_path, store=store)
    clock.now += 42 * DAY
    store.retention.evict(RETENTION)
    late = [call(1, region) for region in REGIONS[6:]]
    write(tmp_path, "c.json", late)
    write(tmp_path, "d.json", [*late, *sweep(6)])
    run = scan(tmp_path, store=store)
    assert run.alerts == before.alerts
    sums = run.accounting
    assert (sums.late_dropped, sums.records_duplicate) == (8 + 6, 8), (
        "it is not known of evicted records that they came"
    )
    assert (sums.records_seen, sums.records_read) == (26 + 8 + 14,) * 2
    assert adds_up(sums)


def test_duplicate_for_kept_alert_is_not_late(store: Store, clock: Clock, tmp_path: Path) -> None:
    """The windows around it are evicted; those at its time are whole."""
    write(tmp_path, "a.json", [call(0), *sweep(10, 60), call(120)])
    write(tmp_path, "b.json", later(40, *sweep(10)))
    scan(tmp_path, store=store)
    clock.now += 42 * DAY
    store.retention.evict(RETENTION)
    write(tmp_path, "c.json", sweep(10, 60))
    run = scan(tmp_path, store=store)
    assert (run.accounting.records_duplicate, run.accounting.late_dropped) == (10, 0)


def test_records_outside_of_evicted_spans_are_merged(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """Those of other principals, and of other times of the same one."""
    write(tmp_path, "a.json", sweep(9))
    write(tmp_path, "b.json", later(40, *sweep(10)))
    scan(tmp_path, store=store)
    clock.now += 42 * DAY
    assert store.retention.evicted_until(REFERENCE) is None
    assert store.retention.evict(RETENTION) == (9, 9)
    assert store.retention.evicted_until(REFERENCE) == START + 30
    assert store.retention.evicted_until("another rule") is None
    write(tmp_path, "c.json", [*sweep(12, -3600 + 120), *sweep(11, arn=ANA + "2")])
    run, undisturbed = scan(tmp_path, store=store), scan(tmp_path)
    assert (run.facts, run.accounting) == (undisturbed.facts, undisturbed.accounting)


def test_evicted_windows_are_read_again_for_a_new_mode(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """Windows that are no longer whole cannot be cut in another mode."""
    write(tmp_path, "a.json", [*sweep(5, 25), *(call(31, region) for region in REGIONS[5:])])
    write(tmp_path, "b.json", later(40, *sweep(10)))
    assert len(scan(tmp_path, store=store).alerts) == 1
    clock.now += 42 * DAY
    store.retention.evict(RETENTION)
    run, undisturbed = scan(tmp_path, store=store, mode="sliding"), scan(tmp_path, mode="sliding")
    assert len(run.alerts) == 2
    assert (run.facts, run.accounting) == (undisturbed.facts, undisturbed.accounting)


def test_record_within_reach_of_evicted_hits_is_late(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """A sliding window may reach into an evicted span."""
    write(tmp_path, "a.json", [*sweep(9, 29), call(200)])
    scan(tmp_path, store=store, mode="sliding")
    clock.now += DAY
    assert store.retention.evict(170) == (9, 9)
    write(tmp_path, "b.json", [call(31, REGIONS[9]), *sweep(10, 150)])
    run = scan(tmp_path, store=store, mode="sliding")
    assert ([alert["first_event"] for alert in run.facts], run.accounting.late_dropped) == (
        ["2026-03-01T10:02:30Z"],
        1,
    )


def test_live_run_evicts_and_scan_does_not(clock: Clock, tmp_path: Path) -> None:
    write(tmp_path / "logs", "a.json", sweep(9))
    write(tmp_path / "logs", "b.json", later(40, *sweep(10)))
    clock.now += 41 * DAY
    with closing(Store.open(None, clock)) as store:
        watch(store, tmp_path / "logs", clock=clock, retention=RETENTION)
        clock.now += 32 * DAY
        scan(tmp_path / "logs", store=store, clock=clock)
        assert hits(store) == 19
        watch(store, tmp_path / "logs", clock=clock)
        assert hits(store) == 19
        watch(store, tmp_path / "logs", clock=clock, retention=RETENTION)
        assert hits(store) == 10


@pytest.mark.parametrize("mode", ["tumbling", "sliding"])
@settings(max_examples=15)
@given(trails(), st.integers(0, 240), st.data())
def test_evict_changes_no_alert_and_merges_young_records(
    mode: str, trail: Trail, age: int, data: st.DataObject
) -> None:
    """Later records within the retention give what they would have given."""
    with tempfile.TemporaryDirectory() as folder:
        clock = Clock(START + 3600.0)
        early, late = _split(trail, data.draw(st.sets(st.integers(0, len(trail) - 1), max_size=6)))
        write(Path(folder), "a.json", early)
        with closing(Store.open(None, clock)) as store:
            before = scan(Path(folder), store=store, mode=mode)
            clock.now += 2 * DAY
            store.retention.evict(age)
            assert outcome(store).alerts == before.alerts
            assert store.files.accounting() == before.accounting
            horizon = (store.files.newest_event_time() or 0) - age
            if mode == "sliding":
                horizon += 60  # hits affect windows that far away
            young = [
                record
                for record in late
                if (time := parse_time(record.get("eventTime"))) and time >= horizon
            ]
            write(Path(folder), "b.json", young)
            run, undisturbed = (
                scan(Path(folder), store=store, mode=mode),
                scan(Path(folder), mode=mode),
            )
            assert run.facts == undisturbed.facts
            assert run.accounting == undisturbed.accounting
            os.remove(Path(folder, "b.json"))
            write(Path(folder), "c.json", late)
            late_run = scan(Path(folder), store=store, mode=mode)
            for alert in before.alerts:
                assert alert.alert_id in {each.alert_id for each in late_run.alerts} or any(
                    alert.alert_id in each.supersedes for each in late_run.alerts
                )
            assert adds_up(late_run.accounting)


def _split(trail: Sequence[Raw], late: set[int]) -> tuple[list[Raw], list[Raw]]:
    return (
        [record for index, record in enumerate(trail) if index not in late],
        [record for index, record in enumerate(trail) if index in late],
    )


# vacuum


def test_vacuum_gives_the_space_back(clock: Clock, tmp_path: Path) -> None:
    write(
        tmp_path / "logs",
        "a.json",
        [call(30 * number, region) for number, region in product(range(200), REGIONS[:9])],
    )
    write(tmp_path / "logs", "b.json", later(40, *sweep(10)))
    path = tmp_path / "hunt.db"
    with closing(Store.open(path, clock)) as store:
        before = scan(tmp_path / "logs", store=store)
    clock.now += 42 * DAY
    with closing(Store.open(path, clock)) as store:
        result = store.retention.vacuum(RETENTION)
        assert (result.hits, result.events) == (1800, 1800)
        assert result.before - result.after > 1800 * 16  # an identity of each hit at the least
        assert path.stat().st_size == result.after
        assert outcome(store) == outcome(store)
        assert (store.alerts.all(), store.files.accounting()) == (before.alerts, before.accounting)
        assert store.retention.vacuum(RETENTION).hits == 0
        with (
            closing(Store.open(path, clock)) as other,
            pytest.raises(IngestHeld, match="close it there"),
        ):
            other.retention.vacuum(RETENTION)


def pages_of(path: Path) -> tuple[int, int]:
    """Return how many pages a closed state has free, and whether freed ones are given back."""
    with closing(sqlite3.connect(path)) as connection:
        free, kept = (
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("freelist_count", "auto_vacuum")
        )
    return free, kept


def fill(store: Store) -> None:
    """Write and delete what takes some pages."""
    with store.database.transaction() as connection:
        connection.execute("CREATE TABLE passing (body BLOB)")
        connection.executemany("INSERT INTO passing VALUES (?)", [(bytes(9000),)] * 20)
        connection.execute("DROP TABLE passing")


def test_scan_gives_freed_pages_back(clock: Clock, tmp_path: Path) -> None:
    write(tmp_path / "logs", "a.json", sweep(12))
    path = tmp_path / "hunt.db"
    with closing(Store.open(path, clock)) as store:
        fill(store)
        scan(tmp_path / "logs", store=store)
    assert pages_of(path) == (0, 2)


def test_older_state_gives_freed_pages_back_once_it_was_compacted(
    clock: Clock, tmp_path: Path
) -> None:
    path = tmp_path / "hunt.db"
    with closing(Store.open(path, clock)):
        pass
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("VACUUM")
    with closing(Store.open(path, clock)) as store:
        fill(store)
        store.retention.release_free_pages()
    assert pages_of(path)[0] > 40
    with closing(Store.open(path, clock)) as store:
        store.retention.vacuum(RETENTION)
        fill(store)
        store.retention.release_free_pages()
    assert pages_of(path) == (0, 2)


def test_evict_is_all_or_nothing(store: Store, clock: Clock, tmp_path: Path) -> None:
    write(tmp_path, "a.json", sweep(9))
    write(tmp_path, "b.json", later(40, *sweep(10)))
    before = scan(tmp_path, store=store)
    clock.now += 42 * DAY
    assert store.database._writer is not None
    for step in ("DELETE ON segment", "INSERT ON segment", "UPDATE ON series"):
        store.database._writer.execute(
            f"CREATE TEMP TRIGGER full BEFORE {step} BEGIN SELECT RAISE(ABORT, 'full'); END"
        )
        with pytest.raises(StateError):
            store.retention.evict(RETENTION)
        assert (hits(store), store.alerts.all()) == (19, before.alerts)
        store.database._writer.execute("DROP TRIGGER full")
    assert store.retention.evict(RETENTION) == (9, 9)


def test_evict_keeps_windows_of_rules_with_unknown_reach(
    store: Store, clock: Clock, tmp_path: Path
) -> None:
    """An older state learns the reach when rules are in use."""
    write(tmp_path, "a.json", sweep(9))
    write(tmp_path, "b.json", later(40, *sweep(10)))
    scan(tmp_path, store=store)
    clock.now += 42 * DAY
    with store.database.transaction() as connection:
        connection.execute("UPDATE rule SET reach = NULL")
    assert store.retention.evict(RETENTION) == (0, 0)
    store.use(rules())
    assert store.retention.evict(RETENTION) == (9, 9)
