"""The simulated organization: its accounts, its regions, its three hours. Nothing in it exists.

Account numbers are the ones that documentation uses, addresses come from the ranges reserved for documentation
(RFC 5737), access keys and principal ids end in ``EXAMPLE``.
"""

from __future__ import annotations

import calendar
import hashlib
import time
from random import Random

ORGANIZATION = "o-simulated00"
PRODUCTION, SHARED, DEVELOPMENT = "111122223333", "444455556666", "777788889999"
ACCOUNTS = {PRODUCTION: "production", SHARED: "shared services", DEVELOPMENT: "development"}
OUTSIDER = "999988887777"
"""An account that isn't part of the organization."""

REGIONS = (
    "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1", "ap-southeast-2",
    "ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3", "sa-east-1",
    "us-east-1", "us-east-2", "us-west-1", "us-west-2",
)  # fmt: skip
"""The regions that are on by default in every account."""

HOMES = {
    PRODUCTION: ("us-east-1", "eu-west-1"),
    SHARED: ("us-east-1",),
    DEVELOPMENT: ("eu-central-1",),
}
"""The regions where an account has machines; in the others only AWS's own services stir."""

SECOND_TRAIL = (SHARED, "eu-north-1")
"""An account and region where a trail of the account's own delivers everything a second time."""

GLOBAL_REGION = "us-east-1"
"""Where CloudTrail records the calls to services that have no region, such as IAM."""


def at(clock: str) -> int:
    """Seconds since the epoch at ``HH:MM:SS`` UTC on the simulated day, 2026-03-01."""
    hour, minute, second = map(int, clock.split(":"))
    return calendar.timegm((2026, 3, 1, hour, minute, second))


START, END = at("10:00:00"), at("13:00:00")


def stamp(seconds: int, form: str = "%Y-%m-%dT%H:%M:%SZ") -> str:
    return time.strftime(form, time.gmtime(seconds))


def stream(name: str) -> Random:
    """A source of chance of its own for each story and routine, so that a new one changes none of
    the others."""
    return Random(name)  # noqa: S311 - it must be repeatable


def digest(name: str) -> str:
    """64 hexadecimal digits that belong to ``name``."""
    return hashlib.sha256(name.encode()).hexdigest()


def number(name: str, below: int) -> int:
    """A number that belongs to ``name``, from 0 up to ``below``."""
    return int(digest(name), 16) % below


def letters(name: str, length: int, alphabet: str) -> str:
    """A word over ``alphabet`` that belongs to ``name``."""
    rest, word = int(digest(name), 16), ""
    for _ in range(length):
        rest, place = divmod(rest, len(alphabet))
        word += alphabet[place]
    return word


def aws_id(prefix: str, name: str) -> str:
    """An id such as ``AKIA…EXAMPLE`` in AWS's own lengths: 20 characters for access keys, 21 for
    principals."""
    return (
        prefix
        + letters(
            prefix + name,
            9 if prefix in ("AKIA", "ASIA") else 10,
            "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
        )
        + "EXAMPLE"
    )


def resource_id(prefix: str, name: str) -> str:
    """An EC2 resource id, such as ``i-0…`` or ``vol-0…``."""
    return f"{prefix}-0{digest(prefix + name)[:16]}"


def instance(account: str, region: str, place: int) -> str:
    return resource_id("i", f"{account}/{region}/{place}")


def volume(account: str, region: str, place: int) -> str:
    return resource_id("vol", f"{account}/{region}/{place}")
