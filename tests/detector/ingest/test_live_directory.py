"""A directory that changes while it is watched.

Whatever happens to a file, each record is read once.
"""

from __future__ import annotations

import gzip
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from detector.ingest.pipeline import Pipeline
from detector.sources.directory import Directory
from detector.sources.settling import is_temporary
from detector.store import Store
from tests.detector.trail import (
    REGIONS,
    Run,
    Stepping,
    call,
    document,
    lines,
    rules,
    scan,
    sweep,
    watch,
    write,
)

SWEEP = sweep(10)
LINES = lines(SWEEP)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def read_once(run: Run, records: int = 10, alerts: int = 1, **files: int) -> None:
    sums = run.accounting
    assert (sums.records_seen, sums.records_read, len(run.alerts)) == (records, records, alerts)
    assert sums.records_rejected == {}
    counts = {
        "read": sums.files_read,
        "waiting": sums.files_waiting,
        "skipped": sum(sums.files_skipped.values()),
        "quarantined": sum(sums.files_quarantined.values()),
    }
    assert counts == {"read": 1, "waiting": 0, "skipped": 0, "quarantined": 0, **files}


# files that grow

FIRST = LINES.index(b"\n")


@pytest.mark.parametrize("cut", [0, 1, 300, FIRST, FIRST + 1, len(LINES) // 2, len(LINES) - 1])
def test_lines_are_read_as_they_arrive(cut: int, store: Store, logs: Path) -> None:
    log = logs / "trail.jsonl"
    run = watch(store, logs, lambda: append(log, LINES[:cut]), lambda: append(log, LINES[cut:]))
    read_once(run)


def test_partial_line_waits_for_its_end(store: Store, logs: Path) -> None:
    log = write(logs, "trail.jsonl", LINES[:-200])
    seen: list[int] = []
    run = watch(
        store,
        logs,
        lambda: seen.append(store.files.accounting().records_seen),
        lambda: append(log, LINES[-200:]),
    )
    assert seen == [9]
    read_once(run)


@pytest.mark.parametrize(
    "whole",
    [
        document(SWEEP, indent=2),
        b"[\n" + LINES.rstrip().replace(b"\n", b",\n") + b"\n]\n",
        document(SWEEP) + b"\n",
    ],
)
def test_growing_document_is_read_when_whole(whole: bytes, store: Store, logs: Path) -> None:
    log = logs / "trail.json"
    behind_a_record = max(whole.find(b"},\n{"), 500) + 1
    last = len(whole.rstrip())
    run = watch(
        store,
        logs,
        *(
            lambda end=end, begin=begin: append(log, whole[begin:end])
            for begin, end in [
                (0, behind_a_record),
                (behind_a_record, behind_a_record + 1),
                (behind_a_record + 1, last),
                (last, None),
            ]
        ),
    )
    read_once(run)


@pytest.mark.parametrize(
    ("opening", "ending"), [(b"[\n", b"]"), (b'{"Records": [\n', b"]}"), (b"[", b"]")]
)
def test_unfinished_array_is_not_lines(
    opening: bytes, ending: bytes, store: Store, logs: Path
) -> None:
    log = write(logs, "trail.json", opening + lines(SWEEP[:3]).replace(b"\n", b",\n", 2))
    read_once(watch(store, logs, lambda: append(log, ending)), records=3, alerts=0)


def test_truncated_gzip_waits_until_complete(store: Store, logs: Path) -> None:
    gzipped = gzip.compress(document(SWEEP))
    log = write(logs, "trail.json.gz", gzipped[:-30])
    sums, details = [], []

    def look() -> None:
        sums.append(store.files.accounting())
        details.extend(row.detail for row in store.files.all())

    run = watch(
        store,
        logs,
        look,
        lambda: append(log, gzipped[-30:]),
    )
    assert (sums[0].files_waiting, sums[0].records_seen) == (1, 0)
    assert details == ["the gzip data ends too early: read when it has grown"]
    assert run.problems == []
    read_once(run)


def test_truncated_file_is_quarantined_after_a_day(store: Store, logs: Path) -> None:
    log = write(logs, "trail.json.gz", gzip.compress(document(SWEEP))[:-30])
    now = 0.0

    def later() -> None:
        nonlocal now
        now += 86_400.0

    first = watch(store, logs, clock=lambda: now)
    assert (first.accounting.files_waiting, first.problems) == (1, [])
    run = watch(store, logs, later, lambda: None, later, clock=lambda: now + 1)
    assert run.accounting.files_quarantined == {"truncated-gzip": 1}
    assert run.problems == [
        f"quarantined: {log}: the gzip data ends too early: copy it again, whole"
    ]
    log.write_bytes(gzip.compress(document(SWEEP)))
    read_once(watch(store, logs, clock=lambda: now))


def test_scan_quarantines_truncated_file(store: Store, logs: Path) -> None:
    log = write(logs, "trail.json.gz", gzip.compress(document(SWEEP))[:-30])
    assert scan(logs, store=store).accounting.files_quarantined == {"truncated-gzip": 1}
    log.write_bytes(gzip.compress(document(SWEEP)))
    read_once(scan(logs, store=store))


def test_scan_resumes_lines_where_it_stopped(store: Store, logs: Path) -> None:
    """Resume at a partial line, whose record comes with its end."""
    log = write(logs, "trail.jsonl", LINES[:-200])
    assert scan(logs, store=store).accounting.records_rejected == {"not-json": 1}
    append(log, LINES[-200:])
    run = scan(logs, store=store)
    assert run.accounting.records_read == 10
    assert [len(alert.event_ids) for alert in run.alerts] == [10]


def test_appended_gzip_members_are_read(store: Store, logs: Path) -> None:
    log = write(logs, "trail.jsonl.gz", gzip.compress(lines(SWEEP[:5])))
    read_once(watch(store, logs, lambda: append(log, gzip.compress(lines(SWEEP[5:])))))


# files that change


def test_touched_file_is_not_counted_again(store: Store, logs: Path) -> None:
    """Touch a file, as copying tools do after the rename."""
    paths = [
        write(logs, "a.json", document(SWEEP)),
        write(logs, "b.json.gz", gzip.compress(document(sweep(10, 60)))),
        write(logs, "c.jsonl", lines(sweep(10, 120))),
    ]
    run = watch(store, logs, lambda: [os.utime(path, ns=(0, 10**18)) for path in paths])
    read_once(run, records=30, alerts=3, read=3)


def test_truncated_log_is_read_from_start(store: Store, logs: Path) -> None:
    """Read a log truncated by copytruncate.

    The copy has been read already; the log begins anew under the same inode.
    """
    log = write(logs, "trail.jsonl", LINES)
    run = watch(
        store,
        logs,
        lambda: log.write_bytes(lines(sweep(10, 60))),
        lambda: append(log, lines(sweep(10, 120))),
    )
    read_once(run, records=30, alerts=3)


def test_replaced_content_is_read_again(store: Store, logs: Path) -> None:
    log = write(logs, "trail.json", SWEEP)
    run = watch(
        store,
        logs,
        lambda: log.write_bytes(document(sweep(11, 60))),
        lambda: log.write_bytes(b"no log"),
        lambda: log.write_bytes(document(sweep(12, 120))),
    )
    assert (run.accounting.records_seen, len(run.alerts)) == (33, 3)


# files that get another name


def test_renamed_file_is_not_read_again(store: Store, logs: Path) -> None:
    a = write(logs, "a.json", SWEEP)
    b = write(logs, "b.jsonl", lines(sweep(10, 60)))
    run = watch(
        store,
        logs,
        lambda: (a.rename(logs / "c.json"), b.rename(logs / "d.jsonl")),
        lambda: append(logs / "d.jsonl", lines(sweep(10, 120))),
    )
    read_once(run, records=30, alerts=3, read=2)
    assert {Path(row.path).name for row in store.files.all()} == {"c.json", "d.jsonl"}


def test_renamed_folder_is_not_read_again(store: Store, logs: Path) -> None:
    write(logs / "new", "a.json", SWEEP)
    read_once(watch(store, logs, lambda: (logs / "new").rename(logs / "old")))


def test_rotated_log_is_resumed(store: Store, logs: Path) -> None:
    """Rotate trail.1 to trail.2, and trail to trail.1.

    A new trail begins; the oldest is overwritten.
    """
    log = write(logs, "trail", LINES)

    def rotate(number: int) -> None:
        for suffix in (1, 0):
            old = logs / f"trail.{suffix}" if suffix else log
            if old.exists():
                old.replace(logs / f"trail.{suffix + 1}")
        log.write_bytes(lines(sweep(10, 60 * number)))

    run = watch(
        store,
        logs,
        lambda: rotate(1),
        lambda: rotate(2),
        lambda: rotate(3),
        lambda: append(log, lines(sweep(10, 240))),
    )
    read_once(run, records=50, alerts=5, read=3)


def test_swapped_files_are_not_read_again(store: Store, logs: Path) -> None:
    a, b = write(logs, "a.jsonl", LINES), write(logs, "b.jsonl", lines(sweep(10, 60)))

    def swap() -> None:
        a.rename(logs / "c")
        b.rename(a)
        (logs / "c").rename(b)

    run = watch(
        store,
        logs,
        swap,
        lambda: append(a, lines(sweep(10, 120))),
        lambda: append(b, lines(sweep(10, 180))),
    )
    read_once(run, records=40, alerts=4, read=2)


TEMPORARY = [
    "trail.json.gz.1a2B3c4D",
    "trail.json.gz123456789",
    "trail.json.gz.9fd3a2b1.partial",
    ".s3cmd.Ab12.tmp",
    ".trail.json.gz.Xy12Ab",
    "trail.json.gz.tmp",
    "trail.json.gz.part",
    "trail.json.crdownload",
]
FINAL = [
    "trail.json.gz",
    "trail.json",
    "trail.jsonl",
    "trail.ndjson",
    "trail",
    "000000.gz",
    "trail.json.1",
    "a.json.gz.2",
    "123_CloudTrail_us-east-1_20260301T1000Z_Ab12Cd34Ef56Gh78.json.gz",
    "trail-2026-03-01-10-00-00-1a2b3c4d",
]


@pytest.mark.parametrize("name", TEMPORARY)
def test_temporary_name_waits_for_rename(name: str, store: Store, logs: Path) -> None:
    assert is_temporary(name)
    path = write(logs, name, gzip.compress(document(SWEEP))[:100])
    sums = []

    def arrive() -> None:
        sums.append(store.files.accounting())
        path.write_bytes(gzip.compress(document(SWEEP)))
        path.rename(logs / "trail.json.gz")

    run = watch(store, logs, arrive, lambda: os.utime(logs / "trail.json.gz", ns=(0, 10**18)))
    assert (sums[0].files_waiting, sums[0].files_found, run.problems) == (1, 1, [])
    read_once(run)


@pytest.mark.parametrize("name", FINAL)
def test_final_name_is_not_being_written(name: str) -> None:
    assert not is_temporary(name)


# links, folders, permissions


def test_file_with_several_links_is_read_once(store: Store, logs: Path) -> None:
    write(logs, "a.json", SWEEP)
    os.link(logs / "a.json", logs / "b.json")
    (logs / "c.json").symlink_to(logs / "a.json")
    (logs / "gone.json").symlink_to(logs / "nowhere")
    run = watch(store, logs)
    read_once(run, skipped=2, quarantined=1)
    assert run.accounting.files_skipped == {"link": 2}
    assert run.accounting.files_quarantined == {"unreadable": 1}


def test_later_link_is_skipped_as_link(store: Store, logs: Path) -> None:
    path = write(logs, "m.json", SWEEP)
    read_once(watch(store, logs, lambda: (logs / "a.json").symlink_to(path)), skipped=1)


def test_folder_links_do_not_loop(store: Store, logs: Path) -> None:
    write(logs / "deep" / "er", "a.json", SWEEP)
    (logs / "deep" / "er" / "up").symlink_to(logs)
    (logs / "itself").symlink_to(logs / "itself")
    (logs / "again").symlink_to(logs / "deep")
    run = watch(store, [logs, logs / "deep", logs / "deep" / "er" / "a.json"])
    assert (run.accounting.records_seen, run.accounting.files_read) == (10, 1)


def test_last_remaining_link_is_the_file(store: Store, logs: Path) -> None:
    path = write(logs, "a.json", SWEEP)
    os.link(path, logs / "b.json")
    read_once(watch(store, logs, path.unlink))


def test_root_may_appear_and_disappear(store: Store, logs: Path) -> None:
    later = logs / "later"
    run = watch(
        store,
        [later],
        lambda: write(later, "a.json", SWEEP),
        lambda: shutil.rmtree(later),
        lambda: None,
    )
    read_once(run)


def test_deleted_file_stays_counted(store: Store, logs: Path) -> None:
    path = write(logs, "a.json", SWEEP)
    broken = write(logs, "b.json", b"no log")
    run = watch(store, logs, path.unlink, broken.unlink, lambda: None)
    read_once(run)


def test_unreadable_file_is_retried(
    store: Store, logs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(logs, "a.json", SWEEP)
    now = 0.0
    forbidden = True
    tries = []
    really_open = os.open

    def guarded(file: Any, *args: Any, **kwargs: Any) -> Any:
        if str(file) == str(path):
            tries.append(now)
            if forbidden:
                raise PermissionError(13, "Permission denied", str(file))
        return really_open(file, *args, **kwargs)

    def later(seconds: float, allow: bool = False) -> Callable[[], None]:
        def step() -> None:
            nonlocal now, forbidden
            now, forbidden = now + seconds, not allow

        return step

    monkeypatch.setattr(os, "open", guarded)
    run = watch(
        store, logs, later(1), later(31), later(1), later(31, allow=True), clock=lambda: now
    )
    assert sorted(set(tries)) == [0, 32, 64]
    read_once(run)


def test_scan_names_unreadable_file(logs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(logs, "a.json", SWEEP)
    write(logs, "b.json", sweep(10, 60))
    really_open = os.open

    def guarded(file: Any, *args: Any, **kwargs: Any) -> Any:
        if str(file) == str(path):
            raise PermissionError(13, "Permission denied", str(file))
        return really_open(file, *args, **kwargs)

    monkeypatch.setattr(os, "open", guarded)
    run = scan(logs)
    assert run.accounting.files_quarantined == {"unreadable": 1}
    assert len(run.alerts) == 1
    assert [
        str(path) in problem and "Permission denied" in problem for problem in run.problems
    ] == [True]


def test_non_utf8_name_is_kept(store: Store, logs: Path) -> None:
    name = os.fsdecode(b"trail-\xff\xfe.json")
    write(logs, name, [*SWEEP, *SWEEP])
    write(logs, "other.json", SWEEP)
    run = watch(store, logs, lambda: (logs / name).rename(logs / (name + ".1")))
    assert (run.accounting.records_seen, run.accounting.records_duplicate, len(run.alerts)) == (
        30,
        20,
        1,
    )
    assert {row.path for row in store.files.all()} == {
        str(logs / (name + ".1")),
        str(logs / "other.json"),
    }


# stop and start


def test_restart_reads_nothing_twice(tmp_path: Path, logs: Path) -> None:
    write(logs, "a.json", SWEEP)
    write(logs, "b.json.gz", gzip.compress(document(sweep(10, 60))))
    log = write(logs, "c.jsonl", lines(sweep(10, 120)) + b'{"eventTime": "2026-')
    write(logs, "d", b"no log")
    write(logs, "e.json", document(SWEEP)[:-9])
    seen = []
    for _ in range(3):
        store = Store.open(tmp_path / "again.db")
        run = watch(store, logs)
        seen.append((run.accounting, run.facts))
        store.close()
    assert seen[0] == seen[1] == seen[2]
    assert run.problems == []  # told once, the first time
    store = Store.open(tmp_path / "again.db")
    append(log, b'03-01T10:00:00Z"}\n' + lines(sweep(10, 180)))
    assert watch(store, logs).accounting.records_seen == seen[0][0].records_seen + 11
    store.close()


class StoppingAfter(threading.Event):
    """An event that is set when it has been asked some times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self._times = times

    def is_set(self) -> bool:
        self._times -= 1
        return super().is_set() or self._times < 0


def test_stopped_run_resumes(tmp_path: Path, logs: Path) -> None:
    for number in range(40):
        write(logs, f"{number}.json", [call(number, REGIONS[number % 14], event_id=str(number))])
    for limit in (5, 20, 1000):
        store = Store.open(tmp_path / "again.db")
        stop = StoppingAfter(limit)
        Pipeline(store, rules(), Stepping([logs], ()), 1).run(stop, lambda update: None)
        at_last = store.files.accounting()
        opened = store.alerts.all()
        store.close()
    assert (at_last.records_seen, at_last.files_read, at_last.records_duplicate) == (40, 40, 0)
    assert [alert.event_ids for alert in opened] == [alert.event_ids for alert in scan(logs).alerts]


def test_update_is_live_when_all_files_are_read(store: Store, logs: Path) -> None:
    write(logs, "a.json", SWEEP)
    run = watch(
        store, logs, lambda: None, lambda: write(logs, "b.json", sweep(10, 60)), lambda: None
    )
    assert [
        (update.live, update.accounting.records_seen) for update in run.updates if update.live
    ] == [(True, 10), (True, 20)]  # and nothing is said when nothing has happened
    assert [len(update.alerts) for update in run.updates if update.live] == [1, 1]
    assert run.updates[-1].newest == 1_772_359_260


def test_directory_wait_returns_on_stop(logs: Path) -> None:
    stop = threading.Event()
    stop.set()
    Directory([logs]).wait(stop, 3600)
    Directory([logs / "missing"]).wait(stop, 3600)
