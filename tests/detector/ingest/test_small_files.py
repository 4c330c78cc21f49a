"""Small files that are read together are read as each by itself."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from detector.detection.digest import Partial, merge
from detector.formats.native import cut
from detector.ingest import small_files
from detector.ingest.reader import FetchedTask, LocalDigester, Task, read_file
from detector.ingest.small_files import read_files
from detector.rules.dispatch import Dispatch
from detector.rules.ruleset import load
from detector.sources.directory import Directory
from detector.sources.source import Unavailable
from detector.store import FileRead
from tests.detector.formats.native.mutations import mutated_documents, plain_documents
from tests.detector.trail import call, document, lines, sweep

needs_native = pytest.mark.skipif(not cut.is_available(), reason="the native cut was not built")

GOOD = gzip.compress(document(sweep(12)))
ODD = {
    "empty": b"",
    "plain": document(sweep(3)),
    "lines": lines(sweep(4)),
    "lines, compressed": gzip.compress(lines(sweep(4))),
    "cut off": GOOD[:-9],
    "damaged": GOOD[:40] + b"\0\0\0\0" + GOOD[44:],
    "two members": GOOD + gzip.compress(document(sweep(5))),
    "zeros behind": GOOD + bytes(9),
    "no JSON": gzip.compress(b"no JSON at all"),
    "JSON cut off": gzip.compress(document(sweep(2))[:-20]),
    "foreign": gzip.compress(b'{"Records":[{"a":1}]}'),
    "no records": gzip.compress(document([])),
    "digest file": gzip.compress(b'{"digestStartTime":"2026-03-01T00:00:00Z","logFiles":[]}'),
    "insight": gzip.compress(document([call(eventCategory="Insight"), call(1)])),
    "wrapped": gzip.compress(document([{"detail": call(7), "id": "x"}])),
    "session opened": gzip.compress(
        document(
            [
                call(
                    eventSource="sts.amazonaws.com",
                    eventName="AssumeRole",
                    responseElements={"credentials": {"accessKeyId": "ASIAOPENED"}},
                )
            ]
        )
    ),
    "bomb": gzip.compress(b"[" + b" " * 20_000_000 + b"]"),
    "large text": gzip.compress(document([call(event_id=str(i)) for i in range(3000)])),
}


def tasks_of(folder: Path, contents: Iterable[bytes], hash_content: bool = False) -> list[Task]:
    for number, content in enumerate(contents):
        (folder / f"{number:04}.json.gz").write_bytes(content)
    files = sorted(Directory([folder]).sweep(), key=lambda file: file.path)
    return [Task(file, None, 0, is_final=True, hash_content=hash_content) for file in files]


def digester(counts_activity: bool = True) -> LocalDigester:
    return LocalDigester(Dispatch(rule for rule in load([]) if rule.alerts), counts_activity)


def together(tasks: Iterable[Task], by: LocalDigester | None = None) -> list[FileRead]:
    by = by or digester()
    return [read for reads in read_files(map(FetchedTask, tasks), by) for read in reads]


def alone(tasks: Iterable[Task], by: LocalDigester | None = None) -> list[FileRead]:
    by = by or digester()
    return [read for task in tasks for read in read_file(task, by)]


def contents_of(reads: Iterable[FileRead]) -> tuple[list[tuple[object, ...]], Partial]:
    """Return what belongs to each file, and what counts together."""
    reads = list(reads)
    of_each: list[tuple[object, ...]] = [
        (read.file, read.reread, read.sha256, read.digest, read.partial.chunks) for read in reads
    ]
    return of_each, merge(read.partial for read in reads)


@pytest.mark.parametrize("counts_activity", [False, True])
def test_odd_files_among_good_ones(tmp_path: Path, counts_activity: bool) -> None:
    contents = [each for odd in ODD.values() for each in (GOOD, odd)]
    tasks = tasks_of(tmp_path, contents, hash_content=True)
    reads = together(tasks, digester(counts_activity))
    assert contents_of(reads) == contents_of(alone(tasks, digester(counts_activity)))
    assert len({read.file.path for read in reads}) == len(tasks)
    assert reads[0].sha256 == hashlib.sha256(gzip.decompress(GOOD)).digest()


@pytest.mark.parametrize("files", [1, 5])
def test_mutated_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: int) -> None:
    monkeypatch.setattr(small_files, "_BATCH_FILES", files)
    texts = [*plain_documents(), *mutated_documents(150, 3)]
    tasks = tasks_of(tmp_path, map(gzip.compress, texts))
    assert contents_of(together(tasks)) == contents_of(alone(tasks))


@needs_native
def test_good_files_are_digested_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = tasks_of(tmp_path, [GOOD] * 130)
    by = digester()
    monkeypatch.setattr(by, "digest", None)
    reads = list(read_files(map(FetchedTask, tasks), by))
    assert list(map(len, reads)) == [64, 64, 2]
    for batch in reads:
        assert all(len(read.partial.chunks) == 1 for read in batch)
        assert [read.partial.hits.added for read in batch] == [12 * len(batch)] + [0] * len(
            batch[1:]
        )


@needs_native
def test_texts_of_a_batch_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(small_files, "_BATCH_BYTES", 3 * len(gzip.decompress(GOOD)))
    tasks = tasks_of(tmp_path, [GOOD] * 9)
    assert list(map(len, read_files(map(FetchedTask, tasks), digester()))) == [4, 4, 1]


def test_file_that_was_read_before_is_read_by_itself(tmp_path: Path) -> None:
    tasks = tasks_of(tmp_path, [GOOD] * 3)
    rows = [read.file for read in alone(tasks)]
    again = [task._replace(previous=row) for task, row in zip(tasks, rows, strict=True)]
    reads = together([tasks[0], *again[1:]])
    assert [read.reread for read in reads] == [False, True, True]
    assert contents_of(reads) == contents_of(alone([tasks[0], *again[1:]]))


def test_files_that_are_gone_or_others_by_now(tmp_path: Path) -> None:
    tasks = tasks_of(tmp_path, [GOOD] * 4)
    os.remove(tasks[1].file.path)
    Path(tmp_path / "new").write_bytes(GOOD)
    os.replace(tmp_path / "new", tasks[2].file.path)
    reads = together(tasks)
    assert [read.file.path for read in reads] == [tasks[0].file.path, tasks[3].file.path]


def test_objects_that_were_fetched_and_those_that_were_not(tmp_path: Path) -> None:
    tasks = [
        task._replace(file=task.file._replace(device=0)) for task in tasks_of(tmp_path, [GOOD] * 3)
    ]
    denied = Unavailable("quarantined", "denied", "no access")
    fetched = [
        FetchedTask(tasks[0], GOOD),
        FetchedTask(tasks[1], denied),
        FetchedTask(tasks[2], GOOD),
    ]
    reads = [read for some in read_files(fetched, digester()) for read in some]
    assert [read.file.state for read in reads] == ["read", "quarantined", "read"]
    assert reads[0] == next(read_file(tasks[0], digester()))


def test_without_native_cut_each_file_is_unpacked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = tasks_of(tmp_path, [GOOD] * 3)
    expected = alone(tasks)
    monkeypatch.setattr(cut, "LIBRARY", None)
    monkeypatch.setattr(small_files, "unpack_small_document", None)
    assert together(tasks) == expected


def test_seconds_of_rules_are_counted(tmp_path: Path) -> None:
    by = digester()
    together(tasks_of(tmp_path, [GOOD] * 2), by)
    assert any(by.drain_rule_seconds().values())


@needs_native
def test_files_that_have_no_room_together_are_read_by_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("detector.formats.documents.cut_documents", refuse)
    tasks = tasks_of(tmp_path, [GOOD, GOOD])

    results = [read for reads in read_files(map(FetchedTask, tasks), digester()) for read in reads]

    assert [read.file.state for read in results] == ["read", "read"]
    assert [read.partial.hits.added for read in results] == [12, 12]
