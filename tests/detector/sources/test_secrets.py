"""No message quotes the password in an address, nor what a presigned address grants access by."""

from __future__ import annotations

import pytest

from detector.sources import s3_objects
from detector.text.secrets import hide_secrets
from tests.commandline.cli import Cli, one_line

SIGNED = "https://b.s3.amazonaws.com/k?X-Amz-Credential=AKIA%2F&X-Amz-Signature=0abc&versionId=v"
HIDDEN = {
    "http://user:pw@host:9/b?x=1": "http://***@host:9/b?x=1",
    "GET https://user:p%40w@host failed": "GET https://***@host failed",
    "http://token@host/": "http://***@host/",
    "http://user:pw@[::1]:9/": "http://***@[::1]:9/",
    'the proxy "http://u:p@proxy:3128" refuses': 'the proxy "http://***@proxy:3128" refuses',
    "sqs://u:p@host/q": "sqs://***@host/q",
    "http://a:b@h1 and http://c:d@h2": "http://***@h1 and http://***@h2",
    SIGNED: "https://b.s3.amazonaws.com/k?X-Amz-Credential=***&X-Amz-Signature=***&versionId=v",
    "k?AWSAccessKeyId=AKIA&Signature=x%3D": "k?AWSAccessKeyId=***&Signature=***",
    "k?x-amz-security-token=abc": "k?x-amz-security-token=***",
}
PLAIN = [
    "https://host:9000/bucket?prefix=a@b",
    "arn:aws:sts::111122223333:assumed-role/x/me@example.com",
    "s3://bucket/a@b/c",
    "//",
    "",
]


@pytest.mark.parametrize("text", HIDDEN)
def test_secret_of_an_address_is_hidden(text: str) -> None:
    assert hide_secrets(text) == HIDDEN[text]


@pytest.mark.parametrize("text", PLAIN)
def test_text_without_secrets_stays(text: str) -> None:
    assert hide_secrets(text) == text


@pytest.mark.parametrize("source", ["s3://bucket/key", "s3://bucket/folder/", "sqs://queue"])
@pytest.mark.parametrize("user", ["u:hunter2", "hunter2"])
def test_password_of_an_endpoint_is_hidden(
    source: str, user: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{user}@127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setattr(s3_objects, "RETRIES", {"max_retries": 0})
    s3_objects.bucket_store.cache_clear()
    ran = cli("scan", source)
    one_line(ran, 1, source)
    assert "hunter2" not in ran.err


ENDPOINTS = [
    "localhost:9000",
    "ftp://host",
    "http://",
    "http://[::bad",
    "http://host:99999",
    "http://host:x",
    "http://ho st",
    "http://ho%20st",
    "http://u:hunter2@",
    "https:///path",
]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_endpoint_that_is_no_address_is_one_line(
    endpoint: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    s3_objects.bucket_store.cache_clear()
    ran = cli("scan", "s3://bucket/key")
    one_line(ran, 1, "AWS_ENDPOINT_URL_S3: no address like https://HOST:PORT")
    assert "hunter2" not in ran.err
