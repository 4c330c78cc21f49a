"""A re-read counts what a first read would: however the files came, grew and were cut."""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import cache, partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.formats import chunks
from detector.rules.ruleset import RuleSet
from detector.store import Store
from tests.detector.detection.test_against_oracle import append, in_turns
from tests.detector.rules.rule_scan import write_rule
from tests.detector.strategies import Trail, files, trails
from tests.detector.trail import Raw, call, lines, rules, scan, sweep, watch, write


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
