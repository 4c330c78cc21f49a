"""Paths are stored in parts, also those of an older state, and stay what they were."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.detection.digest import ChunkStats, Partial
from detector.sources.source import SourceFile
from detector.store import FileRow, Store, schema
from detector.store.file_table import FileRead
from detector.store.files.file_edits import FileEdits
from detector.store.files.file_packs import FileIds
from detector.store.migrations.file_paths import FILE_PATHS
from detector.store.opening.connections import PAGE_SIZE
from detector.store.packing.file_key import split_path
from detector.store.packing.state_query import query_of
from tests.detector.store.file_rows import rows_by_path

FOLDER = "/logs/AWSLogs/111122223333/CloudTrail/us-east-1/2026/03/01/"
TRAIL_FILE = FOLDER + "111122223333_CloudTrail_us-east-1_20260301T1005Z_96285a15e836a404.json.gz"
PATHS = (
    TRAIL_FILE,
    TRAIL_FILE.replace("T1005Z", "T1010Z"),
    TRAIL_FILE.replace("us-east-1", "us-east-2"),
    FOLDER,
    "/logs/events.jsonl",
    "s3://bucket/prefix/_20260301T.json",
    os.fsdecode(b"/logs/\xff\xfe\n_20260301T1005Z.gz"),
)
"""Files, one whose name is no UTF-8, and the folder of a day."""
parts_of_paths = st.lists(
    st.sampled_from(["/", "a", "_20260301T", "_2026", ".", ".json.gz", "\n", "\0", "\udcff"])
).map("".join)


def row_of(path: str) -> FileRow:
    return FileRow(SourceFile(path, 1, 2, 3, 4), "read", fingerprint=b"0123456789abcdef")


def put(store: Store, paths: list[str]) -> None:
    chunk = ChunkStats(10, seen=5, hits=2, first=100, last=200, rejected={"not-json": 1})
    reads = [
        FileRead(
            row_of(path), Partial({(path, 0): msgspec.structs.replace(chunk, principal_index=b"x")})
        )
        for path in paths
    ]
    with store.database.transaction() as connection:
        edits = FileEdits(connection)
        store.files.put(connection, edits, reads)
        edits.write()


def ids_of_files(store: Store) -> dict[str, int]:
    return {path: row.file_id for path, row in rows_by_path(store).items()}


@given(parts_of_paths)
def test_parts_make_up_the_path(path: str) -> None:
    encoded = os.fsencode(path)
    prefix, suffix, name = split_path(encoded)
    assert prefix + name + suffix == encoded


def test_a_trail_file_has_little_of_its_own() -> None:
    assert split_path(TRAIL_FILE.encode()).name == b"1005Z_96285a15e836a404"
    assert split_path(b"/var/log/events.jsonl").name == b"events.jsonl"


def test_parts_of_a_path_are_those_that_a_day_shares() -> None:
    """A name without a label, and a label in a folder's name, divide none."""
    for path, parts in (
        (b"/logs/x_20260301T1005Z_ab.json.gz", (b"/logs/x_20260301T", b".json.gz", b"1005Z_ab")),
        (b"/logs/_20260301T_20260302T1.gz", (b"/logs/_20260301T_20260302T", b".gz", b"1")),
        (b"/logs/x_20260301T1005Z", (b"/logs/", b"", b"x_20260301T1005Z")),
        (b"/_20260301T10/x.json", (b"/_20260301T10/", b"", b"x.json")),
        (b"/a\nb_20260301T1\n2.gz\n", (b"/a\nb_20260301T", b".gz\n", b"1\n2")),
        (b"x.json", (b"", b"", b"x.json")),
        (b"", (b"", b"", b"")),
    ):
        assert split_path(path) == parts


def test_ids_of_files_are_those_that_are_stored() -> None:
    one, two, three, four = PATHS[0], PATHS[1], PATHS[4], "/logs/new.json"
    with closing(Store.open(None)) as store:
        put(store, [one])
        put(store, [two, three])
        stored = ids_of_files(store)
        with store.database.transaction() as connection:
            ids = FileIds(query_of(connection))
            assert [ids[path] for path in (one, two, three)] == [1, 2, 3]
            assert ids == stored
            with pytest.raises(KeyError):
                ids[four]


def test_folders_are_written_once() -> None:
    with closing(Store.open(None)) as store:
        put(store, ["/a/x.json", "/a/y.json", "/a/x_20260301T1.gz"])
        put(store, ["/a/z.json", "/b/x"])
        rows = store.database.rows("SELECT prefix, suffix FROM folder ORDER BY folder_id")
        assert rows == [(b"/a/", b""), (b"/a/x_20260301T", b".gz"), (b"/b/", b"")]


def test_a_long_folder_is_stored_once(tmp_path: Path) -> None:
    sizes = []
    for depth in (1, 100):
        folder = "/" + "a folder/" * depth
        with closing(Store.open(tmp_path / f"{depth}.db")) as store:
            put(store, [f"{folder}{number}.json" for number in range(1000)])
            sizes.append(store.database.value("PRAGMA page_count") * PAGE_SIZE)
    assert sizes[1] - sizes[0] < 10 * 900


def test_files_are_renamed_in_a_circle_and_over_others(tmp_path: Path) -> None:
    one, two, three = PATHS[0], PATHS[1], PATHS[4]
    with closing(Store.open(tmp_path / "hunt.db")) as store:
        put(store, [one, two, three])
        ids = ids_of_files(store)
        store.files.move([(one, two), (two, one)], [])
        store.files.move([(two, three)], [])
        assert ids_of_files(store) == {one: ids[two], three: ids[one]}
        # What was read of the file that was replaced stays counted.
        assert store.files.accounting().records_seen == 15


def test_files_of_an_older_state_stay_what_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "hunt.db"
    version = schema.MIGRATIONS.index(FILE_PATHS)
    with closing(sqlite3.connect(path, isolation_level=None)) as db, monkeypatch.context() as older:
        older.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:version])
        older.setattr(schema, "SCHEMA_VERSION", version)
        schema.migrate(db)
        for number, file in enumerate(PATHS, 1):
            db.execute(
                "INSERT INTO file (file_id, path, device, inode, size, mtime_ns, state, resume, "
                "print, generation, seen, duplicate, hits, first, last, read_at, sequence) "
                "VALUES (?, ?, 1, 2, 3, 4, 'read', 0, ?, 0, 5, 1, 2, 100, 200, 1.5, ?)",
                (number, os.fsencode(file), b"0123456789abcdef", number),
            )
            db.execute("INSERT INTO chunk VALUES (?, 0, 100, 200, x'01')", (number,))
            db.execute("INSERT INTO watch_chunk VALUES (?, 0)", (number,))
            db.execute("INSERT INTO late VALUES (?, 1)", (number,))
            db.execute("INSERT INTO file_count VALUES (?, 'rejected', 'not-json', 1)", (number,))
        db.execute("INSERT INTO note VALUES (1, 'an-alert', 1.0, 'somebody', '{}', NULL)")
    with closing(Store.open(path)) as store:
        assert sorted(store.files.all(), key=lambda row: PATHS.index(row.path)) == [
            row_of(file) for file in PATHS
        ]
        assert [chunk.path for chunk in store.chunks.between(0, 300)] == list(PATHS)
        assert store.watches.chunks_to_search() == {file: [0] for file in PATHS}
        accounting = store.files.accounting()
        assert (accounting.files_read, accounting.records_seen) == (7, 35)
        assert (accounting.records_counted, accounting.records_duplicate) == (7, 7)
        assert (accounting.late_dropped, accounting.records_rejected) == (7, {"not-json": 7})
        assert store.database.value("SELECT count(*) FROM note") == 1
        put(store, [TRAIL_FILE])  # it is known, and not a second file
        assert len(store.files.all()) == 7
        assert len(set(ids_of_files(store).values())) == 7
        assert not store.database.rows("PRAGMA foreign_key_check")
