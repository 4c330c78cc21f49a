"""Conditions of a filter: what Athena unloads holds all events that the filter lets through."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.backfill.athena.filter_conditions import filter_condition
from detector.backfill.athena.table import TrailTable
from detector.backfill.athena.unload import Unload
from detector.backfill.selection import RecordSelection
from detector.backfill.trail_location import TrailLocation
from detector.filter.parser import parse
from tests.commandline.cli import Cli, one_line
from tests.detector.backfill.athena_table import AthenaTable
from tests.detector.backfill.test_athena_sql import (
    ACCOUNTS,
    FILES,
    RECORDS,
    REGIONS,
    WHOLE,
    sample,
)

__all__ = ["sample"]


def condition(text: str) -> str | None:
    return filter_condition(parse(text)[0])


def test_unloads_of_filters_hold_all_their_events(tmp_path: Path, cli: Cli, sample: Path) -> None:
    location = TrailLocation("trail-logs", "AWSLogs/", None, ACCOUNTS)

    def table_of(text: str | None) -> TrailTable:
        told = None if text is None else condition(text)
        return TrailTable(
            "hunts", location, RecordSelection(ACCOUNTS, REGIONS, condition=told), WHOLE
        )

    athena = AthenaTable(table_of(None), FILES, tmp_path)
    for number, text in enumerate(
        (
            "call:describe* region:eu-",
            "principal:user/ci-deploy call=DescribeInstances",
            "source:203.0.113.0/24 account:111122223333",
            "(call:PutObject or service:ec2) !region:us-east-1",
            f"id:{RECORDS[17]['eventID'].upper()} outcome:ok",
        )
    ):
        job = Unload(table_of(text), (WHOLE,), "s3://results/th")
        path = tmp_path / str(number) / "rows.gz"
        rows = athena.unload(job.statement(WHOLE), path)
        assert 0 < len(rows) < len(RECORDS), text
        ask = ["--filter", text, "--format", "jsonl"]
        part = cli("events", path.parent, *ask).objects
        wanted = {event["event_id"] for event in cli("events", sample, *ask).objects}
        assert wanted and {event["event_id"] for event in part} == wanted, text


@pytest.mark.parametrize(
    "text",
    [
        "!call:DescribeInstances",
        "outcome:ok",
        "call:* ",
        "word",
        "call:GetObject or use:theft",
        "call:Straße",
        "source:nonsense",
        "principal:role/",
        "",
    ],
)
def test_what_cannot_be_told_is_no_condition(text: str) -> None:
    assert condition(text) is None


def test_quotes_do_not_end_a_literal() -> None:
    assert condition('agent:"a\'b"') == "(strpos(lower(useragent), 'a''b') > 0)"


ASK = [
    "backfill",
    "athena",
    "s3://trail/AWSLogs/",
    "--since",
    "2026-03-01",
    "--until",
    "2026-03-02",
]
ASK += ["--output", "s3://mine/hunts", "--account", "111122223333"]


def test_filter_stands_in_the_statement(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.commandline.commands.backfill.athena._estimate", lambda *_: None)
    ran = cli(*ASK, "--all-calls", "--filter", "call:RunInstances")
    assert ran.status == 0, ran.err
    assert "strpos(lower(eventname), 'runinstances') > 0" in ran.out
    assert "--filter call:RunInstances" in ran.err


def test_filter_that_says_nothing_is_refused(cli: Cli) -> None:
    one_line(cli(*ASK, "--all-calls", "--filter", "outcome:ok"), 2, "nothing in it can be asked")
    one_line(cli(*ASK, "--all-calls"), 2, "--filter")
    one_line(cli(*ASK, "--filter", "nosuchfield:x"), 2, "--filter nosuchfield:x")
