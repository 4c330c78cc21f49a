"""What a queue says is not trusted: each message is understood, or told and left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from detector.ingest.pipeline import Pipeline
from detector.sources.open import open_sources
from detector.sources.s3_notification import parse_message
from detector.sources.sqs_queue import SqsQueue
from detector.store import Store
from tests.clock import Clock
from tests.commandline.cli import ONLY_REFERENCE, Cli, one_line
from tests.detector.sources.aws import BUCKET, Aws, client, put
from tests.detector.sources.test_bucket import IDS, NOW, RECORDS, Hunt, gzipped, put_sweep
from tests.detector.sources.test_bucket import key as trail_key
from tests.detector.trail import call, document, rules, sweep, write


class Queue:
    """An SQS queue."""

    def __init__(self) -> None:
        self.client = client("sqs")
        self.url = self.client.create_queue(
            QueueName="trail", Attributes={"VisibilityTimeout": "0"}
        )["QueueUrl"]

    def send(self, message: object) -> None:
        body = message if isinstance(message, str) else json.dumps(message)
        self.client.send_message(QueueUrl=self.url, MessageBody=body)

    def count(self) -> int:
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        reply = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=names)
        return sum(map(int, reply["Attributes"].values()))


@pytest.fixture
def queue(aws: Aws) -> Iterator[Queue]:
    yield Queue()


@pytest.fixture
def hunt(queue: Queue) -> Iterator[Hunt]:
    made = Hunt(SqsQueue("sqs://trail", {BUCKET}), Clock(NOW))
    yield made
    made.store.close()


def put_whole_sweep() -> str:
    """Put the sweep into one object: each costs two requests, half of the time of a test."""
    name = trail_key("us-east-1")
    put(name, gzipped(RECORDS))
    return name


def s3_event(*keys: str, bucket: str = BUCKET, **changed: Any) -> dict[str, Any]:
    return {
        "Records": [
            {
                "eventName": "ObjectCreated:Put",
                "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": 9, **changed}},
            }
            for key in keys
        ]
    }


def trail_notice(*keys: str, bucket: str = BUCKET) -> dict[str, Any]:
    return {"s3Bucket": bucket, "s3ObjectKey": list(keys)}


def by_sns(message: object) -> dict[str, Any]:
    return {"Type": "Notification", "MessageId": "m", "Message": json.dumps(message)}


def bridged(key: str, bucket: str = BUCKET) -> dict[str, Any]:
    detail = {"bucket": {"name": bucket}, "object": {"key": key, "size": 9, "etag": "x"}}
    return {"detail-type": "Object Created", "source": "aws.s3", "detail": detail}


KINDS = {
    "S3": lambda keys: [s3_event(*keys)],
    "S3 with ETag": lambda keys: [s3_event(*keys, eTag="x")],
    "S3 by SNS": lambda keys: [by_sns(s3_event(*keys))],
    "S3 by SNS twice": lambda keys: [by_sns(by_sns(s3_event(*keys)))],
    "CloudTrail": lambda keys: [trail_notice(*keys)],
    "CloudTrail by SNS": lambda keys: [by_sns(trail_notice(*keys))],
    "CloudTrail, one each": lambda keys: [trail_notice(key) for key in keys],
    "CloudTrail, a text": lambda keys: [{"s3Bucket": BUCKET, "s3ObjectKey": key} for key in keys],
    "EventBridge": lambda keys: [bridged(key) for key in keys],
    "EventBridge by SNS": lambda keys: [by_sns(bridged(key)) for key in keys],
    "the same twice in one": lambda keys: [s3_event(*keys, *keys), trail_notice(*keys, *keys)],
    "the same in several": lambda keys: [s3_event(*keys), trail_notice(*keys), s3_event(*keys)],
}


@pytest.mark.parametrize("kind", KINDS)
def test_objects_are_read_once_and_messages_deleted(kind: str, queue: Queue, hunt: Hunt) -> None:
    for message in KINDS[kind](put_sweep()):
        queue.send(message)
    hunt.step()
    hunt.step()
    sums = hunt.store.files.accounting()
    assert (hunt.ids(), sums.records_seen, sums.records_duplicate) == ([IDS], 12, 0)
    assert (queue.count(), hunt.problems) == (0, [])


ODD_KEYS = [
    "a b.json",
    "a+b.json",
    "a%2Fb",
    "é/🐘.json",
    "x//y.json",
    "../x",
    "\x01",
    "a&b=c?d#",
    "m/",
]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_key_of_a_message_is_read_as_its_sender_writes_it(
    key: str, queue: Queue, hunt: Hunt
) -> None:
    """S3 encodes a key as in a form; CloudTrail and EventBridge leave it as it is."""
    for number, message in enumerate(
        (s3_event(quote_plus(f"1{key}")), trail_notice(f"2{key}"), bridged(f"3{key}"))
    ):
        put(f"{number + 1}{key}", gzipped(RECORDS[number::3]))
        queue.send(message)
    hunt.step()
    hunt.step()
    assert (hunt.ids(), queue.count(), hunt.problems) == ([IDS], 0, [])


OBJECT_FAULTS = [
    ("503 Slow Down", "SlowDown", None),
    ("400 Bad Request", "ExpiredToken", None),
    ("403 Forbidden", "AccessDenied", "denied"),
    ("403 Forbidden", "InvalidObjectState", "archived"),
    ("404 Not Found", "NoSuchBucket", "no-bucket"),
    ("301 Moved Permanently", "PermanentRedirect", "wrong-region"),
    ("400 Bad Request", "KMS.DisabledException", "refused"),
]


@pytest.mark.parametrize(("status", "code", "reason"), OBJECT_FAULTS)
@pytest.mark.parametrize("etag", [None, "x"])
def test_object_fault_is_told_apart_and_the_object_read_later(
    status: str,
    code: str,
    reason: str | None,
    etag: str | None,
    queue: Queue,
    hunt: Hunt,
    aws: Aws,
) -> None:
    """What passes by itself stays in the queue; the rest is read when it is retried."""
    put("T403.json", document(sweep(12, 600)))
    queue.send(s3_event("T403.json", eTag=etag))
    queue.send(trail_notice(put_whole_sweep()))
    aws.fault = lambda request: (status, code) if "T403" in request["PATH_INFO"] else None
    hunt.step()
    sums = hunt.store.files.accounting()
    assert (hunt.ids(), sums.files_waiting) == ([IDS], int(reason is None))
    assert sums.files_quarantined == ({reason: 1} if reason else {})
    assert queue.count() == int(reason is None)
    aws.fault = lambda _: None
    if reason:
        hunt.store.quarantine.retry([file.path for file in hunt.store.quarantine.files()])
        hunt.pipeline.recheck_quarantine()
    clock = hunt.store.database.clock
    assert isinstance(clock, Clock)
    for _ in range(3):
        clock.now += 60
        hunt.step()
    assert (len(hunt.ids()), queue.count()) == (2, 0)


def test_object_denied_for_a_while_is_not_counted_again(queue: Queue, hunt: Hunt, aws: Aws) -> None:
    """A message that comes again finds it as it was read."""
    message = s3_event(put_whole_sweep())
    queue.send(message)
    hunt.step()
    first = hunt.store.files.accounting()
    aws.fault = lambda request: (
        ("403 Forbidden", "AccessDenied") if ".json.gz" in request["PATH_INFO"] else None
    )
    queue.send(message)
    hunt.step()
    assert hunt.store.files.accounting().files_quarantined == {"denied": 1}
    aws.fault = lambda _: None
    queue.send(message)
    hunt.step()
    assert hunt.store.files.accounting() == first


def test_object_is_read_once_by_queue_and_bucket(queue: Queue) -> None:
    keys = put_sweep()
    queue.send(trail_notice(*keys))
    queue.send(s3_event(*keys, eTag="another"))
    source = open_sources(["sqs://trail", f"s3://{BUCKET}"], live=False)
    store = Store.open(None)
    Pipeline(store, rules(), source, 1).scan(lambda _: None)
    sums = store.files.accounting()
    assert (sums.files_read, sums.records_seen, sums.records_duplicate) == (12, 12, 0)
    store.close()


def test_validation_messages_are_done_with(queue: Queue, hunt: Hunt) -> None:
    queue.send({"Event": "s3:TestEvent"})
    queue.send(by_sns({"Event": "s3:TestEvent"}))
    queue.send({"Type": "Notification", "Message": "CloudTrail validation message."})
    hunt.step()
    assert (queue.count(), hunt.store.files.accounting().files_found) == (0, 0)


POISON = {
    "not JSON": "something else",
    "empty list": "[]",
    "a number": "7",
    "null": "null",
    "no end": '{"Records": [',
    "size without end": json.dumps(s3_event("x.json")).replace("9", "1e999"),
    "negative size": json.dumps(s3_event("x.json", size=-1)),
    "size of 2**70": json.dumps(s3_event("x.json", size=2**70)),
    "size of 2**63": json.dumps(s3_event("x.json", size=2**63)),
    "5,000 digits": json.dumps(s3_event("x.json")).replace("9", "9" * 5000),
    "size is text": json.dumps(s3_event("x.json", size="9")),
    "size is a fraction": json.dumps(s3_event("x.json", size=1.5)),
    "lone surrogate": '{"s3Bucket": "trail-logs", "s3ObjectKey": ["\\ud800.json"]}',
    "lone surrogate in EventBridge": json.dumps(bridged("KEY")).replace("KEY", "\\udfff"),
    "not UTF-8": json.dumps(s3_event("%FF%FE.json")),
    "deep": "[" * 100_000,
    "deep in SNS": json.dumps({"Message": '{"a":' * 50_000}),
    "key is a number": json.dumps(trail_notice(7)),  # type: ignore[arg-type]
    "keys are a number": json.dumps({"s3Bucket": BUCKET, "s3ObjectKey": 7}),
    "empty key": json.dumps(trail_notice("")),
    "long key": json.dumps(trail_notice("x" * 5000)),
    "bucket is a path": json.dumps(trail_notice("x.json", bucket="a/b")),
    "bucket is an address": json.dumps(trail_notice("x.json", bucket="evil@host:80")),
    "bucket is null": json.dumps(s3_event("x.json", bucket=None)),  # type: ignore[arg-type]
    "no bucket": '{"s3ObjectKey": ["x.json"]}',
    "ETag is a list": json.dumps(s3_event("x.json", eTag=["x"])),
    "ETag is no ASCII": '{"detail":{"bucket":{"name":"b"},"object":{"key":"k","etag":"\\ud800"}}}',
    "no records": '{"Records": []}',
    "records are an object": '{"Records": {}}',
    "records are a text": '{"Records": ""}',
    "no keys": json.dumps(trail_notice()),
    "keys are an object": json.dumps({"s3Bucket": BUCKET, "s3ObjectKey": {}}),
    "keys in a list": json.dumps({"s3Bucket": BUCKET, "s3ObjectKey": [["x.json"]]}),
    "size is true": json.dumps(s3_event("x.json", size=True)),
    "size is no number": json.dumps(s3_event("x.json")).replace("9", "NaN"),
    "CloudTrail's records": json.dumps({"Records": [call()]}),
    "CloudTrail's event by EventBridge": json.dumps({"source": "aws.ec2", "detail": call()}),
    "an alarm": json.dumps(by_sns({"AlarmName": "x", "NewStateValue": "ALARM"})),
    "a mail": json.dumps({"Records": [{"eventSource": "aws:ses", "ses": {"mail": {}}}]}),
    "a subscription": json.dumps({"Type": "SubscriptionConfirmation", "Message": "You have"}),
    "one of two is no object": json.dumps(
        {"Records": [*s3_event("x.json")["Records"], {"eventSource": "aws:ses"}]}
    ),
    "two documents": json.dumps(s3_event("x.json")) * 2,
    "XML": "<Records/>",
    "SNS in itself": json.dumps(by_sns(by_sns(by_sns(by_sns({}))))),
}


@pytest.mark.parametrize("kind", POISON)
def test_poison_is_told_left_and_the_next_is_read(kind: str, queue: Queue, hunt: Hunt) -> None:
    assert parse_message(POISON[kind]) is None
    queue.send(POISON[kind])
    queue.send(trail_notice(put_whole_sweep()))
    hunt.step()
    hunt.step()
    assert (hunt.ids(), queue.count()) == ([IDS], 1)
    assert hunt.store.files.accounting().files_quarantined == {"no-object": 1}
    assert ["names no S3 object" in problem for problem in hunt.problems] == [True]


def test_bucket_that_nobody_named_is_not_contacted(
    queue: Queue, aws: Aws, cli: Cli, tmp_path: Path
) -> None:
    client("s3").create_bucket(Bucket="evil")
    client("s3").put_object(Bucket="evil", Key="x.json", Body=document(sweep(12)))
    put("here.json", document(sweep(12, 600)))
    queue.send(trail_notice("x.json", bucket="evil"))
    queue.send(s3_event("x.json", bucket="evil"))
    queue.send(bridged("x.json", bucket="evil"))
    aws.requests.clear()
    state = tmp_path / "hunt.db"

    def scan(*more: object) -> Any:
        return cli(
            "scan", "--format", "jsonl", *ONLY_REFERENCE, "--db", state, "sqs://trail", *more
        )

    ran = scan()
    assert (ran.status, ran.out, queue.count()) == (1, "", 3)
    assert not [path for _, path, _ in aws.requests if "evil" in path]
    assert "quarantined: s3://evil/x.json: a message names the bucket evil" in ran.err
    assert "--allow-bucket evil" in ran.err and "1 (bucket-not-named 1) quarantined" in ran.err
    beside = scan(f"s3://{BUCKET}/here.json", "--strict")
    assert (beside.status, len(beside.objects), queue.count()) == (3, 1, 3)
    assert not [path for _, path, _ in aws.requests if "evil" in path]
    allowed = scan("--allow-bucket", "other", "--allow-bucket", "evil", "--strict")
    assert (allowed.status, len(allowed.objects), queue.count()) == (0, 2, 0)


@pytest.mark.parametrize("way", ["option", "source", "configuration"])
def test_bucket_is_allowed_by(
    way: str, queue: Queue, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    queue.send(trail_notice(*put_sweep()))
    more: list[str] = []
    if way == "option":
        more = ["--allow-bucket", BUCKET]
    elif way == "source":
        put("elsewhere/x.json", b"")
        more = [f"s3://{BUCKET}/elsewhere"]
    else:
        write(tmp_path, "trailhound/config.toml", f'allow_buckets = ["{BUCKET}"]\n'.encode())
    ran = cli("scan", "--format", "jsonl", *ONLY_REFERENCE, "sqs://trail", *more)
    assert [alert["event_ids"] for alert in ran.objects] == [IDS]


SQS_ERRORS = [
    ("403 Forbidden", "AccessDenied", "allow sqs:GetQueueUrl"),
    ("400 Bad Request", "AWS.SimpleQueueService.NonExistentQueue", "no such queue"),
    ("403 Forbidden", "InvalidClientTokenId", "rejected"),
    ("400 Bad Request", "RequestThrottled", "throttles"),
    ("403 Forbidden", "ExpiredToken", "renew"),
]


def fail(code: str) -> Any:
    """Return an SQS operation that fails with a code, quoting misleading digits."""
    from botocore.exceptions import ClientError

    def failing(**_: object) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "403 503"}}, "x")

    return failing


@pytest.mark.parametrize(("status", "code", "says"), SQS_ERRORS)
def test_queue_error_is_told_counted_and_passes(
    status: str, code: str, says: str, queue: Queue, hunt: Hunt, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue.send(trail_notice(*put_sweep()))
    source = hunt.pipeline._source
    assert isinstance(source, SqsQueue)
    with monkeypatch.context() as patched:
        patched.setattr(source._client, "receive_message", fail(code))
        hunt.step()
    assert hunt.store.files.accounting().files_quarantined == {"queue": 1}
    assert [says in problem for problem in hunt.problems] == [True]
    hunt.step()
    assert (hunt.ids(), hunt.store.files.accounting().files_quarantined) == ([IDS], {})


def test_missing_queue_is_one_line(aws: Aws, cli: Cli) -> None:
    one_line(cli("scan", "sqs://none", *ONLY_REFERENCE), 1, "sqs://none: no such queue")
