"""A backfill is run in Athena: each span once, whatever broke off before."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from detector.backfill.athena.client import AthenaClient, AthenaError
from detector.backfill.athena.table import TrailTable
from detector.backfill.athena.unload import Unload
from detector.backfill.selection import RecordSelection, select_calls
from detector.backfill.spans import Span, cut_into_spans
from detector.backfill.trail_location import TrailLocation
from detector.rules.ruleset import load
from detector.text.time import DAY
from tests.detector.sources.aws import BUCKET, Aws, aws, put, server

__all__ = ["aws", "server"]

ACCOUNT = "111122223333"
START = 1_772_323_200
WHOLE = Span(START, START + 2 * DAY)


class Athena:
    """An Athena that answers as told, and keeps what it was asked."""

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.states = ["QUEUED", "RUNNING", "SUCCEEDED"]
        self.stopped: list[str] = []
        self._looks = 0

    def start_query_execution(self, **arguments: Any) -> dict[str, str]:
        self.statements.append(arguments["QueryString"])
        self._looks = 0
        return {"QueryExecutionId": f"query-{len(self.statements)}"}

    def get_query_execution(self, **_: Any) -> dict[str, Any]:
        state = self.states[min(self._looks, len(self.states) - 1)]
        self._looks += 1
        status = {"State": state, "StateChangeReason": "HIVE_BAD_DATA: no"}
        scanned = {"DataScannedInBytes": 1000 * self._looks}
        return {"QueryExecution": {"Status": status, "Statistics": scanned}}

    def stop_query_execution(self, **arguments: Any) -> None:
        self.stopped.append(arguments["QueryExecutionId"])


@pytest.fixture
def unload() -> Unload:
    table = TrailTable(
        "hunts",
        TrailLocation("trail", "AWSLogs/", None, (ACCOUNT,)),
        RecordSelection((ACCOUNT,), ("us-east-1",), select_calls(load())),
        WHOLE,
    )
    return Unload(table, tuple(cut_into_spans(WHOLE, 1)), f"s3://{BUCKET}/th")


@pytest.fixture
def athena() -> Athena:
    return Athena()


@pytest.fixture
def client(aws: Aws, athena: Athena) -> AthenaClient:
    client = AthenaClient(f"s3://{BUCKET}/th", "primary", sleep=lambda _: None)
    client._athena = athena
    return client


def keys() -> set[str]:
    listed = boto3.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])
    return {each["Key"] for each in listed}


def test_span_is_unloaded_once(client: AthenaClient, athena: Athena, unload: Unload) -> None:
    shown: list[int] = []
    first = client.unload(unload, unload.spans[0], shown.append)
    again = client.unload(unload, unload.spans[0], shown.append)
    assert (first.scanned, again.scanned) == (3000, None)
    assert shown == [1000, 2000]
    assert len(athena.statements) == 1


def test_what_a_broken_attempt_left_is_deleted(
    client: AthenaClient, athena: Athena, unload: Unload
) -> None:
    span = unload.spans[0]
    left = f"{unload.folder}{span.name}/old-attempt/part.gz".removeprefix(f"s3://{BUCKET}/")
    put(left, b"half")
    put("th/of-others", b"stays")
    athena.states = ["FAILED"]
    with pytest.raises(AthenaError, match="failed: HIVE_BAD_DATA"):
        client.unload(unload, span, lambda _: None)
    assert keys() == {"th/of-others"}
    athena.states = ["SUCCEEDED"]
    assert client.unload(unload, span, lambda _: None).scanned == 1000
    targets = [text[text.index("TO 's3:") :].splitlines()[0] for text in athena.statements]
    assert len(set(targets)) == 2  # Athena refuses a folder that is not empty


def test_interrupted_statement_is_stopped(
    client: AthenaClient, athena: Athena, unload: Unload
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        client.unload(unload, unload.spans[0], interrupt)
    assert athena.stopped == ["query-1"]
    assert not keys()


def test_clean_deletes_only_what_was_unloaded(
    client: AthenaClient, athena: Athena, unload: Unload
) -> None:
    client.unload(unload, unload.spans[0], lambda _: None)
    put("th/of-others", b"stays")
    put("trail.json.gz", b"stays")
    assert client.clean(unload) == 1
    assert keys() == {"th/of-others", "trail.json.gz"}
    assert athena.statements[-1] == unload.table.drop()


def test_statements_reach_athena(aws: Aws, unload: Unload) -> None:
    client = AthenaClient(f"s3://{BUCKET}/th", "primary", sleep=lambda _: None)
    client.execute(unload.table.create_database())
    client.unload(unload, unload.spans[0], lambda _: None)
    athena = boto3.client("athena")
    ids = athena.list_query_executions()["QueryExecutionIds"]
    sent = [
        athena.get_query_execution(QueryExecutionId=each)["QueryExecution"]["Query"] for each in ids
    ]
    assert any(text.startswith("UNLOAD (") for text in sent)
    assert unload.table.create_database() in sent


def test_refused_request_is_one_line(aws: Aws, unload: Unload) -> None:
    client = AthenaClient(f"s3://{BUCKET}/th", "primary", sleep=lambda _: None)
    aws.fault = lambda _: ("403 Forbidden", "AccessDeniedException")
    with pytest.raises(AthenaError) as refused:
        client.execute(unload.table.create())
    assert "denied" in str(refused.value)
    assert "\n" not in str(refused.value)
