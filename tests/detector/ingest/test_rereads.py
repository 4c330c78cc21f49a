"""A re-read counts what a first read would: however the files came, grew and were cut."""

from __future__ import annotations

import gzip
import os
import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import cache, partial
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.formats import chunks
from detector.rules.ruleset import RuleSet
from detector.store import Store
from tests.detector.detection.test_against_oracle import append, in_turns
from tests.detector.rules.rule_scan import write_rule
from tests.detector.strategies import Trail, files, trails
from tests.detector.trail import Raw, call, document, lines, rules, scan, sweep, watch, write


@cache
def with_another_rule() -> RuleSet:
    """Return the reference rule, and one for which every file is read again."""
    with tempfile.TemporaryDirectory() as folder:
        rule = write_rule(Path(folder), 'from logs-* | where event.action == "None"')
        return rules("tumbling", rule)


def test_event_is_counted_once_by_whichever_file_brought_it_first(
    store: Store, tmp_path: Path
) -> None:
    """The file that was read later comes first by its name."""
    write(tmp_path, "2.json", sweep(10))
    scan(tmp_path, store=store)
    write(tmp_path, "10.json", sweep(10))
    scan(tmp_path, store=store)
    run = scan(tmp_path, store=store, by=with_another_rule())
    assert (run.accounting.records_seen, run.accounting.records_duplicate) == (20, 10)


def test_lines_that_came_piece_by_piece_are_no_duplicates(store: Store, tmp_path: Path) -> None:
    """They are one chunk by now."""
    log = write(tmp_path, "a.jsonl", lines(sweep(10)))
    steps = [partial(append, log, lines(sweep(10, at))) for at in (60, 120)]
    watch(store, tmp_path, *steps)
    run = scan(tmp_path, store=store, by=with_another_rule())
    assert (run.accounting.records_seen, run.accounting.records_duplicate) == (30, 0)


@settings(max_examples=15)
@given(st.data(), trails(), st.integers(900, 4000), st.integers(900, 4000), st.integers(1, 3))
def test_reread_counts_what_a_fresh_scan_counts(
    data: st.DataObject, records: Trail, size: int, other_size: int, batch: int
) -> None:
    """Files come in turns and pieces, with copies, and are cut otherwise the second time."""
    pieces = data.draw(in_turns(data.draw(files(records))))
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Store.open(None)) as store,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("detector.ingest.pipeline._COMMIT_FILES", batch)
        steps = [partial(append, Path(folder, name), piece) for name, piece in pieces]
        for limit in ("BLOCK", "SNIFF", "LINES_CHUNK"):
            patch.setattr(chunks, limit, size)
        watch(store, Path(folder), *steps)
        scan(Path(folder), store=store)
        for limit in ("BLOCK", "SNIFF", "LINES_CHUNK"):
            patch.setattr(chunks, limit, other_size)
        run = scan(Path(folder), store=store, by=with_another_rule())
        fresh = scan(Path(folder), by=with_another_rule())
    assert (run.facts, run.accounting) == (fresh.facts, fresh.accounting)


CLAIMS: tuple[Raw, ...] = ({}, {"awsRegion": "af-south-1"}, {"eventTime": "2026-03-01T11:00:00Z"})
"""What records of one event say, so that they contradict each other."""
CLAIMED = st.builds(
    lambda event, claim: {**call(event, event_id=f"e{event}"), **claim},
    st.integers(0, 3),
    st.sampled_from(CLAIMS),
)
COMMITS = st.lists(
    st.dictionaries(st.sampled_from(["a", "b", "c"]), st.lists(CLAIMED, min_size=1, max_size=4)),
    min_size=1,
    max_size=5,
)
"""What is appended to which file before each scan."""


@given(COMMITS, st.sampled_from([gzip.compress, bytes]), st.integers(1, 3))
def test_each_event_is_counted_once_wherever_commits_fall(
    commits: list[dict[str, list[Raw]]], packed: Callable[[bytes], bytes], batch: int
) -> None:
    """A compressed file that has grown is read from its start: its events come again."""
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Store.open(None)) as store,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("detector.ingest.pipeline._COMMIT_FILES", batch)
        for appended in commits:
            for name, records in appended.items():
                append(Path(folder, f"{name}.log"), packed(lines(records)))
            sums = scan(Path(folder), store=store).accounting
        again = scan(Path(folder), store=store, by=with_another_rule()).accounting
    records = [record for appended in commits for each in appended.values() for record in each]
    counted = len({record["eventID"] for record in records})
    assert (sums.records_counted, sums.records_duplicate) == (counted, len(records) - counted)
    assert again == sums


CONTENTS = st.lists(
    st.dictionaries(
        st.sampled_from(["a.json", "b.json", "c.json.gz"]),
        st.tuples(st.lists(CLAIMED, min_size=4, max_size=4), st.booleans()),
        min_size=1,
    ),
    min_size=1,
    max_size=4,
)
"""What stands in which file before each scan, and whether it is cut short."""


@given(CONTENTS, st.randoms())
def test_records_of_every_content_of_a_file_are_counted(
    contents: list[dict[str, tuple[list[Raw], bool]]], random: Random
) -> None:
    """Documents begin and end alike, and are as long as each other: they differ in the middle."""
    counts = []
    edge = call(userAgent="x" * 2000, eventName="GetConsoleOutput")
    for batch in (1, 3):
        with (
            tempfile.TemporaryDirectory() as folder,
            closing(Store.open(None)) as store,
            pytest.MonkeyPatch.context() as patch,
        ):
            patch.setattr("detector.ingest.pipeline._COMMIT_FILES", batch)
            for number, written in enumerate(contents):
                for name, (records, is_cut) in random.sample(sorted(written.items()), len(written)):
                    text = document([edge, *records, edge])
                    packed = gzip.compress(text) if name.endswith("gz") else text
                    log = write(Path(folder), name, packed[: -9 if is_cut else None])
                    os.utime(log, (number, number))
                sums = scan(Path(folder), store=store).accounting
            counts.append((sums.records_seen, sums.records_counted, sums.records_duplicate))
    read: dict[str, list[list[Raw]]] = {}
    for written in contents:
        for name, (records, is_cut) in written.items():
            known = read.setdefault(name, [])
            if not is_cut and known[-1:] != [records]:
                known.append(records)
    events = [
        record["eventID"] for known in read.values() for records in known for record in records
    ]
    seen = sum(len(records) + 2 for known in read.values() for records in known)
    assert counts == [(seen, len(set(events)), len(events) - len(set(events)))] * 2
