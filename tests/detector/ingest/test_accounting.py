"""Every file found and every record seen is accounted for."""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from detector.sources.accounting import Accounting
from detector.store import Store
from tests.detector.trail import (
    REGIONS,
    Raw,
    call,
    document,
    lines,
    outcome,
    scan,
    sweep,
    watch,
    write,
)


class Kind(NamedTuple):
    """A kind of file: its content, and what becomes of it."""

    content: Callable[[int], bytes]
    state: str = "read"
    reason: str = ""
    each: int = 1
    """Records for each of that number."""


def calls(count: int, **changed: object) -> list[Raw]:
    return [
        call(seconds, REGIONS[seconds % 14], event_id=f"shared-{seconds}", **changed)
        for seconds in range(count)
    ]


def gzipped(count: int) -> bytes:
    return gzip.compress(document(calls(count)), 1, mtime=0)


KINDS = {
    "trail": Kind(lambda n: document(calls(n))),
    "gzip": Kind(lambda n: gzipped(n)),
    "lines": Kind(lambda n: lines(calls(n))),
    "other calls": Kind(lambda n: document(calls(n, eventName="DescribeRegions"))),
    "insights": Kind(lambda n: document(calls(n, eventCategory="Insight"))),
    "no times": Kind(lambda n: document(calls(n, eventTime=None))),
    "half JSON": Kind(lambda n: lines(calls(n)) + b"{\n" * n, each=2),
    "not CloudTrail beside it": Kind(
        lambda n: json.dumps([*calls(n), *[{"a": 1}, 7] * n]).encode(), each=3
    ),
    "nothing": Kind(lambda _: b"", "skipped", "empty", 0),
    "text": Kind(lambda n: b"x" * n, "skipped", "not-json", 0),
    "other JSON": Kind(
        lambda n: json.dumps([{"a": 1}] * n).encode(), "skipped", "not-cloudtrail", 0
    ),
    "cut short": Kind(lambda n: document(calls(n))[:-5], "quarantined", "truncated-json", 0),
    "gzip cut short": Kind(lambda n: gzipped(n)[:-5], "quarantined", "truncated-gzip", 0),
    "damaged": Kind(lambda n: gzipped(n)[:-8] + bytes(8), "quarantined", "corrupt-gzip", 0),
}
Files = list[tuple[str, int]]
mixed = st.lists(st.tuples(st.sampled_from(sorted(KINDS)), st.integers(1, 12)), max_size=12)


def expected(files: Files, incomplete: str = "quarantined") -> tuple[dict[str, int], int]:
    """Return the number of files by state and reason, and of records."""
    counts: dict[str, int] = {}
    for kind in (KINDS[name] for name, _ in files):
        state = incomplete if kind.reason.startswith("truncated") else kind.state
        state_and_reason = f"{state} {kind.reason}" if state not in ("read", "waiting") else state
        counts[state_and_reason] = counts.get(state_and_reason, 0) + 1
    return counts, sum(KINDS[name].each * count for name, count in files)


def summary(sums: Accounting) -> tuple[dict[str, int], int]:
    counts = {
        "read": sums.files_read,
        "waiting": sums.files_waiting,
        **{f"skipped {reason}": count for reason, count in sums.files_skipped.items()},
        **{f"quarantined {reason}": count for reason, count in sums.files_quarantined.items()},
    }
    assert sums.files_found == sum(counts.values())
    assert sums.records_seen == (
        sums.records_read + sum(sums.records_skipped.values()) + sum(sums.records_rejected.values())
    )
    assert sums.records_read >= sums.hits >= sums.records_duplicate >= 0
    return {name: count for name, count in counts.items() if count}, sums.records_seen


def put(folder: str, files: Files) -> None:
    for number, (name, count) in enumerate(files):
        write(Path(folder), f"{number:02d}", KINDS[name].content(count))


@settings(max_examples=25)
@given(mixed, mixed)
def test_scan_accounts_for_all_files_and_records(first: Files, second: Files) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(Store.open(None)) as store:
        put(folder, first)
        run = scan(Path(folder), store=store)
        assert summary(run.accounting) == expected(first)
        problems = sum(KINDS[name].state != "read" for name, _ in first)
        assert len(run.problems) == problems
        put(folder, [*first, *second])
        rescan = scan(Path(folder), store=store)
        assert summary(rescan.accounting) == expected([*first, *second])
        assert len(rescan.problems) == sum(KINDS[name].state != "read" for name, _ in second)


@settings(max_examples=20)
@given(mixed)
def test_accounting_adds_up_at_every_update(files: Files) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(Store.open(None)) as store:
        steps = [
            partial(write, Path(folder), f"{number:02d}", KINDS[name].content(count))
            for number, (name, count) in enumerate(files)
        ]
        run = watch(store, Path(folder), *steps)
        assert summary(run.accounting) == expected(files, incomplete="waiting")
        for update in run.updates:
            summary(update.accounting)


@settings(max_examples=15)
@given(mixed, st.randoms())
def test_duplicate_count_is_independent_of_order(files: Files, random: object) -> None:
    """Count duplicates in any order.

    Which copy is the duplicate depends on which came first; how many there are does not.
    """
    counted = []
    for _ in range(2):
        with tempfile.TemporaryDirectory() as folder, closing(Store.open(None)) as store:
            put(folder, files)
            names = os.listdir(folder)
            random.shuffle(names)  # type: ignore[attr-defined]
            for name in names:
                scan(Path(folder, name), store=store)
            counted.append(outcome(store).accounting.records_duplicate)
    copies = [
        seconds
        for name, count in files
        if name in ("trail", "gzip", "lines", "half JSON", "not CloudTrail beside it")
        for seconds in range(count)
    ]
    assert counted == [len(copies) - len(set(copies))] * 2


def test_duplicate_is_copy_of_counted_record(tmp_path: Path) -> None:
    write(
        tmp_path,
        "a.json",
        [
            *sweep(10),
            *sweep(3),
            *sweep(2, eventName="DescribeRegions", event_id="x"),
            *sweep(2, 60, eventID=None),
            *sweep(2, 60, eventID=None),
        ],
    )
    sums = scan(tmp_path).accounting
    assert (sums.records_seen, sums.records_read) == (19, 19)
    assert (sums.hits, sums.records_counted, sums.records_duplicate) == (17, 12, 5)
