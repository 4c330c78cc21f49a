"""Files lie in packs, of which each row is found and changed as if it were alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from itertools import pairwise
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from detector.detection.digest import ChunkStats, Partial
from detector.sources.accounting import FileState
from detector.sources.source import SourceFile
from detector.store import Damaged, FileRead, FileRow, Store
from detector.store.file_table import add_duplicates, clear_places
from detector.store.files import file_edits
from detector.store.files.file_chunks import LONGEST_INDEX
from detector.store.files.file_edits import FULL_PACK, FileEdits
from detector.store.files.file_packs import FileIds, Paths, all_files, sums_of_files
from detector.store.files.stored_file import StoredFile, pack_files, unpack_files
from detector.store.packing.state_query import query_of
from tests.detector.store.file_rows import file_values
from tests.detector.trail import scan, sweep, write

NUMBERS = st.integers(-(1 << 63), (1 << 63) - 1)
COUNTS = st.integers(0, 1 << 40)
STATES = st.sampled_from(["read", "waiting", "skipped", "quarantined"])
TEXTS = st.none() | st.text(max_size=3)
BYTES = st.none() | st.binary(max_size=20)
stored_files = st.builds(
    StoredFile,
    st.binary(max_size=20),
    st.integers(0, 1 << 62),
    *[st.integers(0, (1 << 64) - 1)] * 2,
    st.integers(0, 1 << 62),
    st.integers(-(1 << 62), 1 << 62),
    STATES,
    TEXTS,
    TEXTS,
    COUNTS,
    BYTES,
    *[COUNTS] * 5,
    *[st.none() | st.integers(-(1 << 40), 1 << 40)] * 2,
    *[COUNTS] * 2,
    BYTES,
)


@pytest.fixture
def store() -> Iterator[Store]:
    with closing(Store.open(None)) as store:
        yield store


def read(
    path: str,
    *chunks: tuple[int, bytes],
    state: FileState = "read",
    reread: bool = False,
    first: int | None = 100,
) -> FileRead:
    """Return how a file was read, with chunks by offset and index of principals."""
    stats = {
        (path, offset): ChunkStats(
            offset + 10, 5, 2, {}, {"no-time": 1}, first, first and first + 9, principal_index=index
        )
        for offset, index in chunks
    }
    row = FileRow(SourceFile(path, 1, 2, 3, 4), state, fingerprint=b"0123456789abcdef")
    return FileRead(row, Partial(stats), reread)


def put(store: Store, *reads: FileRead) -> None:
    with store.database.transaction() as connection:
        edits = FileEdits(connection)
        store.files.put(connection, edits, reads)
        edits.write()


def edit(store: Store, change: Callable[[FileEdits], object]) -> None:
    with store.database.transaction() as connection:
        edits = FileEdits(connection)
        change(edits)
        edits.write()


def chunk_rows(store: Store) -> int:
    return int(store.database.value("SELECT count(*) FROM chunk"))


# --- packs


@given(st.lists(stored_files))
def test_rows_are_unpacked_as_they_were(files: list[StoredFile]) -> None:
    if files:
        assert unpack_files(pack_files(files)) == files


@given(st.data())
def test_damaged_pack_is_told(data: st.DataObject) -> None:
    body = bytearray(pack_files([StoredFile(b"a", 1), StoredFile(b"b", 2)]))
    index = data.draw(st.integers(0, len(body) - 1))
    body[index] ^= data.draw(st.integers(1, 255))
    with suppress(msgspec.MsgspecError):
        unpack_files(bytes(body))


def test_state_with_a_damaged_pack_says_so(store: Store) -> None:
    put(store, read("/a/x.json", (0, b"i")))
    with store.database.transaction() as connection:
        connection.execute("UPDATE file_pack SET body = x'00', sums = x'00'")
    for ask in (
        store.files.all,
        store.files.read_to_end,
        store.files.accounting,
        store.completeness.volumes,
        store.completeness.freshness,
        lambda: list(store.chunks.between(0, 300)),
    ):
        with pytest.raises(Damaged):
            ask()


def test_state_without_the_file_of_an_event_says_so(tmp_path: Path) -> None:
    with closing(Store.open(None)) as store:
        write(tmp_path, "a.json", sweep(10))
        [alert] = scan(tmp_path, store=store).alerts
        with store.database.transaction() as connection:
            connection.execute("UPDATE file_pack SET first_id = 8, last_id = 9")
        with pytest.raises(Damaged):
            store.alerts.events(alert.alert_id)


# --- changes

PATHS = [f"/{folder}/{name}.json" for folder in "ab" for name in "abcdefgh"]
steps = st.lists(
    st.lists(
        st.tuples(st.sampled_from(["put", "remove", "move"]), *[st.sampled_from(PATHS)] * 2),
        max_size=6,
    ),
    max_size=8,
)


@given(steps, st.integers(1, 6))
def test_rows_are_those_of_a_dict(steps: list[list[tuple[str, str, str]]], full: int) -> None:
    """However packs are cut: rows, ids, paths and sums are what single rows would be."""
    expected: dict[str, tuple[int, int]] = {}
    number = 0
    with (
        pytest.MonkeyPatch.context() as patch,
        closing(Store.open(None)) as store,
        store.database.transaction() as connection,
    ):
        patch.setattr(file_edits, "FULL_PACK", full)
        for step in steps:
            edits = FileEdits(connection)
            for action, path, other in step:
                number += 1
                if action == "put":
                    row = edits.get_or_add(path, number)
                    row.seen = number
                    expected[path] = row.file_id, number
                elif action == "remove":
                    removed = edits.remove(path)
                    assert (removed is not None) == (expected.pop(path, None) is not None)
                elif path in expected and other not in expected:
                    moved = edits.remove(path)
                    assert moved is not None
                    edits.put(other, moved)
                    expected[other] = expected.pop(path)
            edits.write()
            query = query_of(connection)
            check_rows(query, expected)
            seen = sum(sums.seen for sums in sums_of_files(query))
            assert seen == sum(seen for _, seen in expected.values())


def check_rows(query: Callable[..., list[object]], expected: dict[str, tuple[int, int]]) -> None:
    found = [(path, (row.file_id, row.seen)) for path, row in all_files(query)]
    assert len(found) == len(dict(found)) and dict(found) == expected
    ids, paths = FileIds(query), Paths(query)
    for path, (file_id, _) in expected.items():
        assert ids[path] == file_id and paths[file_id] == path
    for path in set(PATHS) - expected.keys():
        with pytest.raises(KeyError):
            ids[path]
    with pytest.raises(KeyError):
        paths[1 << 40]


@pytest.mark.parametrize(("seed", "most"), [(None, 10), (1, 18)])
def test_files_that_come_one_by_one_lie_in_few_packs(
    store: Store, seed: int | None, most: int
) -> None:
    """By their names each pack is filled; else no two have names between each other's."""
    numbers = [*range(600)]
    if seed is not None:
        Random(seed).shuffle(numbers)
    for file_id, number in enumerate(numbers, 1):
        edit(store, lambda edits: edits.get_or_add(f"/a/{number:04}.json", file_id))  # noqa: B023
    packs = store.database.rows("SELECT files, first_name, last_name FROM file_pack ORDER BY 2")
    assert sum(files for files, _, _ in packs) == 600
    assert len(packs) <= most and max(files for files, _, _ in packs) <= FULL_PACK
    assert all(last < first for (_, _, last), (_, first, _) in pairwise(packs))


def test_file_is_found_by_one_pack(store: Store) -> None:
    """However many a folder has."""
    paths = [f"/a/{number:05}.json" for number in range(0, 6000, 2)]
    for first in range(0, len(paths), 500):
        edit(
            store,
            lambda edits: [edits.get_or_add(path, 1) for path in paths[first : first + 500]],  # noqa: B023
        )
    unpacked = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            file_edits, "unpack_files", lambda body: unpacked.append(body) or unpack_files(body)
        )
        edit(store, lambda edits: edits.known("/a/03000.json"))
        edit(store, lambda edits: edits.get_or_add("/a/03001.json", 2))
    assert len(unpacked) == 2


def test_ids_are_never_given_twice(store: Store) -> None:
    """Segments may still name those of a file that is gone."""
    put(store, read("/a/x.json", state="waiting"))
    store.files.move([], ["/a/x.json"])
    assert not store.files.all()
    put(store, read("/a/x.json"))
    assert file_values(store, "file_id") == [("/a/x.json", 2)]


def test_unknown_file_is_not_counted_in(store: Store) -> None:
    with store.database.transaction() as connection:
        edits = FileEdits(connection)
        assert edits.get("/a/x.json") is None and edits.remove("/a/x.json") is None
        with pytest.raises(KeyError):
            edits.known("/a/x.json")


def test_packs_without_a_place_that_counts_stay(store: Store) -> None:
    place, counting = "/b/y.json", "/a/x.json"
    for path, files in ((place, 0), (counting, 1)):
        row = FileRow(SourceFile(path, 1, 2, 3, 4), "read", files=files)
        put(store, FileRead(row, Partial()))
    edit(store, lambda edits: add_duplicates(edits, Counter({counting: 3, place: 4})))
    for changed in (2, 0):  # one row goes, and one comes
        with store.database.exclusive() as connection:
            before = connection.total_changes
            edit(store, clear_places)
            assert connection.total_changes - before == changed
        assert file_values(store, "duplicate") == [(counting, 3), (place, 0)]


def test_reasons_are_counted_by_name(store: Store) -> None:
    """However files came: what is printed is the same of the same files."""
    for number, reason in enumerate(("link", "empty", "ignored")):
        for state, name in (("skipped", "s"), ("quarantined", "q")):
            found = read(f"/{name}/{number}.json", state=state)  # type: ignore[arg-type]
            put(store, replace(found, file=replace(found.file, reason=reason)))
    accounting = store.files.accounting()
    for counts in (accounting.files_skipped, accounting.files_quarantined):
        assert [*counts] == ["empty", "ignored", "link"]


# --- chunks


def test_single_chunk_lies_in_the_row_of_its_file(store: Store) -> None:
    put(store, read("/a/x.json", (0, b"i")), read("/a/long.json", (0, b"i" * (LONGEST_INDEX + 1))))
    put(store, read("/a/y.json", (0, b"y"), (10, b"z")), read("/a/", (0, b"i")))
    put(store, read("/a/none.json", (0, b""), first=None))
    assert chunk_rows(store) == 3
    found = [
        (ref.path, ref.offset, len(ref.principal_index)) for ref in store.chunks.between(0, 300)
    ]
    assert sorted(found) == [
        ("/a/long.json", 0, LONGEST_INDEX + 1),
        ("/a/x.json", 0, 1),
        ("/a/y.json", 0, 1),
        ("/a/y.json", 10, 1),
    ]
    assert not list(store.chunks.between(110, 300)) and not list(store.chunks.between(0, 100))
    assert not list(store.chunks.between(0, 300, after=9))


def test_chunk_leaves_the_row_of_a_file_that_grows(store: Store) -> None:
    put(store, read("/a/x.jsonl", (0, b"a")))
    put(store, read("/a/x.jsonl", (10, b"b"), first=50))
    assert [ref[1:5] for ref in store.chunks.between(0, 300)] == [
        (0, 100, 109, b"a"),
        (10, 50, 59, b"b"),
    ]
    assert file_values(store, "first", "last", "seen") == [("/a/x.jsonl", 50, 109, 10)]
    put(store, read("/a/x.jsonl", (0, b"c"), first=70, reread=True))
    assert [ref[1:5] for ref in store.chunks.between(0, 300)] == [(0, 70, 79, b"c")]
    assert file_values(store, "first", "last", "seen") == [("/a/x.jsonl", 70, 79, 5)]
    assert store.files.accounting().records_rejected == {"no-time": 1}
    assert chunk_rows(store) == 0


def test_file_that_is_read_again_while_it_is_looked_for_is_found(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, read("/a/x.json", (0, b"first"), (10, b"second")))
    rows = store.database.rows

    def read_again_first(query: str, *parameters: object) -> list[object]:
        if " FROM chunk " in query:
            monkeypatch.undo()
            put(store, read("/a/x.json", (0, b"again"), reread=True, first=105))
        return rows(query, *parameters)

    monkeypatch.setattr(store.database, "rows", read_again_first)
    (chunk,) = store.chunks.between(0, 200)
    assert chunk_rows(store) == 0
    assert (chunk.path, chunk.offset, chunk.first) == ("/a/x.json", 0, 105)


def test_chunks_of_a_file_that_another_replaces_go(store: Store) -> None:
    put(store, read("/a/x.json", (0, b"x")), read("/a/y.json", (0, b"y"), (10, b"z")))
    store.files.move([("/a/x.json", "/a/y.json")], [])
    assert [ref.principal_index for ref in store.chunks.between(0, 300)] == [b"x"]
    assert file_values(store, "file_id", "seen") == [("/a/y.json", 1, 15)]
    assert chunk_rows(store) == 0


def test_files_are_listed_by_time_and_path(tmp_path: Path) -> None:
    """However they came and are packed."""
    reads = [read(f"/{number % 2}/{number}.json", (0, b"i")) for number in range(6)]
    listed = []
    for name, order in (("one", reads), ("other", reads[::-1])):
        with closing(Store.open(tmp_path / name)) as store:
            for each in order:
                put(store, each)
            listed.append([span.path for span in store.chunks.file_spans(0, 300)])
    assert listed[0] == listed[1] == sorted(each.file.path for each in reads)


# --- two processes


def test_two_processes_change_files_of_one_folder(tmp_path: Path) -> None:
    """One ingests, the other one decides: neither undoes what the other has written."""
    path = tmp_path / "hunt.db"
    with closing(Store.open(path)) as ingesting, closing(Store.open(path)) as deciding:
        ingesting.take_ingest()
        bad = [f"/a/bad{number}.json" for number in range(2)]
        put(ingesting, *[read(name, state="quarantined") for name in bad])
        for number in range(80):
            put(ingesting, read(f"/a/{number:02}.json", (0, b"i")))
            if number == 40:
                assert not deciding.quarantine.ignore(bad[:1])
            assert len(deciding.files.all()) == number + 3
        assert [file.path for file in ingesting.quarantine.files()] == bad[1:]
        assert deciding.files.accounting() == ingesting.files.accounting()
        states = {row.path: row.state for row in ingesting.files.all()}
        assert states.pop(bad[0]) == "skipped" and states.pop(bad[1]) == "quarantined"
        assert {*states.values()} == {"read"}
        assert deciding.undo() is not None
        assert [file.path for file in ingesting.quarantine.files()] == bad
        assert len(list(deciding.chunks.between(0, 300))) == 80
