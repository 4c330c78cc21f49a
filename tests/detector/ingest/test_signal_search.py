"""What a search for signals could not read is told: flags may be missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import detector.rules
from detector.rules.ruleset import RuleSet, load
from detector.store import Damaged, Store
from tests.detector.trail import REFERENCE_FILE, Run, call, lines, scan, sweep, watch, write

FLAGS = Path(detector.rules.__file__).with_name("builtin") / "flags"
OTHERS = [call(at, eventName="DescribeVpcs") for at in (60, 61)]
"""Calls of the one who sweeps, among which signals are searched."""


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    return load([REFERENCE_FILE, FLAGS], builtin=False)


def before_search(
    store: Store, monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]
) -> None:
    """Do something between the reading of files and each search."""
    between = store.chunks.between

    def after_action(*given: Any) -> Any:
        action()
        return between(*given)

    monkeypatch.setattr(store.chunks, "between", after_action)


def problems_of(run: Run) -> list[str]:
    assert run.alerts
    return [problem for problem in run.problems if problem.startswith("flags may be missing")]


@pytest.mark.parametrize("jobs", [1, 2])
def test_files_that_are_damaged_by_now_are_named(
    store: Store,
    tmp_path: Path,
    rules: RuleSet,
    monkeypatch: pytest.MonkeyPatch,
    jobs: int,
) -> None:
    log = write(tmp_path, "a.json", [*sweep(10), *OTHERS])
    write(tmp_path, "b.json", OTHERS)
    before_search(store, monkeypatch, lambda: log.write_bytes(b"\x1f\x8b\x08\x00odd"))
    (problem,) = problems_of(scan(tmp_path, store=store, by=rules, jobs=jobs))
    assert problem.startswith(f"flags may be missing: {log}: ")


def test_damaged_index_of_a_chunk_is_reported(
    store: Store, tmp_path: Path, rules: RuleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = write(tmp_path, "a.jsonl", lines(OTHERS))
    scan(tmp_path, store=store, by=rules)
    log.write_bytes(log.read_bytes() + lines(sweep(10)))

    def damage_indexes() -> None:
        with store.database.transaction() as db:
            assert db.execute("UPDATE chunk SET marks = x'7801'").rowcount == 2

    before_search(store, monkeypatch, damage_indexes)
    with pytest.raises(Damaged, match="doctor"):
        scan(tmp_path, store=store, by=rules)
    (alert,) = store.alerts.all()
    related = store.alerts.lineage(alert.alert_id)
    with pytest.raises(Damaged, match="doctor"):
        store.chunks.file_spans(0, 1 << 40, related)


def test_a_scan_names_files_that_went(
    store: Store, tmp_path: Path, rules: RuleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = write(tmp_path, "a.jsonl", lines([*sweep(10), *OTHERS]))
    before_search(store, monkeypatch, lambda: log.unlink(missing_ok=True))
    (problem,) = problems_of(scan(tmp_path, store=store, by=rules))
    assert problem == (
        f"flags may be missing: {log}: moved, changed or deleted since it was read: scan again"
    )


def test_a_live_run_names_a_file_once(
    store: Store, tmp_path: Path, rules: RuleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = write(tmp_path, "a.json", [*sweep(10), *OTHERS])
    before_search(store, monkeypatch, lambda: log.write_bytes(b"\x1f\x8b\x08\x00odd"))
    more = [lambda at=at: write(tmp_path, f"{at}.json", sweep(10, at)) for at in (120, 240)]
    assert len(problems_of(watch(store, tmp_path, *more, by=rules))) == 1


def test_what_could_be_searched_is_no_problem(store: Store, tmp_path: Path, rules: RuleSet) -> None:
    write(tmp_path, "a.json", [*sweep(10), *OTHERS])
    cut = write(tmp_path, "b.jsonl", lines([*sweep(10), *OTHERS])[:-200])
    run = scan(tmp_path, store=store, by=rules)
    assert not problems_of(run), f"{cut} was read before its damaged end"


@pytest.mark.parametrize("region", ["aa-first-1", "zz-last-1"])
def test_a_signal_that_claims_the_id_of_a_hit_changes_no_alert(
    store: Store, tmp_path: Path, rules: RuleSet, region: str
) -> None:
    """Whichever was read first, and whichever record is the smaller one."""
    claim = call(60, region, "x", eventName="DescribeVpcs")
    write(tmp_path, "a.json", [*sweep(10), claim, *OTHERS])
    before = scan(tmp_path, store=store, by=rules)
    write(tmp_path, "b.json", [call(1, "us-west-2", "x")])
    run, fresh = scan(tmp_path, store=store, by=rules), scan(tmp_path, by=rules)
    assert [len(each.facts[0]["regions"]) for each in (before, run, fresh)] == [10, 11, 11]
    assert (run.facts, run.accounting) == (fresh.facts, fresh.accounting)


def test_hits_that_a_search_saw_first_are_counted(
    store: Store, tmp_path: Path, rules: RuleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log grows after it was read: the search for signals finds lines that come to be hits."""
    log = write(tmp_path, "a.jsonl", lines([*sweep(10), *OTHERS]))
    later = lines(sweep(6, 120))

    def grow() -> None:
        if not log.read_bytes().endswith(later):
            with log.open("ab") as file:
                file.write(later)

    before_search(store, monkeypatch, grow)
    run, fresh = watch(store, tmp_path, lambda: None, by=rules), scan(tmp_path, by=rules)
    assert (run.accounting.records_counted, run.accounting.records_duplicate) == (16, 0)
    assert (run.facts, run.accounting) == (fresh.facts, fresh.accounting)
