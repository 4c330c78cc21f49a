"""``trailhound backfill athena``: statements, cost, errors; run and cleaned against moto."""

from __future__ import annotations

from pathlib import Path

import boto3
import pytest

from detector.backfill.athena import client
from tests.commandline.cli import Cli, one_line
from tests.detector.sources.aws import BUCKET, Aws, aws, put, server

__all__ = ["aws", "server"]

ACCOUNT, OTHER = "111122223333", "444455556666"
TRAIL = f"s3://{BUCKET}/AWSLogs/"
TIMES = ["--since", "2026-03-01", "--until", "2026-03-09"]
ASK = ["backfill", "athena", TRAIL, *TIMES, "--output", f"s3://{BUCKET}/results"]


@pytest.fixture(autouse=True)
def trail(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_POLL_SECONDS", 0)
    for account in (ACCOUNT, OTHER):
        put(f"AWSLogs/{account}/CloudTrail/us-east-1/2026/03/02/a.json.gz", b"x" * 1000)


def test_print_writes_table_statements_and_cost(cli: Cli) -> None:
    ran = cli(*ASK, "--region", "us-east-1")
    assert ran.status == 0, ran.err
    assert "2 files, 0.00 GB compressed, about $" in ran.out
    assert f"'projection.account.values' = '{ACCOUNT},{OTHER}'" in ran.out
    assert ran.out.count("UNLOAD (") == 1
    assert ran.out.count("CREATE EXTERNAL TABLE") == 1
    assert "since these rules would need every call: Burst of discovery calls" in ran.err
    assert "then: trailhound scan s3://trail-logs/results/trailhound-unload-" in ran.err


def test_conditions_of_principal_account_and_region_are_in_the_statement(cli: Cli) -> None:
    key = "AKIAIOSFODNN7EXAMPLE"
    ran = cli(*ASK, "--account", ACCOUNT, "--region", "eu-west-1", "--principal", key)
    assert f"account IN ('{ACCOUNT}')" in ran.out
    assert "region IN ('eu-west-1')" in ran.out
    assert f"useridentity.accesskeyid IN ('{key}')" in ran.out


def test_indicators_are_asked_for_whatever_was_called(cli: Cli, tmp_path: Path) -> None:
    listed = tmp_path / "list"
    listed.write_text("203.0.113.7\n198.51.100.0/24\n")
    ran = cli(*ASK, "--indicators", str(listed), "--all-calls")
    assert "sourceipaddress IN ('203.0.113.7')" in ran.out
    assert "starts_with(lower(sourceipaddress), '198.51.100.')" in ran.out
    assert "eventname IN" not in ran.out
    assert "then: trailhound events s3://" in ran.err


def test_trail_that_cannot_be_listed_is_said_and_printed(cli: Cli, aws: Aws) -> None:
    aws.fault = lambda _: ("403 Forbidden", "AccessDenied")
    ran = cli(*ASK, "--account", ACCOUNT)
    assert ran.status == 0
    assert "bytes and dollars are not known: access denied" in ran.err
    assert ran.out.count("UNLOAD (") == 2
    ran = cli(*ASK)
    assert ran.status == 1
    assert "name them with --account ID" in ran.err


def test_run_unloads_each_span_once_and_clean_deletes(cli: Cli) -> None:
    first = cli(*ASK, "--account", ACCOUNT, "--run")
    assert first.status == 0, first.err
    assert first.out == ""
    assert "1 of 1: 2026-02-28 to 2026-03-09" in first.err
    again = cli(*ASK, "--account", ACCOUNT, "--run")
    assert "unloaded before" in again.err
    clean = cli(*ASK, "--account", ACCOUNT, "--clean")
    assert "1 object deleted, the table is dropped" in clean.err
    listed = boto3.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]
    assert len([each for each in listed if each["Key"].startswith("AWSLogs/")]) == 2
    assert not [each for each in listed if "trailhound-unload" in each["Key"]]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--all-calls"], "name whose or which, with --principal, --indicators or --filter"),
        (["--account", "1234"], "an account id has 12 digits"),
        (["--region", "Ireland"], "no name of a region"),
        (["--principal", "ana"], "name an ARN or an access key"),
        (["--output", TRAIL + "results"], "this is in the trail"),
        (["--output", "/tmp/results"], "name a place in S3"),
        (["--database", "Hunts!"], "make a name of Athena"),
        (["--until", "2026-02-01"], "the end is not after the beginning"),
    ],
)
def test_misuse_is_one_line(cli: Cli, more: list[str], words: str) -> None:
    ran = cli(*ASK, "--quiet", *more)
    one_line(ran, 2, words)


def test_source_that_is_no_trail_is_one_line(cli: Cli) -> None:
    rest = [*TIMES, "--output", f"s3://{BUCKET}/results"]
    one_line(cli("backfill", "athena", "logs", *rest), 2, "name a trail in S3")
