"""Files that are replaced, renamed over each other, or left in the middle of a re-read."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from detector.formats import chunks
from detector.ingest import fingerprint
from detector.investigation.principals import sum_principals
from detector.rules.ruleset import RuleSet
from detector.store import FileRead, Store
from tests.clock import Clock
from tests.detector.rules.rule_scan import write_rule
from tests.detector.store.test_completeness import Trail
from tests.detector.trail import (
    REGIONS,
    START,
    Raw,
    call,
    document,
    lines,
    outcome,
    rules,
    scan,
    stamp,
    sweep,
    watch,
    write,
)

DAY = 86_400


@pytest.fixture
def clock() -> Clock:
    return Clock(START + 3600.0)


@pytest.fixture
def timed(clock: Clock) -> Iterator[Store]:
    """Return a store in memory by the test's clock."""
    with closing(Store.open(None, clock)) as opened:
        yield opened


@pytest.fixture
def trail(tmp_path: Path) -> Trail:
    return Trail(tmp_path / "trail")


# content


@pytest.mark.parametrize("second", [2**34, -(2**31), 0])
def test_files_of_any_time_are_read(second: int, store: Store, tmp_path: Path) -> None:
    calls = sweep(12)
    odd = write(tmp_path, "a.json", calls[:6])
    os.utime(odd, (second, second))
    write(tmp_path, "b.json", calls[6:])
    for _ in range(2):
        ran = scan(tmp_path, store=store)
        assert (len(ran.facts), ran.accounting.records_seen) == (1, 12)


def padded(at: int) -> Raw:
    """Return a call whose line is longer than what a fingerprint reads of a beginning."""
    return call(at, userAgent="x" * 2000)


def test_content_that_differs_at_its_end_only_is_read_again(store: Store, tmp_path: Path) -> None:
    """The first KiB, the size and the file are the same, and no record's end tells anything."""
    before = lines([padded(0), *sweep(10)])
    after = before.replace(stamp(0).encode(), stamp(60).encode()).replace(b"-0-", b"-1-")
    after = lines([padded(0)]) + after[len(lines([padded(0)])) :]
    assert len(before) == len(after) and before[:1024] == after[:1024]
    log = write(tmp_path, "a.jsonl", before)
    inode = log.stat().st_ino
    run = watch(store, tmp_path, lambda: log.write_bytes(after))
    assert log.stat().st_ino == inode
    assert [alert.start - START for alert in run.alerts] == [60, 0]
    sums = run.accounting
    assert (sums.records_seen, sums.records_duplicate, sums.files_read) == (22, 1, 1)


def test_log_of_an_older_state_is_read_on(store: Store, tmp_path: Path) -> None:
    """Its fingerprint covers less of the end."""
    log = write(tmp_path, "a.jsonl", lines([padded(0), *sweep(10)]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fingerprint, "_TAIL", 64)
        scan(tmp_path, store=store)
    log.write_bytes(log.read_bytes() + lines(sweep(10, 60)))
    sums = scan(tmp_path, store=store).accounting
    assert (sums.records_seen, sums.records_duplicate) == (21, 0)


@pytest.mark.parametrize("tail_size", [64, 1024])
def test_document_of_an_older_state_is_recognized(
    tail_size: int, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its fingerprint covers less than the whole."""
    log = write(tmp_path, "a.json", document(sweep(10)))
    with monkeypatch.context() as patch:
        patch.setattr(
            "detector.ingest.reader.fingerprint_of",
            lambda file, resume, size: fingerprint._hash(file, size, tail_size, covers_all=False),
        )
        scan(tmp_path, store=store)
    os.utime(log, (0, 0))
    sums = scan(tmp_path, store=store).accounting
    assert (sums.records_seen, sums.records_duplicate) == (10, 0)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_document_that_differs_in_its_middle_only_is_read_anew(
    pack: Callable[[bytes], bytes], store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The records of both contents were read, so both count."""
    monkeypatch.setattr(fingerprint, "_BLOCK", 700)
    calls = sweep(12, userAgent="x" * 600)
    other = {**calls[5], "eventID": calls[5]["eventID"][::-1]}
    before, after = document(calls), document([*calls[:5], other, *calls[6:]])
    assert len(before) == len(after)
    write(tmp_path, "a.json", pack(before))
    scan(tmp_path, store=store)
    os.utime(write(tmp_path, "a.json", pack(after)), (0, 0))
    sums = scan(tmp_path, store=store).accounting
    assert (sums.records_seen, sums.records_counted, sums.records_duplicate) == (24, 13, 11)
    again = scan(tmp_path, store=store).accounting
    assert again == sums


def test_compressed_file_that_grew_is_the_same(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read from its start, where it begins with all that it was."""
    monkeypatch.setattr(fingerprint, "_BLOCK", 700)
    agent = Random(1).randbytes(2000).hex()
    parts = [gzip.compress(lines(sweep(10, at, userAgent=agent))) for at in (0, 60, 120)]
    log = write(tmp_path, "a.jsonl.gz", parts[0])
    assert log.stat().st_size > 2048
    for number, part in enumerate(parts):
        if number:
            log.write_bytes(log.read_bytes() + part)
        sums = scan(tmp_path, store=store).accounting
        assert (sums.records_seen, sums.records_duplicate) == (10 * (number + 1), 0)


def calls_by_principals(store: Store) -> dict[str, int]:
    return {actor.name: each.whole.calls for actor, each in sum_principals(store).items()}


@pytest.mark.parametrize(
    ("content", "cut"),
    [
        (document(sweep(10)), 3000),
        (gzip.compress(document(sweep(10))), -9),
        (gzip.compress(lines(sweep(10))), -9),
    ],
)
def test_document_that_was_cut_short_for_a_while_is_the_same(
    content: bytes, cut: int, store: Store, tmp_path: Path
) -> None:
    """As a copy over it leaves it, until it is complete."""
    log = write(tmp_path, "a.json", content)
    first = scan(tmp_path, store=store).accounting
    calls = calls_by_principals(store)
    for _ in range(2):
        log.write_bytes(content[:cut])
        assert scan(tmp_path, store=store).accounting.files_read == 0
        log.write_bytes(content)
        assert scan(tmp_path, store=store).accounting == first
    assert calls_by_principals(store) == calls


def test_content_that_only_grew_is_read_on(store: Store, tmp_path: Path) -> None:
    log = write(tmp_path, "a.jsonl", lines([padded(0), *sweep(10)]))
    run = watch(store, tmp_path, lambda: log.write_bytes(log.read_bytes() + lines(sweep(10, 60))))
    assert (run.accounting.records_seen, run.accounting.records_duplicate) == (21, 0)


# renamed over another


def test_hash_of_a_file_goes_when_another_is_renamed_over_it(trail: Trail) -> None:
    """Its name has another content then, and the other's name has none."""
    taken, lost = trail.files[2], trail.files[7]
    with closing(Store.open(None, Clock(1772380800.0))) as store:
        scan(trail.root, store=store)
        os.replace(lost, taken)
        scan(trail.root, store=store)
        findings = store.completeness.findings(final=True)
    assert [(finding.kind, finding.name) for finding in findings] == [
        ("modified", taken.name),
        ("missing", lost.name),
    ]


def test_hash_of_a_file_is_that_of_its_content_after_a_swap(trail: Trail) -> None:
    """And after it is swapped back nothing is wrong any more."""
    one, other = trail.files[2], trail.files[7]

    found: list[list[str]] = []
    with closing(Store.open(None, Clock(1772380800.0))) as store:
        for _ in range(3):
            scan(trail.root, store=store)
            found.append([each.kind for each in store.completeness.findings(final=True)])
            one.rename(one.with_name("between"))
            other.rename(one)
            one.with_name("between").rename(other)
    assert found == [[], ["modified", "modified"], []]


def test_late_records_stay_counted_when_a_file_is_renamed_over_theirs(
    timed: Store, clock: Clock, tmp_path: Path
) -> None:
    write(tmp_path, "a.json", sweep(9))
    write(tmp_path, "b.json", [call(4000)])
    scan(tmp_path, store=timed)
    clock.now += DAY
    assert timed.retention.evict(600) == (9, 9)
    late = write(tmp_path, "late.json", [call(1, region) for region in REGIONS[:8]])
    later = write(tmp_path, "later.json", [call(2, region) for region in REGIONS[:3]])
    before = scan(tmp_path, store=timed).accounting
    assert (before.late_dropped, before.records_seen) == (11, 21)
    os.replace(tmp_path / "b.json", late)
    after = scan(tmp_path, store=timed).accounting
    assert (after.late_dropped, after.records_seen) == (11, 21)
    os.replace(later, late)
    assert scan(tmp_path, store=timed).accounting.late_dropped == 11


# a re-read that ends in the middle


class Killed(Exception):
    """The process ends before a commit."""


def dying(store: Store, commits: int) -> None:
    """Let the store die at the commit after so many."""
    commit = store.commit
    left = [None] * commits

    def counted(reads: Sequence[FileRead], newest_allowed: float = float("inf")) -> object:
        if not left:
            raise Killed
        left.pop()
        return commit(reads, newest_allowed)

    store.commit = counted  # type: ignore[method-assign, assignment]


def volumes(folder: Path) -> RuleSet:
    """Return the reference rule, and a new one that finds most in the end of the log."""
    query = (
        'from logs-* | where event.action == "DescribeVolumes" '
        "| stats n = count(*) by w = date_trunc(30 seconds, @timestamp), user.id | where n >= 4"
    )
    return rules("tumbling", write_rule(folder, query))


@pytest.mark.parametrize("commits", [0, 1, 2, 4, 6])
def test_reread_that_was_killed_begins_anew(
    commits: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a new rule finds in the lines before is not left out."""
    for limit, size in (("BLOCK", 1000), ("SNIFF", 3000), ("LINES_CHUNK", 1500)):
        monkeypatch.setattr(chunks, limit, size)
    monkeypatch.setattr("detector.ingest.pipeline._COMMIT_FILES", 1)
    listings = [call(70, region, eventName="DescribeVolumes") for region in REGIONS[:6]]
    logs, state = tmp_path / "logs", tmp_path / "hunt.db"
    records = [listings[0], *sweep(10), *listings[1:3], *sweep(3), *listings[3:], listings[0]]
    write(logs, "a.jsonl", lines(records))
    by = volumes(tmp_path / "rules")
    with closing(Store.open(state)) as store:
        scan(logs, store=store)
        dying(store, commits)
        with pytest.raises(Killed):
            scan(logs, store=store, by=by)
    with closing(Store.open(state)) as store:
        assert len(outcome(store).alerts) == 1, "it was killed before the last lines"
        run = scan(logs, store=store, by=by)
    fresh = scan(logs, by=by)
    assert (run.facts, run.accounting) == (fresh.facts, fresh.accounting)
    assert [len(alert.event_ids) for alert in run.alerts] == [6, 10]
