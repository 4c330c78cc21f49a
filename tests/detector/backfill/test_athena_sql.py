"""What Athena unloads is what the rules ask for, and gives their alerts."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from detector.backfill.athena.table import TrailTable
from detector.backfill.athena.unload import Unload
from detector.backfill.selection import RecordSelection, select_calls
from detector.backfill.spans import Span, cut_into_spans
from detector.backfill.trail_location import TrailLocation
from detector.detection.baseline import first_seen
from detector.detection.indicator import parse_indicators
from detector.rules.ruleset import load
from detector.store import Store
from detector.text.time import DAY, parse_time
from tests.commandline.cli import Cli
from tests.detector.backfill.athena_table import (
    AthenaTable,
    Record,
    distinct_records,
    read_records,
    write_records,
)

SAMPLE = Path(__file__).parents[3] / "sample_logs"
ALL_FILES = list(read_records(SAMPLE))
FILES = distinct_records(ALL_FILES)
"""Where single events are told apart; the alerts of rules need all."""
RECORDS = [record for _, record in FILES]
ACCOUNTS = tuple(sorted({path.parts[-7] for path, _ in FILES}))
REGIONS = tuple(sorted({path.parts[-5] for path, _ in FILES}))
CI_DEPLOY = "arn:aws:iam::111122223333:user/ci-deploy"


def _time(record: Record) -> int:
    time = parse_time(record["eventTime"])
    assert time is not None
    return time


WHOLE = Span(
    min(_time(record) for _, record in ALL_FILES),
    max(_time(record) for _, record in ALL_FILES) + 1,
)


def unload(
    tmp_path: Path,
    selection: RecordSelection,
    span: Span = WHOLE,
    days: int = 1,
    files: Sequence[tuple[Path, Record]] = FILES,
) -> Path:
    """Unload a selection from records of the sample logs; return the folder of the results."""
    location = TrailLocation("trail-logs", "AWSLogs/", None, ACCOUNTS)
    table = TrailTable("hunts", location, selection, span)
    job = Unload(table, tuple(cut_into_spans(span, days)), "s3://results/th")
    athena = AthenaTable(table, files, tmp_path)
    folder = tmp_path / job.folder.removeprefix("s3://")
    for part in job.spans:
        athena.unload(job.statement(part), folder / part.name / "1" / f"{part.start}.gz")
    return folder


def event_ids(cli: Cli, folder: Path) -> set[str]:
    ran = cli("events", str(folder), "--format", "jsonl")
    assert ran.status == 0, ran.err
    return {event["event_id"] for event in ran.objects}


def of(records: list[Record]) -> set[str]:
    return {record["eventID"] for record in records}


def unload_selected(tmp_path: Path, files: Sequence[tuple[Path, Record]] = FILES) -> Path:
    """Unload the calls that the built-in rules ask for."""
    selection = RecordSelection(ACCOUNTS, REGIONS, select_calls(load()))
    return unload(tmp_path, selection, files=files)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a trail of the distinct records."""
    folder = tmp_path_factory.mktemp("sample")
    write_records(FILES, SAMPLE, folder)
    return folder


def test_unloads_equal_the_records_of_the_selected_calls(tmp_path: Path, cli: Cli) -> None:
    calls = select_calls(load())
    folder = unload_selected(tmp_path)
    wanted = [each for each in RECORDS if calls.includes(each["eventSource"], each["eventName"])]
    assert 0 < len(wanted) < len(RECORDS)
    assert event_ids(cli, folder) == of(wanted)


def test_scan_of_unloads_gives_the_alerts_of_the_served_rules(tmp_path: Path, cli: Cli) -> None:
    selected = unload_selected(tmp_path, ALL_FILES)
    served = {rule.rule_id for rule in select_calls(load()).rules}

    def found(source: Path) -> list[dict[str, Any]]:
        ran = cli("scan", str(source), "--format", "jsonl")
        assert ran.status == 0, ran.err
        names = ("alert_id", "window", "key", "columns", "event_ids", "regions", "source_ips")
        return [
            {name: alert[name] for name in names}
            for alert in ran.objects
            if alert["rule"]["id"] in served
        ]

    alerts = found(SAMPLE)
    assert alerts
    assert found(selected) == alerts


def test_unloads_of_a_principal_are_its_records(tmp_path: Path, cli: Cli) -> None:
    folder = unload(tmp_path, RecordSelection(ACCOUNTS, REGIONS, principals=(CI_DEPLOY,)))
    wanted = [each for each in RECORDS if each["userIdentity"].get("arn") == CI_DEPLOY]
    assert wanted
    assert event_ids(cli, folder) == of(wanted)


def test_unloads_of_accounts_regions_and_times_are_theirs(tmp_path: Path, cli: Cli) -> None:
    middle = (WHOLE.start + WHOLE.end) // 2
    span = Span(middle, WHOLE.end - 600)
    selection = RecordSelection(ACCOUNTS[:1], REGIONS[:4])
    folder = unload(tmp_path, selection, span)
    wanted = [
        record
        for path, record in FILES
        if path.parts[-7] == ACCOUNTS[0]
        and path.parts[-5] in REGIONS[:4]
        and span.start <= _time(record) < span.end
    ]
    assert wanted
    assert event_ids(cli, folder) == of(wanted)


@pytest.mark.parametrize(
    "text",
    [
        "203.0.113.7",
        "203.0.113.0/24",
        "203.0.113.0/27",
        "198.51.100.0/18",
        "444455556666",
        "kali",
        CI_DEPLOY,
        RECORDS[17]["eventID"].upper(),
    ],
)
def test_unloads_of_an_indicator_hold_all_its_events(
    tmp_path: Path, cli: Cli, sample: Path, text: str
) -> None:
    indicators = parse_indicators(text).indicators
    folder = unload(tmp_path, RecordSelection(ACCOUNTS, REGIONS, indicators=indicators))
    listed = tmp_path / "indicators"
    listed.write_text(text)
    whole = cli("events", str(sample), "--indicators", str(listed), "--format", "jsonl")
    part = cli("events", str(folder), "--indicators", str(listed), "--format", "jsonl")
    ids = {event["event_id"] for event in whole.objects}
    assert ids
    assert {event["event_id"] for event in part.objects} == ids


def test_spans_join_without_gap_or_overlap() -> None:
    whole = Span(1_772_000_000, 1_772_000_000 + 40 * DAY + 17)
    for days in (1, 7, 31):
        spans = list(cut_into_spans(whole, days))
        assert (spans[0].start, spans[-1].end) == whole
        assert all(one.end == other.start for one, other in pairwise(spans))
        assert all(span.start % DAY == 0 for span in spans[1:])


def test_another_selection_has_another_folder_and_the_same_has_the_same(tmp_path: Path) -> None:
    calls = select_calls(load())
    table = TrailTable(
        "hunts",
        TrailLocation("trail-logs", "AWSLogs/", None, ACCOUNTS),
        RecordSelection(ACCOUNTS, REGIONS, calls),
        WHOLE,
    )
    other = TrailTable(
        "hunts", table.location, RecordSelection(ACCOUNTS, REGIONS, calls, (CI_DEPLOY,)), WHOLE
    )
    folders = {
        Unload(each, tuple(cut_into_spans(WHOLE, days)), "s3://results").folder
        for each, days in ((table, 1), (table, 7), (other, 1))
    }
    assert len(folders) == 2


def test_alerts_of_a_backfill_say_what_is_not_known(tmp_path: Path, cli: Cli) -> None:
    selected = unload_selected(tmp_path)
    db = tmp_path / "case.db"
    ran = cli("scan", str(selected), "--db", str(db), "--format", "jsonl")
    assert "a backfill, which holds selected calls only" in ran.err
    flags = {flag["flag"] for alert in ran.objects for flag in alert["flags"]}
    assert flags
    assert not flags & {"first-seen-principal", "unused-region"}
    status = cli("status", "--db", str(db))
    assert "a backfill, which holds selected calls only" in status.out
    with closing(Store.look(db)) as store:
        words = {first_seen(alert.baseline, alert.start)[1] for alert in store.alerts.all()}
    assert words == {"not known: logs of a backfill were read, which hold selected calls only"}
