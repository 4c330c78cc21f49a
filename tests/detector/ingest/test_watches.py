"""Watches: what is read after one was made is seen, once, however it arrives."""

from __future__ import annotations

import gzip
import random
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.detection.indicator import parse_indicators
from detector.ingest import watch_search
from detector.store import Store
from detector.store.decisions.watch_table import WatchChunks
from detector.store.recovery import Recovery
from detector.triage import watch as watches
from detector.triage.watch import Sighting, WatchRow
from tests.clock import Clock
from tests.detector.trail import ANA, Raw, call, document, lines, rules, scan, watch, write

BOB = ANA.replace("ana", "bob")
KEY = "AKIAIOSFODNN7EXAMPLE"
EVENT = "0d9e6f2a-0000-4000-8000-000000000000"


def watch_for(store: Store, text: str, label: str = "") -> None:
    store.watches.add(parse_indicators(text).indicators, label)


def seen(store: Store) -> dict[str, int]:
    return {row.watch.indicator.text: row.sightings for row in store.watches.all()}


def by_key(at: int, key: str = KEY) -> Raw:
    record = call(at)
    return {**record, "userIdentity": {**record["userIdentity"], "accessKeyId": key}}


@pytest.mark.parametrize(
    ("text", "record"),
    [
        (BOB, call(5, arn=BOB)),
        (KEY, by_key(5)),
        ("198.51.100.7", call(5, sourceIPAddress="198.51.100.7")),
        ("198.51.100.0/24", call(5, sourceIPAddress="198.51.100.9")),
        ("2001:db8::/32", call(5, sourceIPAddress="2001:db8::1")),
        ("999988887777", call(5, recipientAccountId="999988887777")),
        ("kali", call(5, userAgent="aws-cli/2.15 kali")),
        (
            "0d9e6f2a-0000-4000-8000-000000000000",
            call(5, event_id="0d9e6f2a-0000-4000-8000-000000000000"),
        ),
    ],
)
def test_says_when_it_is_seen(tmp_path: Path, store: Store, text: str, record: Raw) -> None:
    write(tmp_path, "before.json", [call(0)])
    scan(tmp_path, store=store)
    watch_for(store, text)
    other = call(1, event_id="other")
    run = watch(
        store,
        tmp_path,
        lambda: write(tmp_path, "other.json", [other]),
        lambda: write(tmp_path, "again.json", [other, record]),
    )
    told = [row for update in run.updates for row in update.watches]
    [row] = told
    assert (row.sightings, row.new, row.state) == (1, 1, "seen")
    assert row.latest is not None
    assert row.latest.action == "DescribeInstances"
    assert not store.watches.chunks_to_search()


def test_nothing_is_searched_without_a_watch(tmp_path: Path, store: Store) -> None:
    write(tmp_path, "a.json", [call(0)])
    scan(tmp_path, store=store)
    watch_for(store, BOB)
    scan(tmp_path, store=store)
    assert seen(store) == {BOB: 0}


def test_a_log_that_grows_is_seen_from_there_on(tmp_path: Path, store: Store) -> None:
    log = write(tmp_path, "log.jsonl", lines([call(0), call(1)]))
    scan(tmp_path, store=store)
    watch_for(store, ANA)

    def grow() -> None:
        with log.open("ab") as file:
            file.write(lines([call(2)]))

    watch(store, tmp_path, grow)
    assert seen(store) == {ANA: 1}


def test_changed_rules_bring_nothing_new(tmp_path: Path, store: Store) -> None:
    write(tmp_path, "a.json", [call(0)])
    scan(tmp_path, store=store)
    watch_for(store, ANA)
    scan(tmp_path, store=store, mode="sliding", by=rules("sliding"))
    assert seen(store) == {ANA: 0}


def test_a_file_that_is_away_is_searched_when_it_is_back(tmp_path: Path, store: Store) -> None:
    watch_for(store, ANA)
    path = write(tmp_path / "logs", "a.json", [call(0)])
    data = path.read_bytes()
    store.watches.chunks_to_search = dict  # type: ignore[method-assign]
    scan(tmp_path / "logs", store=store)
    del store.watches.chunks_to_search
    path.unlink()
    scan(tmp_path / "logs", store=store)
    assert list(store.watches.chunks_to_search()) == [str(path)]
    path.write_bytes(data)
    scan(tmp_path / "logs", store=store)
    assert seen(store) == {ANA: 1}


def test_acknowledged_lifted_and_undone(tmp_path: Path, store: Store) -> None:
    watch_for(store, f"{ANA}\n{KEY}", "case 7")
    write(tmp_path, "a.json", [call(0)])
    scan(tmp_path, store=store)
    first, second = store.watches.all()
    assert (first.state, second.state, first.watch.label) == ("seen", "waiting", "case 7")
    store.watches.acknowledge([first.watch.watch_id])
    assert [row.state for row in store.watches.all()] == ["waiting", "waiting"]
    store.undo()
    assert [row.state for row in store.watches.all()] == ["seen", "waiting"]
    store.watches.lift([first.watch.watch_id])
    write(tmp_path, "b.json", [call(1)])
    scan(tmp_path, store=store)
    assert seen(store) == {ANA: 1, KEY: 0}
    store.undo()
    store.undo()  # the two watches
    assert {row.state for row in store.watches.all()} == {"undone"}
    watch_for(store, ANA)
    assert [watch.indicator.text for watch in store.watches.active()] == [ANA]
    assert not store.watches.add(parse_indicators(ANA).indicators)


def test_only_the_latest_sightings_are_kept(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("detector.store.decisions.watch_table.MOST_SIGHTINGS", 3)
    monkeypatch.setattr(watches, "MOST_SIGHTINGS", 3)
    watch_for(store, ANA)
    for at in (5, 1, 4, 2, 3):
        write(tmp_path, f"{at}.json", [call(at)])
        scan(tmp_path, store=store)
    [row] = store.watches.all()
    times = [sighting.time for sighting in store.watches.sightings(row.watch.watch_id)]
    assert [time % 60 for time in times] == [5, 4, 3]
    assert row.count == "3 or more"


def test_what_is_found_while_another_is_acknowledged_is_new(tmp_path: Path) -> None:
    """A search may take minutes; what it writes at its end was not seen by anybody before."""
    clock = Clock(1_772_360_000.0, step=1.0)
    with closing(Store.open(None, clock)) as store:
        watch_for(store, ANA)
        [watched] = store.watches.active()
        add_sightings = store.watches.add_sightings

        def acknowledge_first(
            sightings: Sequence[Sighting], searched: WatchChunks
        ) -> tuple[WatchRow, ...]:
            store.watches.acknowledge([watched.watch_id])
            return add_sightings(sightings, searched)

        store.watches.add_sightings = acknowledge_first  # type: ignore[method-assign, assignment]
        write(tmp_path, "a.json", [call(0)])
        scan(tmp_path, store=store)
        assert [row.new for row in store.watches.all()] == [1]


def test_sightings_are_written_in_batches(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_search, "_BATCH", 2)
    watch_for(store, f"{ANA}\nkali")
    write(tmp_path, "a.json", [call(at) for at in range(3)])
    write(tmp_path, "b.json", [call(at) for at in range(3, 5)])
    scan(tmp_path, store=store)
    assert seen(store) == {ANA: 5, "kali": 0}
    assert not store.watches.chunks_to_search()


def test_a_damaged_state_gives_its_watches_back(tmp_path: Path) -> None:
    with closing(Store.open(tmp_path / "hunt.db")) as store:
        watch_for(store, ANA)
    with closing(Store.open(tmp_path / "saved.db")) as saved:
        Recovery(saved.database).save(tmp_path / "hunt.db")
        assert seen(saved) == {ANA: 0}


RECORDS = [
    call(at, arn=arn, sourceIPAddress=address)
    for at, (arn, address) in enumerate(
        (arn, address) for arn in (ANA, BOB) for address in ("203.0.113.7", "198.51.100.9", "::1")
    )
]


@settings(max_examples=25, deadline=None)
@given(
    split=st.lists(st.sampled_from(RECORDS), max_size=14),
    files=st.integers(1, 4),
    seed=st.integers(0, 9),
    packed=st.booleans(),
)
def test_sightings_are_the_events_whatever_the_delivery(
    tmp_path_factory: pytest.TempPathFactory,
    split: Sequence[Raw],
    files: int,
    seed: int,
    packed: bool,
) -> None:
    root = tmp_path_factory.mktemp("logs")
    shuffled = list(split)
    random.Random(seed).shuffle(shuffled)
    texts = (BOB, "203.0.113.0/24", "198.51.100.9", "aws-cli")
    with closing(Store.open(None)) as store:
        watch_for(store, "\n".join(texts))
        for number in range(files):
            data = document(shuffled[number::files])
            if packed:
                data = gzip.compress(data)
            write(root, f"{number}.json{'.gz' * packed}", data)
            scan(root, store=store)
        expected = {
            BOB: {each["eventID"] for each in split if each["userIdentity"]["arn"] == BOB},
            "203.0.113.0/24": {
                each["eventID"] for each in split if each["sourceIPAddress"] == "203.0.113.7"
            },
            "198.51.100.9": {
                each["eventID"] for each in split if each["sourceIPAddress"] == "198.51.100.9"
            },
            "aws-cli": {each["eventID"] for each in split},
        }
        assert seen(store) == {text: len(ids) for text, ids in expected.items()}
