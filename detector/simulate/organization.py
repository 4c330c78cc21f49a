"""The simulated organization: its accounts, regions and hours.

Account numbers are those of AWS documentation, addresses come from the ranges reserved for
documentation (RFC 5737), access keys and principal ids end in ``EXAMPLE``.
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
"""An account outside the organization."""

REGIONS = (
    "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-southeast-1",
    "ap-southeast-2", "ca-central-1", "eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2",
    "eu-west-3", "sa-east-1",
    "us-east-1", "us-east-2", "us-west-1", "us-west-2",
)  # fmt: skip
"""The regions that are enabled by default in every account."""

HOMES = {
    PRODUCTION: ("us-east-1", "eu-west-1"),
    SHARED: ("us-east-1",),
    DEVELOPMENT: ("eu-central-1",),
}
"""The regions where an account has instances; in others, only AWS services act."""

SECOND_TRAIL = (SHARED, "eu-north-1")
"""An account and region in which the account's own trail delivers every file a second time."""

GLOBAL_REGION = "us-east-1"
"""The region in which CloudTrail records calls to global services, such as IAM."""


def time_of(clock: str) -> int:
    """Return the epoch seconds of ``HH:MM:SS`` UTC on 2026-03-01."""
    hour, minute, second = map(int, clock.split(":"))
    return calendar.timegm((2026, 3, 1, hour, minute, second))


START, END = time_of("10:00:00"), time_of("13:00:00")


def stamp(seconds: int, form: str = "%Y-%m-%dT%H:%M:%SZ") -> str:
    return time.strftime(form, time.gmtime(seconds))


def stream(name: str) -> Random:
    """Return the random generator of a story or routine.

    Each has its own, so that a new story or routine does not change the others.
    """
    return Random(name)  # noqa: S311 - it must be repeatable


def digest(name: str) -> str:
    """Return 64 hexadecimal digits that depend only on ``name``."""
    return hashlib.sha256(name.encode()).hexdigest()


def number_of(name: str, below: int) -> int:
    """Return a number below ``below`` that depends only on ``name``."""
    return int(digest(name), 16) % below


def letters(name: str, length: int, alphabet: str) -> str:
    """Return a word over ``alphabet`` that depends only on ``name``."""
    rest, word = int(digest(name), 16), ""
    for _ in range(length):
        rest, index = divmod(rest, len(alphabet))
        word += alphabet[index]
    return word


def aws_id(prefix: str, name: str) -> str:
    """Return an id such as ``AKIA…EXAMPLE``, as long as AWS's.

    Access keys have 20 characters, principal ids 21.
    """
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
    """Return an EC2 resource id, such as ``i-0…`` or ``vol-0…``."""
    return f"{prefix}-0{digest(prefix + name)[:16]}"


def instance(account: str, region: str, index: int) -> str:
    return resource_id("i", f"{account}/{region}/{index}")


def volume(account: str, region: str, index: int) -> str:
    return resource_id("vol", f"{account}/{region}/{index}")
