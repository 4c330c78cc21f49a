"""Where a trail lies is read from its URL, or listed."""

from __future__ import annotations

import pytest

from detector.backfill.trail_location import (
    LocationError,
    TrailLocation,
    find_accounts,
    parse_location,
)

ONE, TWO = "111122223333", "444455556666"
ORGANIZATION = "o-exampleorgid"


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("s3://logs", TrailLocation("logs", "AWSLogs/")),
        ("s3://logs/", TrailLocation("logs", "AWSLogs/")),
        ("s3://logs/audit/trails", TrailLocation("logs", "audit/trails/AWSLogs/")),
        ("s3://logs/audit/AWSLogs/", TrailLocation("logs", "audit/AWSLogs/")),
        (
            f"s3://logs/AWSLogs/{ORGANIZATION}",
            TrailLocation("logs", f"AWSLogs/{ORGANIZATION}/", ORGANIZATION),
        ),
        (f"s3://logs/AWSLogs/{ONE}", TrailLocation("logs", "AWSLogs/", None, (ONE,))),
        (
            f"s3://logs/a/AWSLogs/{ORGANIZATION}/{ONE}/CloudTrail/eu-west-1/",
            TrailLocation(
                "logs", f"a/AWSLogs/{ORGANIZATION}/", ORGANIZATION, (ONE,), ("eu-west-1",)
            ),
        ),
    ],
)
def test_location_is_parsed(url: str, location: TrailLocation) -> None:
    assert parse_location(url) == location


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("logs/AWSLogs", "name a trail in S3"),
        ("s3:///AWSLogs", "no bucket"),
        ("s3://logs/it's/AWSLogs", "no quotes"),
        ("s3://logs/${account}/AWSLogs", "no quotes"),
        ("s3://logs/a\nDROP TABLE b;/AWSLogs", "no quotes"),
        (f"s3://logs/AWSLogs/{ONE}/CloudTrail/eu-west-1/2026/03", "no folder of a trail"),
        (f"s3://logs/AWSLogs/{ONE}/CloudTrail-Digest", "no folder of a trail"),
    ],
)
def test_other_url_is_refused(url: str, words: str) -> None:
    with pytest.raises(LocationError, match=words):
        parse_location(url)


def _found(url: str, folders: dict[str, list[str]]) -> TrailLocation:
    return find_accounts(parse_location(url), lambda _, prefix: folders.get(prefix, []))


def test_accounts_are_listed() -> None:
    location = _found("s3://logs", {"AWSLogs/": [TWO, ONE, "Config"]})
    assert location == TrailLocation("logs", "AWSLogs/", None, (ONE, TWO))


def test_organization_is_listed() -> None:
    folders = {"AWSLogs/": [ORGANIZATION], f"AWSLogs/{ORGANIZATION}/": [ONE]}
    location = _found("s3://logs", folders)
    assert location == TrailLocation("logs", f"AWSLogs/{ORGANIZATION}/", ORGANIZATION, (ONE,))


def test_two_trails_in_one_bucket_are_told_apart() -> None:
    with pytest.raises(LocationError, match=f"several trails.*{ORGANIZATION}/.*{ONE}"):
        _found("s3://logs", {"AWSLogs/": [ORGANIZATION, ONE]})


def test_folder_without_accounts_is_said() -> None:
    with pytest.raises(LocationError, match="no account's folder"):
        _found("s3://logs", {})
