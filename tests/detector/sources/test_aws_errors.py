"""Errors of S3 and SQS are told apart by their kind, whatever their text quotes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, SSOTokenLoadError
from obstore.exceptions import GenericError

from detector.sources.aws_errors import Kind, failure_of
from detector.sources.s3_bucket import S3Bucket
from detector.sources.s3_objects import bucket_store, open_object
from detector.sources.s3_raw_keys import is_path
from detector.sources.source import Unavailable
from tests.clock import Clock
from tests.detector.sources.aws import BUCKET, Aws, put
from tests.detector.sources.test_bucket import IDS, NOW, RECORDS, Hunt, gzipped, key

MISLEADING = [
    "a/403.json",
    "T1403Z_503_429.json",
    "AccessDenied",
    "NoSuchBucket/ExpiredToken/SlowDown.json",
    "401 403 404",
    "<Error><Code>AccessDenied</Code>",
    "x in 1ms - Server returned non-2xx status code: 403 Forbidden: <Error><Code>AccessDenied",
    "Error performing GET http://h/x in 1ms - Server returned non-2xx status code: 403 F: ",
    "redirect PermanentRedirect",
    "Received redirect without LOCATION",
    "InvalidObjectState missing credentials",
]
RESPONSES = [
    ("403 Forbidden", "AccessDenied", "denied", "access denied"),
    ("403 Forbidden", "InvalidObjectState", "archived", "restore"),
    ("403 Forbidden", "SignatureDoesNotMatch", "credentials", "rejected"),
    ("403 Forbidden", "InvalidAccessKeyId", "credentials", "rejected"),
    ("400 Bad Request", "ExpiredToken", "credentials", "renew"),
    ("404 Not Found", "NoSuchKey", "gone", "deleted"),
    ("404 Not Found", "NoSuchBucket", "no-bucket", "no such bucket"),
    ("503 Slow Down", "SlowDown", "throttled", "throttles"),
    ("429 Too Many Requests", "", "throttled", "throttles"),
    ("500 Internal Server Error", "InternalError", "unreachable", "500 InternalError"),
    ("400 Bad Request", "KMS.DisabledException", "refused", "400 KMS.DisabledException"),
    ("301 Moved Permanently", "PermanentRedirect", "wrong-region", "AWS_REGION"),
]


@pytest.mark.parametrize(("status", "code", "reason", "says"), RESPONSES)
def test_object_error_is_told_by_status_and_code(
    status: str, code: str, reason: str, says: str, aws: Aws
) -> None:
    aws.fault = lambda _: (status, code)
    for name in MISLEADING:
        if reason == "wrong-region" and not is_path(name):
            continue  # boto3 follows it by itself
        error = error_of(name)
        assert (error.code, says in str(error.strerror)) == (reason, True), name


def test_network_error_is_never_a_denial(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    bucket_store.cache_clear()
    for name in MISLEADING:
        error = error_of(name)
        assert (error.state, error.code) == ("waiting", "unreachable"), name


def error_of(name: str) -> Unavailable:
    with pytest.raises(Unavailable) as raised:
        open_object(f"s3://{BUCKET}/{name}")
    return raised.value


def client_error(status: int, code: str) -> ClientError:
    reply = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(reply, "403 AccessDenied")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (client_error(403, "AccessDenied"), "denied"),
        (client_error(403, "AccessDeniedException"), "denied"),
        (client_error(400, "AWS.SimpleQueueService.NonExistentQueue"), "no-such-place"),
        (client_error(400, "QueueDoesNotExist"), "no-such-place"),
        (client_error(400, "RequestThrottled"), "throttled"),
        (client_error(403, "InvalidClientTokenId"), "refused-credentials"),
        (client_error(403, "ExpiredToken"), "expired"),
        (client_error(500, "InternalFailure"), "failing"),
        (client_error(503, ""), "throttled"),
        (client_error(400, "InvalidParameterValue"), "refused"),
        (EndpointConnectionError(endpoint_url="https://h/403/AccessDenied"), "unreachable"),
        (SSOTokenLoadError(error_msg="403"), "expired"),
        (OSError(104, "Connection reset by peer: 403"), "unreachable"),
        (GenericError("Generic S3 error: HTTP error: 403 AccessDenied"), "unreachable"),
        (
            GenericError(
                "Generic S3 error: Error performing PUT http://169.254.169.254/latest/api/token in "
                "1s, after 2 retries - HTTP error: error sending request"
            ),
            "no-credentials",
        ),
    ],
)
def test_kind_of_error(error: Exception, kind: Kind) -> None:
    assert failure_of(error).kind == kind


@pytest.fixture
def hunt(aws: Aws) -> Iterator[Hunt]:
    clock = Clock(NOW)
    made = Hunt(S3Bucket(f"s3://{BUCKET}", clock=clock, poll=0), clock)
    yield made
    made.store.close()


@pytest.mark.parametrize("final", [False, True])
def test_network_errors_pass(hunt: Hunt, aws: Aws, final: bool) -> None:
    """Objects whose label holds 403 are read once the network is back, also by another scan."""
    label = "20260301T1403Z"
    for record in RECORDS:
        put(key(record["awsRegion"], label, account="403403403403"), gzipped([record]))
    calls = itertools.count()
    aws.fault = lambda request: (
        ("500 Internal Server Error", "InternalError")
        if ".json.gz" in request["PATH_INFO"] and next(calls) < 200
        else None
    )
    clock = hunt.store.database.clock
    assert isinstance(clock, Clock)
    for _ in range(12):
        if final:
            hunt.pipeline.scan(lambda _: None)
        else:
            hunt.step()
        clock.now += 60
    sums = hunt.store.files.accounting()
    assert (sums.files_read, sums.files_found, sums.records_seen) == (12, 12, 12)
    assert hunt.ids() == [IDS]
