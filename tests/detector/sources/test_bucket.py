"""Hunts in a bucket yield the same alerts as on disk."""

from __future__ import annotations

import gzip
import itertools
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from detector.ingest.pipeline import Pipeline, Update
from detector.investigation.raw_record import raw_record
from detector.sources.open import open_sources
from detector.sources.s3_bucket import S3Bucket
from detector.sources.s3_objects import usage
from detector.sources.source import NoSource, Source
from detector.sources.sqs_queue import SqsQueue, parse_message
from detector.sources.time_bounds import Bounds
from detector.store import Store
from tests.clock import Clock
from tests.detector.formats import forms
from tests.detector.sources.aws import BUCKET, Aws, client, delete, put
from tests.detector.trail import builtin_rules

REFERENCE = "393ef120-63d1-11ef-8e38-f661ea17fbce"
NOW = 1772366400.0  # 2026-03-01T12:00:00Z
RECORDS = forms.sweep()
IDS = sorted(record["eventID"] for record in RECORDS)
_serial = itertools.count()


def key(
    region: str, label: str = "20260301T1135Z", prefix: str = "", account: str = "111122223333"
) -> str:
    day = f"{label[:4]}/{label[4:6]}/{label[6:8]}"
    return (
        f"{prefix}AWSLogs/{account}/CloudTrail/{region}/{day}/{account}_CloudTrail_{region}_{label}_"
        f"{next(_serial):016}.json.gz"
    )


def gzipped(records: Sequence[forms.Json]) -> bytes:
    return gzip.compress(forms.document(records), mtime=0)


def put_sweep(
    label: str = "20260301T1135Z", prefix: str = "", account: str = "111122223333"
) -> list[str]:
    keys = []
    for record in RECORDS:
        keys.append(key(record["awsRegion"], label, prefix, account))
        put(keys[-1], gzipped([record]))
    return keys


class Hunt:
    """A pipeline that is run sweep by sweep."""

    def __init__(
        self, source: Source, clock: Clock, path: Path | None = None, jobs: int = 1
    ) -> None:
        self.store = Store.open(path, clock)
        self.pipeline = Pipeline(self.store, builtin_rules(), source, jobs=jobs, clock=clock)
        self.problems: list[str] = []

    def step(self) -> None:
        stop = threading.Event()

        def publish(update: Update) -> None:
            self.problems += update.problems
            if update.live:
                stop.set()

        self.pipeline._unpublished.dirty = True
        self.pipeline.run(stop, publish)

    def ids(self) -> list[list[str]]:
        return [alert.event_ids for alert in self.store.alerts.all() if alert.rule.id == REFERENCE]


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def hunt(aws: Aws, clock: Clock) -> Iterator[Hunt]:
    made = Hunt(S3Bucket(f"s3://{BUCKET}", clock=clock, poll=0), clock)
    yield made
    made.store.close()


@pytest.mark.parametrize("prefix", ["", "some/where/", "o-abcdefghij/", "AWSLogs-backup/x/"])
def test_bucket_finds_trail_below_any_prefix(hunt: Hunt, prefix: str) -> None:
    put_sweep(prefix=prefix)
    hunt.step()
    assert hunt.ids() == [IDS]
    alert = hunt.store.alerts.all()[0]
    for event in hunt.store.alerts.events(alert.alert_id):
        assert event.position.source.startswith(f"s3://{BUCKET}/{prefix}AWSLogs/")
        assert event.event_id.encode() in raw_record(event)


def test_bucket_finds_organization_and_control_tower_trails(hunt: Hunt) -> None:
    for record, head in zip(
        RECORDS, itertools.cycle(("AWSLogs/o-abcdefghij/", "o-abcdefghij/AWSLogs/o-abcdefghij/"))
    ):
        put(key(record["awsRegion"]).replace("AWSLogs/", head), gzipped([record]))
    put("AWSLogs/111122223333/Config/us-east-1/2026/3/1/x.json.gz", b"not ours")
    hunt.step()
    assert hunt.ids() == [IDS]
    assert hunt.store.files.accounting().files_found == len(RECORDS)


def test_bucket_alerts_equal_those_of_directory(hunt: Hunt, tmp_path: Path, clock: Clock) -> None:
    for name in put_sweep():
        index = next(i for i, record in enumerate(RECORDS) if f"/{record['awsRegion']}/" in name)
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(gzipped([RECORDS[index]]))
    hunt.step()
    disk = Hunt(open_sources([str(tmp_path)], live=True), clock)
    disk.step()
    # A revision tells how often something was committed meanwhile.
    told = [
        [alert.as_json() | {"revision": None} for alert in each.store.alerts.all()]
        for each in (disk, hunt)
    ]
    assert told[0] == told[1]
    assert told[0]
    disk.store.close()


def test_poll_finds_earlier_keys_and_tomorrows_date(hunt: Hunt, clock: Clock) -> None:
    put(key("us-east-1", "20260301T1200Z"), gzipped([RECORDS[0]]))
    hunt.step()
    clock.now += 60
    for record in RECORDS[1:6]:  # labelled before what was read already
        put(key("us-east-1", "20260301T1130Z"), gzipped([record]))
    hunt.step()
    clock.now += 12 * 3600 - 300  # just before midnight, labelled after it
    for record in RECORDS[6:]:
        put(key("us-east-1", "20260302T0000Z"), gzipped([record]))
    hunt.step()
    assert hunt.ids() == [IDS]


def test_poll_finds_redelivery_within_a_day(hunt: Hunt, clock: Clock) -> None:
    put(key("us-east-1", "20260301T1200Z"), gzipped(RECORDS[:4]))
    hunt.step()
    put(key("us-east-1", "20260222T0000Z"), gzipped(RECORDS[4:]))
    for _ in range(8):
        clock.now += 86_400
        hunt.step()
    assert hunt.ids() == [IDS]


def test_poll_lists_little_and_reads_nothing_twice(hunt: Hunt, aws: Aws, clock: Clock) -> None:
    put_sweep()
    hunt.step()
    seen = hunt.store.files.accounting().records_seen
    aws.requests.clear()
    clock.now += 60
    hunt.step()
    assert hunt.store.files.accounting().records_seen == seen
    assert {method for method, _, _ in aws.requests} == {"GET"}
    assert all("list-type=2" in query and "start-after" in query for _, _, query in aws.requests)
    assert len(aws.requests) == len(RECORDS)  # a page for each region


def test_two_trails_of_same_events_are_duplicates(hunt: Hunt) -> None:
    put_sweep()
    put_sweep(prefix="second/")
    hunt.step()
    assert hunt.ids() == [IDS]
    assert hunt.store.files.accounting().records_duplicate == len(IDS)


@pytest.mark.parametrize("status", ["503 Slow Down", "429 Too Many Requests"])
def test_throttled_requests_are_retried(hunt: Hunt, aws: Aws, clock: Clock, status: str) -> None:
    put_sweep()
    calls = itertools.count()
    aws.fault = lambda request: (
        (status, "SlowDown") if ".json.gz" in request["PATH_INFO"] and next(calls) % 5 else None
    )
    for _ in range(12):
        hunt.step()
        clock.now += 60
    aws.fault = lambda _: None
    hunt.step()
    assert hunt.ids() == [IDS]
    sums = hunt.store.files.accounting()
    assert sums.files_read == sums.files_found == len(RECORDS)


def test_renewed_credentials_resume_reading(hunt: Hunt, aws: Aws, clock: Clock) -> None:
    put_sweep()
    aws.fault = lambda request: (
        ("400 Bad Request", "ExpiredToken") if ".json.gz" in request["PATH_INFO"] else None
    )
    hunt.step()
    sums = hunt.store.files.accounting()
    assert sums.files_waiting == len(RECORDS) and not hunt.ids()
    aws.fault = lambda _: ("400 Bad Request", "ExpiredToken")
    clock.now += 60
    hunt.step()
    assert any("renew" in problem for problem in hunt.problems)
    aws.fault = lambda _: None
    for _ in range(2):
        clock.now += 60
        hunt.step()
    sums = hunt.store.files.accounting()
    assert hunt.ids() == [IDS]
    assert sums.files_read == sums.files_found == len(RECORDS)


def test_objects_deleted_midway_are_skipped(hunt: Hunt, aws: Aws, clock: Clock) -> None:
    keys = put_sweep()
    one_by_one = threading.Lock()

    def empty(request: dict) -> None:
        if ".json.gz" in request["PATH_INFO"] and request["REQUEST_METHOD"] == "GET":
            with one_by_one:
                while len(keys) > 6:
                    delete(keys.pop())

    aws.fault = empty
    for _ in range(3):
        hunt.step()
        clock.now += 60
    sums = hunt.store.files.accounting()
    assert sums.files_found == len(RECORDS)
    assert sums.files_read + sums.files_skipped.get("gone", 0) == len(RECORDS)
    assert sums.files_skipped["gone"]


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        ("403 Forbidden", "InvalidObjectState", "archived"),
        ("403 Forbidden", "AccessDenied", "denied"),
    ],
)
def test_unavailable_object_is_quarantined_with_reason(
    hunt: Hunt, aws: Aws, status: str, code: str, reason: str, clock: Clock
) -> None:
    put_sweep()
    aws.fault = lambda request: (
        (status, code) if f"/{RECORDS[3]['awsRegion']}/" in request["PATH_INFO"] else None
    )
    hunt.step()
    assert hunt.store.files.accounting().files_quarantined == {reason: 1}
    assert len(hunt.ids()[0]) == 11
    aws.fault = lambda _: None
    clock.now += 60
    hunt.step()
    assert hunt.store.files.accounting().files_quarantined == {reason: 1}  # not tried for ever
    (quarantined,) = hunt.store.quarantine.files()
    hunt.store.quarantine.retry([quarantined.path])
    hunt.pipeline.recheck_quarantine()
    hunt.step()
    assert hunt.ids() == [IDS] and not hunt.store.quarantine.files()


def test_restart_reads_rest_and_nothing_twice(aws: Aws, clock: Clock, tmp_path: Path) -> None:
    put_sweep()
    for stop_after in range(1, len(RECORDS) + 1):
        gets = itertools.count()
        aws.fault = lambda request, gets=gets, stop_after=stop_after: (
            ("503 Slow Down", "SlowDown")
            if ".json.gz" in request["PATH_INFO"] and next(gets) >= stop_after
            else None
        )
        if stop_after == len(RECORDS):
            aws.fault = lambda _: None
        hunt = Hunt(S3Bucket(f"s3://{BUCKET}", clock=clock, poll=0), clock, tmp_path / "hunt.db")
        hunt.step()
        clock.now += 60
        hunt.step()
        sums = hunt.store.files.accounting()
        ids = hunt.ids()
        hunt.store.close()
        clock.now += 60
    assert ids == [IDS]
    assert sums.records_seen == len(RECORDS) and not sums.records_duplicate


def test_worker_processes_agree_and_usage_is_merged(aws: Aws, clock: Clock) -> None:
    put_sweep()
    put(key("us-east-1"), b"no log")
    for number in range(3):
        put(
            key("us-east-1"),
            gzipped(
                [{**RECORDS[0], "eventID": f"more-{number}", "eventName": "DescribeSnapshots"}]
            ),
        )
    aws.fault = lambda request: (
        ("403 Forbidden", "AccessDenied")
        if f"/{RECORDS[3]['awsRegion']}/" in request["PATH_INFO"]
        else ("503 Slow Down", "SlowDown")
        if f"/{RECORDS[4]['awsRegion']}/" in request["PATH_INFO"]
        else None
    )
    results = []
    for jobs in (1, 2):
        hunt, before = (
            Hunt(S3Bucket(f"s3://{BUCKET}", clock=clock, poll=0), clock, jobs=jobs),
            usage.gets,
        )
        hunt.step()
        results.append(
            (hunt.ids(), hunt.store.files.accounting(), sorted(hunt.problems), usage.gets - before)
        )
        hunt.store.close()
    assert results[0] == results[1]
    ids, _, _, requests = results[0]
    assert len(ids[0]) == 10 and requests == len(RECORDS) + 4 + 3, (
        "signals are looked for, which is counted too"
    )


def test_bounds_save_requests(aws: Aws, clock: Clock) -> None:
    put_sweep()
    put(key("us-east-1", "20250101T0000Z"), b"old")
    put(key("us-east-1", "20260501T0000Z"), b"later")
    source = open_sources([f"s3://{BUCKET}"], live=False, bounds=Bounds(int(NOW - 7200), int(NOW)))
    assert len([results for results in source.sweep() if results.problem is None]) == len(RECORDS)


def test_denied_or_missing_bucket_fails_at_once(aws: Aws) -> None:
    with pytest.raises(NoSource, match="no such bucket"):
        open_sources(["s3://there-is-no-such-bucket"], live=False)
    aws.fault = lambda _: ("403 Forbidden", "AccessDenied")
    with pytest.raises(NoSource, match="s3:ListBucket"):
        open_sources([f"s3://{BUCKET}"], live=False)


def test_denied_prefix_is_reported(hunt: Hunt, aws: Aws, clock: Clock) -> None:
    put_sweep()
    aws.fault = lambda request: (
        ("403 Forbidden", "AccessDenied") if "eu-west-1" in request["QUERY_STRING"] else None
    )
    hunt.step()
    assert hunt.store.files.accounting().files_quarantined == {"denied": 1}
    aws.fault = lambda _: None
    clock.now += 60
    hunt.step()
    assert hunt.ids() == [IDS]
    assert not hunt.store.files.accounting().files_quarantined


def test_bucket_of_other_formats_is_only_read(hunt: Hunt, aws: Aws) -> None:
    put(
        "firehose/2026/03/01/11/delivery-1",
        gzip.compress(forms.forms(RECORDS)["CloudWatch subscription"]),
    )
    put("loose.json", forms.document(forms.sweep(50)))
    put(
        "aws/CLOUD_TRAIL_MGMT/2.0/region=us-east-1/accountId=1/eventDay=20260301/x.json",
        forms.forms(forms.sweep(40))["OCSF"],
    )
    aws.requests.clear()
    hunt.step()
    assert len(hunt.ids()) == 3
    assert {method for method, _, _ in aws.requests} == {"GET"}


def test_command_reports_usage(hunt: Hunt) -> None:
    put_sweep()
    before = usage.gets, usage.lists, usage.bytes
    hunt.step()
    assert usage.gets - before[0] >= len(
        RECORDS
    )  # what is near an alert is looked up in the objects again
    assert usage.lists > before[1] and usage.bytes > before[2]
    assert "GET requests" in str(usage)


def notification(name: str, data: bytes) -> str:
    return forms.text(
        {
            "Records": [
                {
                    "eventSource": "aws:s3",
                    "eventName": "ObjectCreated:Put",
                    "s3": {
                        "bucket": {"name": BUCKET},
                        "object": {"key": name.replace("/", "%2F"), "size": len(data), "eTag": "x"},
                    },
                }
            ]
        }
    )


def test_queue_deletes_message_after_commit_only(
    aws: Aws, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:

    sqs = client("sqs")
    url = sqs.create_queue(QueueName="trail", Attributes={"VisibilityTimeout": "600"})["QueueUrl"]
    for index, name in enumerate(put_sweep()):
        body = notification(name, b"x")
        sqs.send_message(
            QueueUrl=url,
            MessageBody=forms.text({"Type": "Notification", "Message": body})
            if index % 2
            else body,
        )
    sqs.send_message(QueueUrl=url, MessageBody='{"Event": "s3:TestEvent"}')
    sqs.send_message(QueueUrl=url, MessageBody="something else")

    def left() -> int:
        return sum(
            map(
                int,
                sqs.get_queue_attributes(
                    QueueUrl=url,
                    AttributeNames=[
                        "ApproximateNumberOfMessages",
                        "ApproximateNumberOfMessagesNotVisible",
                    ],
                )["Attributes"].values(),
            )
        )

    queue = SqsQueue("sqs://trail", {BUCKET})

    def come_again() -> None:
        for received in queue._uncommitted.values():
            sqs.change_message_visibility(
                QueueUrl=url, ReceiptHandle=received.receipt, VisibilityTimeout=0
            )

    hunt = Hunt(queue, clock)
    failing = hunt.store.commit
    monkeypatch.setattr(
        hunt.store, "commit", lambda *_: (_ for _ in ()).throw(OSError("disk full"))
    )
    with pytest.raises(OSError, match="disk full"):
        hunt.step()
    assert left() == len(RECORDS) + 1  # the test message is done with
    come_again()
    monkeypatch.setattr(hunt.store, "commit", failing)
    hunt.step()
    assert hunt.ids() == [IDS]
    assert left() == 1  # not one of ours, and left where it is
    sqs.send_message(
        QueueUrl=url, MessageBody=notification(name, b"x")
    )  # told again of an object that was read
    hunt.step()
    assert left() == 1 and hunt.store.files.accounting().records_seen == len(RECORDS)
    assert any("names no S3 object" in problem for problem in hunt.problems)
    hunt.store.close()


def test_parse_message_of_each_kind() -> None:
    name = "AWSLogs/a b/x.json.gz"
    bridged = {
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": "b"}, "object": {"key": name, "size": 1}},
    }
    assert parse_message(forms.text(bridged))[0].path == f"s3://b/{name}"
    quoted = {
        "Records": [
            {"s3": {"bucket": {"name": "b"}, "object": {"key": "AWSLogs/a+b/x.json.gz", "size": 1}}}
        ]
    }
    assert parse_message(forms.text(quoted))[0].path == f"s3://b/{name}"
    assert parse_message('{"Records": 3}') is None and parse_message("[]") is None
