"""Worker processes agree with this one, even if one dies."""

from __future__ import annotations

import base64
import gzip
import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from detector.detection.digest import Partial, merge
from detector.formats import Chunk, chunks
from detector.formats.records import INNER_CAP
from detector.ingest import workers
from detector.ingest.reader import DigestedChunk, FetchedTask, LocalDigester, Task, read_file
from detector.ingest.small_files import read_files
from detector.ingest.workers import Workers, _start, batch_tasks
from detector.rules.dispatch import Dispatch
from detector.rules.ruleset import RuleSet, load
from detector.sources.directory import Directory
from detector.sources.source import SourceFile
from detector.store import FileRead, Store
from tests.detector.trail import call, document, lines, rules, scan, sweep, write


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Task:
    """Return a file of lines of some ten chunks."""
    for size in ("BLOCK", "SNIFF", "LINES_CHUNK"):
        monkeypatch.setattr(chunks, size, 8_000)
    records = [
        *sweep(10),
        *(call(60 + seconds, event_id=f"more-{seconds}") for seconds in range(120)),
        *sweep(12, 300),
    ]
    (tmp_path / "trail.jsonl").write_bytes(lines(records))
    (file,) = Directory([tmp_path]).sweep()
    return Task(file, None, 0, is_final=True)


@pytest.fixture
def pool() -> Iterator[Workers]:
    made = Workers(rules(), 2)
    yield made
    made.close()


def whole(task: Task, pool: Workers | None) -> tuple[list[int], Partial]:
    """Return each result's resume offset, and all that was found."""
    here = LocalDigester(Dispatch(rules()))
    results = list(read_file(task, pool.digester(here) if pool else here))
    return [result.file.resume for result in results], merge(result.partial for result in results)


def test_workers_digest_lines_in_order(task: Task, pool: Workers) -> None:
    alone = whole(task, None)

    assert whole(task, pool) == alone
    assert len(alone[0]) > 8


def test_lines_that_a_process_refuses_are_quarantined(task: Task, pool: Workers) -> None:
    path = Path(task.file.path)
    bomb = base64.b64encode(gzip.compress(bytes(INNER_CAP + 1), 1)).decode()
    path.write_bytes(path.read_bytes() + lines([{"message": bomb}]))
    (file,) = Directory([path.parent]).sweep()
    digester = pool.digester(LocalDigester(Dispatch(rules())))
    *whole, last = read_file(task._replace(file=file), digester)

    assert {result.file.state for result in whole} == {"waiting"}
    assert (last.file.state, last.file.reason) == ("quarantined", "bomb")


def test_dead_process_loses_nothing(task: Task, pool: Workers) -> None:
    here = LocalDigester(Dispatch(rules()))

    def killing(source: str, them: Iterator[Chunk]) -> Iterator[DigestedChunk]:
        for number, digested in enumerate(pool.digester(here)(source, them)):
            if number == 3:
                for process in multiprocessing.active_children():
                    assert process.pid is not None
                    os.kill(process.pid, signal.SIGKILL)
            yield digested

    results = list(read_file(task, killing))  # type: ignore[arg-type]
    assert merge(result.partial for result in results) == whole(task, None)[1]
    assert [result.file.state for result in results] == ["waiting"] * (len(results) - 1) + ["read"]


# A reader that dies in a scan: of a file that always kills it, or once.


def deadly_start(by: RuleSet, counts_activity: bool) -> None:
    """Start a worker process that some files kill."""
    _start(by, counts_activity)
    workers.read_files = deadly_read


def deadly_read(
    batch: Sequence[FetchedTask], digester: LocalDigester
) -> Iterator[Sequence[FileRead]]:
    for fetched in batch:
        path = Path(fetched.task.file.path)
        died = path.parent.with_name(f"{path.name} has killed")
        if path.name == "kills.gz" or (path.name == "kills-once.gz" and not died.exists()):
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return read_files(batch, digester)


def test_scan_survives_dead_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry each file of a dead batch by itself.

    The one that kills is named.
    """
    logs = tmp_path / "logs"
    for number in range(60):
        write(logs, f"{number}.gz", gzip.compress(document(sweep(10, 60 * number))))
    write(logs, "kills-once.gz", gzip.compress(document(sweep(11, 30))))
    write(logs, "kills.gz", gzip.compress(document(sweep(12, 90))))
    monkeypatch.setattr(workers, "_start", deadly_start)
    monkeypatch.setattr(workers, "_BATCH_FILES", 8)
    sizes = []
    new_pool = Workers._new_pool
    monkeypatch.setattr(
        Workers, "_new_pool", lambda self, size: sizes.append(size) or new_pool(self, size)
    )
    with closing(Store.open(None)) as store:
        run = scan(logs, store=store, jobs=2)
        assert (len(run.alerts), run.accounting.files_read) == (61, 61)
        assert run.accounting.files_quarantined == {"killed-reader": 1}
        assert (run.accounting.records_seen, run.accounting.records_read) == (611, 611)
        assert sizes == [2, 1], "one process retries them all, as long as it lives"
        (problem,) = run.problems
        assert f"{logs}/kills.gz: the process that read it died" in problem
        monkeypatch.setattr(workers, "_start", _start)
        store.quarantine.retry([f"{logs}/kills.gz"])
        rescan, whole = scan(logs, store=store), scan(logs)
        assert (rescan.facts, rescan.accounting) == (whole.facts, whole.accounting)


@pytest.mark.parametrize("suffix", ["jsonl", "json.gz"])
def test_file_that_this_process_has_open_is_read_here(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its number leads elsewhere in another process, as does all that is below /proc/self."""
    monkeypatch.setattr("detector.ingest.pipeline._SPREAD_BYTES", 1)
    records = [*sweep(10), call(60, eventName="CreateAccessKey", eventSource="iam.amazonaws.com")]
    data = lines(records) if suffix == "jsonl" else gzip.compress(document(records))
    named = write(tmp_path, f"named.{suffix}", data)
    others = [
        write(tmp_path, f"{number}.json", document(sweep(10, 900 * number, arn=f"arn:{number}")))
        for number in range(1, 4)
    ]
    with open(named, "rb") as file:
        opened = [Path(f"/dev/fd/{file.fileno()}"), *others]
        here, apart = (scan(*opened, jobs=jobs, by=load()) for jobs in (1, 2))
    assert (apart.accounting, apart.facts) == (here.accounting, here.facts)
    assert apart.accounting.files_read == 4
    assert "access-key" in str(apart.facts)


def task_of(path: str, size: int) -> FetchedTask:
    return FetchedTask(Task(SourceFile(path, 1, 1, size, 0), None, 0, is_final=True))


def test_files_of_a_region_go_to_one_process() -> None:
    """Whoever has read a region's callers knows them in its next file."""
    regions = ["us-east-1", "eu-west-1", "sa-east-1", "ca-west-1"]
    name = "111122223333_CloudTrail_{}_20260301T12{:02}Z_abcdefgh.json.gz"
    tasks = [
        task_of(name.format(region, minute), 300 << 10)
        for minute in range(0, 60, 5)
        for region in regions
    ]
    tasks += [task_of(f"{folder}/{number}.json", 1) for number in range(200) for folder in "ab"]

    batches = list(batch_tasks(tasks, 2))

    assert sorted(each.task.file.path for batch, _ in batches for each in batch) == sorted(
        each.task.file.path for each in tasks
    )
    places: dict[str, set[int]] = {}
    for batch, place in batches:
        assert len(batch) <= 128 and sum(each.task.file.size for each in batch[:-1]) < 512 << 10
        for each in batch:
            path = each.task.file.path
            key = path.split("_")[2] if "_" in path else path[0]
            places.setdefault(key, set()).add(place)
    assert places == {
        "us-east-1": {0},
        "eu-west-1": {1},
        "sa-east-1": {0},
        "ca-west-1": {1},
        "a": {0},
        "b": {1},
    }


@pytest.mark.parametrize("regions", [1, 3, 7])
@pytest.mark.parametrize("processes", [2, 4])
def test_processes_have_as_much_to_read(regions: int, processes: int) -> None:
    """A region moves where its process has far more to read than another."""
    size = 300 << 10
    tasks = [
        task_of(f"{region}/{number}", size) for number in range(99) for region in range(regions)
    ]

    batches = list(batch_tasks(tasks, processes))

    given = [sum(len(batch) for batch, at in batches if at == place) for place in range(processes)]
    most_apart = (1 << 20) // size + 1
    assert max(given) - min(given) <= most_apart
    place_of: dict[str, int] = {}
    moves = 0
    for batch, place in batches:
        for each in batch:
            moves += place_of.setdefault(each.task.file.path.partition("/")[0], place) != place
            place_of[each.task.file.path.partition("/")[0]] = place
    assert moves <= len(tasks) // most_apart
