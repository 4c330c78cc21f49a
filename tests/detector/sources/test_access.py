"""Access to a bucket: region, profile, single sign-on, errors."""

from __future__ import annotations

import io
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from detector.sources.s3_objects import bucket_store, open_object
from detector.sources.source import NoSource, Unavailable
from tests.detector.sources.aws import BUCKET, Aws, forget_clients, put

SSO = """
[profile analyst]
sso_start_url = https://example.awsapps.com/start
sso_region = eu-west-1
sso_account_id = 111122223333
sso_role_name = hunter
"""


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    forget_clients()
    yield
    forget_clients()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set a home with an empty ``.aws``, and no credentials."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    (tmp_path / ".aws").mkdir()
    return tmp_path


def reply(status: int, region: str | None) -> Any:
    headers = Message()
    if region:
        headers["x-amz-bucket-region"] = region
    if status >= 300:
        raise urllib.error.HTTPError(
            "https://s3.amazonaws.com/trail", status, "", headers, io.BytesIO()
        )
    answer = io.BytesIO()
    answer.headers = headers  # type: ignore[attr-defined]
    return answer


@pytest.mark.parametrize(
    ("status", "header", "region"),
    [
        (200, "eu-west-3", "eu-west-3"),
        (301, "me-south-1", "me-south-1"),
        (403, "ap-east-1", "ap-east-1"),
        (404, None, "us-west-2"),
    ],
)
def test_bucket_region_is_read_from_any_response(
    monkeypatch: pytest.MonkeyPatch, status: int, header: str | None, region: str
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    monkeypatch.setattr(urllib.request, "urlopen", lambda request, timeout: reply(status, header))

    assert bucket_store("trail").config["region"] == region


def test_region_falls_back_to_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(request: object, timeout: float) -> None:
        raise urllib.error.URLError("not a network")

    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    monkeypatch.setattr(urllib.request, "urlopen", unreachable)

    assert bucket_store("trail").config["region"] == "eu-north-1"


def test_profile_credentials_are_used(
    aws: Aws, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("AWSLogs/one.json", b"{}")
    (home / ".aws" / "credentials").write_text(
        "[hunter]\naws_access_key_id = AKIAEXAMPLE\naws_secret_access_key = s\n"
    )
    monkeypatch.setenv("AWS_PROFILE", "hunter")

    with open_object(f"s3://{BUCKET}/AWSLogs/one.json") as file:
        assert file.read() == b"{}"


def test_missing_profile_is_named(aws: Aws, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".aws" / "config").write_text("[profile other]\n")
    monkeypatch.setenv("AWS_PROFILE", "hunter")

    with pytest.raises(NoSource, match=r"hunter.*check AWS_PROFILE, or aws sso login"):
        bucket_store(BUCKET)


def test_expired_single_sign_on_says_what_to_do(
    aws: Aws, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".aws" / "config").write_text(SSO)
    monkeypatch.setenv("AWS_PROFILE", "analyst")

    with pytest.raises((NoSource, Unavailable), match="aws sso login"):
        open_object(f"s3://{BUCKET}/AWSLogs/one.json")
