"""S3 and SQS in this process (moto), with faults on demand."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import boto3
import pytest
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from detector.sources import s3_objects, s3_raw_keys

BUCKET = "trail-logs"
Fault = Callable[[dict[str, Any]], tuple[str, str] | None]
"""Gets a request's WSGI environment; an HTTP status and an S3 error code, or None to let it
pass."""


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *args: Any, **kwargs: Any) -> None:
        """Log nothing."""


class Aws:
    """A fake AWS.

    ``fault`` decides over each request; ``requests`` are (method, path, query) of all of them.
    """

    def __init__(self) -> None:
        self.fault: Fault = lambda _: None
        self.requests: list[tuple[str, str, str]] = []
        self._app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server(
            "127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _answer(self, environment: dict[str, Any], start: Any) -> Any:
        self.requests.append(
            (environment["REQUEST_METHOD"], environment["PATH_INFO"], environment["QUERY_STRING"])
        )
        if fault := self.fault(environment):
            status, code = fault
            error = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>"
            body = f"<?xml version='1.0'?>{error}".encode()
            start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
            return [body]
        return self._app(environment, start)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(scope="session")
def server() -> Iterator[Aws]:
    aws = Aws()
    yield aws
    aws.close()


@pytest.fixture
def aws(server: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    for name, value in (
        ("AWS_ENDPOINT_URL", server.url),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_MAX_ATTEMPTS", "1"),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setitem(s3_objects.RETRIES, "max_retries", 4)
    monkeypatch.setitem(
        s3_objects.RETRIES,
        "backoff",
        {
            "init_backoff": s3_objects.timedelta(milliseconds=1),
            "max_backoff": s3_objects.timedelta(milliseconds=2),
            "base": 2,
        },
    )
    forget_clients()
    client("s3").create_bucket(Bucket=BUCKET)
    server.requests.clear()
    yield server
    server.fault = lambda _: None
    urllib.request.urlopen(
        urllib.request.Request(f"{server.url}/moto-api/reset", method="POST")
    ).close()
    forget_clients()


@cache
def client(service: str) -> Any:
    """Return the client of a service of the fake AWS; making one takes longer than most tests."""
    return boto3.client(service)


def forget_clients() -> None:
    """Let buckets be opened by the environment of now."""
    s3_objects.bucket_store.cache_clear()
    s3_objects.bucket_region.cache_clear()
    s3_raw_keys._client.cache_clear()


def put(key: str, data: bytes) -> None:
    """Put an object where the server keeps it: a request for each would take most of a test."""
    s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(BUCKET, key, data)


def delete(key: str) -> None:
    client("s3").delete_object(Bucket=BUCKET, Key=key)
