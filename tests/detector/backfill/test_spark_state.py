"""A backfill on any engine gives the state of a scan, however the files are split and ordered."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from glob import glob
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.backfill.spark.digest_files import unread_row
from detector.backfill.spark.find_signals import SearchResult
from detector.backfill.spark.load_days import LoadError
from detector.backfill.spark.rule_bundle import RuleBundle
from detector.backfill.spark.run import DayPlan
from detector.detection.principal import PrincipalNames, RelatedPrincipals
from detector.detection.signals.related_records import ChunkRequests
from detector.ingest.pipeline import Pipeline
from detector.investigation.pivot import Pivot, read_pivot
from detector.rules.dispatch import Dispatch
from detector.rules.ruleset import RuleSet, load
from detector.sources.directory import Directory
from detector.store import Store
from detector.text.time import DAY, HOUR
from tests.detector.backfill.loaded_state import (
    NOW,
    backfill,
    deliver,
    events,
    picture,
    plan_days,
    run_backfill,
    scan,
)
from tests.detector.backfill.local_engine import LocalEngine
from tests.detector.store.file_rows import file_values, rows_by_path
from tests.detector.trail import ANA, REGIONS, START, Raw, call, document, sweep

COUNTS = ("files", "seen", "hits", "duplicate")
BOB = "arn:aws:iam::111122223333:user/bob"
DAYS = ("2026/03/01", "2026/03/02", "2026/03/03")
CALLS = (
    ("ec2.amazonaws.com", "DescribeInstances"),
    ("sts.amazonaws.com", "GetCallerIdentity"),
    ("iam.amazonaws.com", "CreateAccessKey"),
    ("cloudtrail.amazonaws.com", "StopLogging"),
    ("ssm.amazonaws.com", "DescribeParameters"),
)


@pytest.fixture(scope="module")
def rules() -> RuleSet:
    return load()


@st.composite
def trails(draw: st.DrawFn) -> list[tuple[str, int, list[Raw]]]:
    """Files of three days: where and when they were delivered, and their records."""

    def record(number: int, at: int, contradicts: bool) -> Raw:
        # One id mostly means one record; some records contradict each other.
        source, name = CALLS[number % len(CALLS)]
        return call(
            at if contradicts else at - at % HOUR + number % 45,
            REGIONS[number % len(REGIONS)],
            str(UUID(int=number + (0 if contradicts else 1000 * (at // HOUR)))),
            arn=(ANA, ANA, BOB)[number % 3],
            eventSource=source,
            eventName=name,
        )

    moments = st.sampled_from((0, 20, HOUR, 14 * HOUR - 30, 14 * HOUR + 10, DAY, 2 * DAY - HOUR))
    records = st.lists(
        st.builds(record, st.integers(0, 90), moments, st.integers(0, 9).map(lambda n: n == 0)),
        max_size=40,
    )
    files = st.tuples(st.sampled_from(REGIONS[:3]), moments, records)
    swept = [("us-east-1", at, sweep(12, at)) for at in draw(st.lists(moments, max_size=3))]
    return [*swept, *draw(st.lists(files, min_size=1, max_size=8))]


def write_trail(root: Path, files: Sequence[tuple[str, int, list[Raw]]]) -> None:
    for number, (region, at, records) in enumerate(files):
        deliver(root, region, at + 300, f"f{number}", records)


@pytest.mark.property
@settings(max_examples=12, deadline=None)
@given(trails(), st.integers(0, 1 << 30))
def test_state_is_that_of_a_scan(files: list[tuple[str, int, list[Raw]]], seed: int) -> None:
    """Rows of alerts, flags, accounting, history and activity, from any split and order."""
    rules = load()
    root = Path(tempfile.mkdtemp())
    try:
        write_trail(root, files)
        deliver(root, "us-east-1", 300, "bad", [], b"\x1f\x8bno gzip")
        scanned = scan(root, rules)
        engine = LocalEngine(seed)
        loaded = backfill(engine, plan_days(root, DAYS), rules)
        assert picture(loaded) == picture(scanned)
        assert events(loaded).keys() <= events(scanned).keys()
        files_before = file_values(loaded, *COUNTS)
        backfill(engine, plan_days(root, DAYS), rules, loaded)
        assert picture(loaded) == picture(scanned)
        assert files_before == file_values(loaded, *COUNTS)
    finally:
        shutil.rmtree(root)


class UnreadingEngine(LocalEngine):
    """An engine that lists files and brings none."""

    def digest(self, patterns: Sequence[str], name: str, rules: RuleBundle) -> None:
        paths = [path for each in patterns for path in glob(f"{each}/*")]
        self._rows[name] = [unread_row(path, 0, 10, 100) for path in paths]


def test_files_of_which_none_is_brought_are_accounted(tmp_path: Path, rules: RuleSet) -> None:
    path = deliver(tmp_path, "us-east-1", 300, "a", sweep(11))
    engine, days = UnreadingEngine(), plan_days(tmp_path, DAYS)
    loaded = backfill(engine, days, rules)
    assert [row.path for row in loaded.quarantine.files()] == [str(path)]
    backfill(engine, days, rules, loaded)
    assert loaded.files.accounting().files_quarantined == {"unreadable": 1}


class _ChangingTrail(LocalEngine):
    """An engine whose files change between its steps."""

    def __init__(self, change: Callable[[], object]) -> None:
        super().__init__()
        self._change = change

    def signals(
        self, requests: Mapping[str, ChunkRequests], rules: RuleBundle
    ) -> Iterator[SearchResult]:
        self._change()
        return super().signals(requests, rules)


def test_files_that_cannot_be_searched_are_named(tmp_path: Path, rules: RuleSet) -> None:
    others = [call(at, eventName="DescribeVpcs") for at in (60, 61)]
    deliver(tmp_path, "us-east-1", 300, "a", sweep(11))
    damaged = deliver(tmp_path, "us-east-1", 300, "b", others)
    gone = deliver(tmp_path, "us-east-1", 300, "c", others)

    def change() -> None:
        damaged.write_bytes(damaged.read_bytes()[:-9])
        gone.unlink(missing_ok=True)

    days = plan_days(tmp_path, DAYS[:1])
    store = Store.open(None, lambda: NOW)
    first, second = run_backfill(_ChangingTrail(change), days, rules, store)
    assert first.startswith(f"flags may be missing: {damaged}: ")
    assert second.startswith(f"flags may be missing: {gone}: the cluster could not read it again")
    assert not run_backfill(LocalEngine(), days, rules, Store.open(None, lambda: NOW))


def test_days_without_a_file_are_told(tmp_path: Path, rules: RuleSet) -> None:
    with pytest.raises(LoadError, match="no trail file of these days was found"):
        backfill(LocalEngine(), plan_days(tmp_path, DAYS), rules)


def test_days_read_before_are_not_read_again(tmp_path: Path, rules: RuleSet) -> None:
    for day in range(3):
        deliver(tmp_path, "us-east-1", day * DAY, f"d{day}", sweep(11, day * DAY - 300))
    engine = LocalEngine()
    backfill(engine, plan_days(tmp_path, DAYS[:2]), rules)
    assert len(engine.digested) == 2
    loaded = backfill(engine, plan_days(tmp_path, DAYS), rules)
    assert len(engine.digested) == 3
    assert picture(loaded) == picture(scan(tmp_path, rules))


def test_day_that_is_not_over_is_read_again(tmp_path: Path, rules: RuleSet) -> None:
    deliver(tmp_path, "us-east-1", 300, "a", sweep(11))
    engine = LocalEngine()
    today = [DayPlan("2026/05/28", plan_days(tmp_path, DAYS[:1])[0].patterns)]  # NOW is in it
    backfill(engine, today, rules)
    backfill(engine, today, rules)
    assert len(engine.digested) == 2


def test_loading_that_broke_off_is_taken_up(
    tmp_path: Path, rules: RuleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was committed before the folders were counts once."""
    deliver(tmp_path, "us-east-1", 300, "a", [*sweep(11), call(40, eventName="StopLogging")])
    engine, days = LocalEngine(), plan_days(tmp_path, DAYS[:1])
    store = Store.open(None, lambda: NOW)
    with monkeypatch.context() as broken:
        broken.setattr(Store, "load", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            backfill(engine, days, rules, store)
    assert store.files.accounting().files_read == 0
    backfill(engine, days, rules, store)
    assert picture(store) == picture(scan(tmp_path, rules))


def test_other_days_of_the_same_folders_need_a_new_state(tmp_path: Path, rules: RuleSet) -> None:
    for day in range(2):
        deliver(tmp_path, "us-east-1", day * DAY, f"d{day}", sweep(11, day * DAY - 300))
    engine = LocalEngine()
    loaded = backfill(engine, plan_days(tmp_path, DAYS[:1]), rules)
    before = picture(loaded)
    with pytest.raises(LoadError, match="name a new one with --db"):
        backfill(engine, plan_days(tmp_path, DAYS), rules, loaded)
    assert picture(loaded) == before
    backfill(engine, plan_days(tmp_path, DAYS[1:2]), rules, loaded)  # days beside them do not
    assert picture(loaded)["alerts"].keys() == picture(scan(tmp_path, rules))["alerts"].keys()


def test_state_of_a_scan_takes_no_day_of_it(tmp_path: Path, rules: RuleSet) -> None:
    deliver(tmp_path, "us-east-1", 300, "a", sweep(11))
    with pytest.raises(LoadError, match="the database has read it"):
        backfill(LocalEngine(), plan_days(tmp_path, DAYS[:1]), rules, scan(tmp_path, rules))


def test_a_row_stands_for_a_folder(tmp_path: Path, rules: RuleSet) -> None:
    """Files without an alert's event have no row of their own, and hits of no alert are let go."""
    for number in range(200):
        at = DAY + 2 * HOUR + 60 * number
        deliver(tmp_path, "us-east-1", at, f"q{number}", [call(at, event_id=str(UUID(int=number)))])
    deliver(tmp_path, "us-east-1", DAY, "alert", sweep(11, DAY))
    loaded = backfill(LocalEngine(), plan_days(tmp_path, DAYS), rules)
    accounting = loaded.files.accounting()
    assert (accounting.files_read, accounting.records_counted) == (201, 211)
    rows = file_values(loaded, "files", "inode")
    assert len(rows) < 20 and sum(files for _, files, _ in rows) == 201
    assert len(events(loaded)) < 40
    assert len({inode for *_, inode in rows}) == len(rows)
    [region] = [files for path, files, _ in rows if path.endswith("/2026/03/02/")]
    assert region == 201


def test_loaded_files_are_not_read_again_but_new_ones_are(tmp_path: Path, rules: RuleSet) -> None:
    deliver(tmp_path, "us-east-1", 300, "a", sweep(11))
    loaded = backfill(LocalEngine(), plan_days(tmp_path, DAYS[:1]), rules)
    late = deliver(tmp_path, "us-east-1", 600, "b", sweep(12, 300))
    newest = max(row.mtime_ns for row in rows_by_path(loaded).values())
    os.utime(late, ns=(newest + 10**9, newest + 10**9))
    pipeline = Pipeline(loaded, rules, Directory([tmp_path]), 1, clock=lambda: NOW)
    pipeline.scan(lambda update: None)
    accounting = loaded.files.accounting()
    assert (accounting.files_read, accounting.records_seen) == (2, 23)
    assert picture(loaded)["alerts"].keys() == picture(scan(tmp_path, rules))["alerts"].keys()


def test_file_that_could_not_be_read_is_looked_at_again(tmp_path: Path, rules: RuleSet) -> None:
    deliver(tmp_path, "us-east-1", 300, "a", sweep(11))
    bad = deliver(tmp_path, "us-east-1", 300, "bad", [], b"\x1f\x8bno gzip")
    loaded = backfill(LocalEngine(), plan_days(tmp_path, DAYS[:1]), rules)

    def again() -> tuple[int, int, int]:
        Pipeline(loaded, rules, Directory([tmp_path]), 1, clock=lambda: NOW).scan(lambda _: None)
        sums = loaded.files.accounting()
        return sums.files_read, sum(sums.files_quarantined.values()), sums.records_seen

    assert again() == (1, 1, 11)
    bad.write_bytes(gzip.compress(document([call(50)])))
    assert again() == (2, 0, 12)


def test_late_hit_of_a_pruned_time_is_counted(tmp_path: Path, rules: RuleSet) -> None:
    """A window that is no longer whole takes nothing more."""
    for day in range(3):
        deliver(tmp_path, "us-east-1", day * DAY, f"d{day}", [call(day * DAY)])
    loaded = backfill(LocalEngine(), plan_days(tmp_path, DAYS), rules)
    late = deliver(tmp_path / "late", "us-east-1", DAY, "late", sweep(12, HOUR))
    Pipeline(loaded, rules, Directory([late]), 1, clock=lambda: NOW).scan(lambda update: None)
    assert loaded.files.accounting().late_dropped == 12
    assert not any(alert.first_event == START + HOUR for alert in loaded.alerts.all())


def test_pivot_reads_the_folder_of_a_day(tmp_path: Path, rules: RuleSet) -> None:
    """Records that no rule asks for are found in the files, listed when they are needed."""
    odd = call(
        20, "us-east-1", str(UUID(int=7)), eventName="OddCall", eventSource="odd.amazonaws.com"
    )
    deliver(tmp_path, "us-east-1", 300, "a", [*sweep(11), odd])
    deliver(tmp_path, "us-east-1", 6 * HOUR, "later", [call(6 * HOUR)])
    loaded = backfill(LocalEngine(), plan_days(tmp_path, DAYS[:1]), rules)
    selector = RelatedPrincipals(PrincipalNames(arns=[ANA]))
    pivot = Pivot("all", selector, START, START + HOUR, START)
    files = loaded.chunks.file_spans(pivot.start, pivot.end, selector)
    batches = list(read_pivot(pivot, files, Dispatch([])))
    names = {row.event.action for batch in batches for row in batch.rows}
    assert names == {"DescribeInstances", "OddCall"}
    assert batches[-1].progress.unread == ()
    shutil.rmtree(tmp_path / "AWSLogs")
    batches = list(read_pivot(pivot, files, Dispatch([])))
    assert "No such file" in batches[-1].progress.unread[0]
