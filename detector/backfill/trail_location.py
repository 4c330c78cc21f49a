"""The location of a trail in a bucket: its root, accounts and regions.

The layout is that of the CloudTrail User Guide, "CloudTrail log file name format":
``[PREFIX/]AWSLogs/[O-ID/]ACCOUNT/CloudTrail/REGION/YYYY/MM/DD/``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from detector.cloudtrail.object_key import TRAIL
from detector.sources.s3_objects import list_level, object_url, split_url

_LAYOUT = re.compile(
    r"(?P<above>.*?)AWSLogs(?:/(?P<organization>o-[a-z0-9]{10,32}))?"
    r"(?:/(?P<account>\d{12})(?:/CloudTrail(?:/(?P<region>[a-z0-9-]+))?)?)?"
)
_PLAIN = re.compile(r"[^'\"`\\$\x00-\x1f\x7f-\x9f\u2028\u2029]*")
"""A URL that needs no escaping in a table's DDL or in a line comment."""
_ACCOUNT = re.compile(r"\d{12}")
_ORGANIZATION = re.compile(r"o-[a-z0-9]{10,32}")


class LocationError(ValueError):
    """The source is not a trail; the message says what to name instead."""


@dataclass(frozen=True)
class TrailLocation:
    """A trail in a bucket or on disk; on disk ``bucket`` is empty and keys begin with a slash.

    ``root`` is the key prefix above the accounts, with its final slash; it may lack the
    organization's folder if ``organization`` is None. ``accounts`` and ``regions`` are those named
    by the source; empty: all."""

    bucket: str
    root: str
    organization: str | None = None
    accounts: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        """The ``s3://`` URL, or the path on disk, of the folder above the accounts."""
        if not self.bucket:
            return self.root
        return object_url(self.bucket, self.root)

    def region_prefix(self, account: str, region: str) -> str:
        """Return the key prefix above a region's day folders."""
        return f"{self.root}{account}/{TRAIL}/{region}/"


def parse_location(source: str) -> TrailLocation:
    """Parse an ``s3://`` URL at or above a trail's region folder. Raises LocationError."""
    if not source.startswith("s3://"):
        raise LocationError(f"{source}: name a trail in S3: s3://BUCKET/PREFIX")
    bucket, key = split_url(source)
    key = key.strip("/")
    if not _PLAIN.fullmatch(source):
        raise LocationError(
            f"{source}: Athena's tables take no quotes, control characters, \\ or $ in a prefix"
        )
    if not bucket:
        raise LocationError(f"{source}: there is no bucket in it: s3://BUCKET/PREFIX")
    return _locate(source, bucket, key)


def locate_folder(folder: Path) -> TrailLocation:
    """Return the trail of a folder on disk that is at or above a region's folder.

    Raises LocationError."""
    return _locate(str(folder), "", str(folder.absolute()))


def _locate(source: str, bucket: str, key: str) -> TrailLocation:
    if "AWSLogs" not in key.split("/"):
        above = f"{key}/" if key else ""
        return TrailLocation(bucket, f"{above}AWSLogs/")
    match = _LAYOUT.fullmatch(key)
    if match is None:
        raise LocationError(
            f"{source}: no folder of a trail: name the bucket, AWSLogs, or an account's or "
            "region's folder below it"
        )
    organization = match["organization"]
    root = f"{match['above']}AWSLogs/"
    if organization:
        root += f"{organization}/"
    return TrailLocation(
        bucket,
        root,
        organization,
        tuple(filter(None, [match["account"]])),
        tuple(filter(None, [match["region"]])),
    )


def find_accounts(
    location: TrailLocation,
    folders_below: Callable[[str, str], Sequence[str]] | None = None,
) -> TrailLocation:
    """List the accounts that deliver to a trail, and return the location with them.

    ``folders_below(bucket, prefix)`` returns the names of the folders directly below a prefix; the
    default lists S3. Raises LocationError if there is no trail or more than one, and Unavailable.
    """
    folders_below = folders_below or _folders_below
    names = folders_below(location.bucket, location.root)
    accounts = sorted(filter(_ACCOUNT.fullmatch, names))
    organizations = sorted(filter(_ORGANIZATION.fullmatch, names))
    if (accounts and organizations) or len(organizations) > 1:
        choices = " or ".join(f"{location.url}{each}/" for each in organizations)
        others = f", or accounts with --account: {', '.join(accounts)}" if accounts else ""
        raise LocationError(f"{location.url}: several trails: name {choices}{others}")
    if organizations:
        organization = organizations[0]
        below = TrailLocation(
            location.bucket, f"{location.root}{organization}/", organization, (), location.regions
        )
        return find_accounts(below, folders_below)
    if not accounts:
        raise LocationError(f"{location.url}: no account's folder in it: check the prefix")
    return TrailLocation(
        location.bucket, location.root, location.organization, tuple(accounts), location.regions
    )


def _folders_below(bucket: str, prefix: str) -> list[str]:
    level = list_level(bucket, prefix.rstrip("/"))
    return [folder.rpartition("/")[2] for folder in level.folders]
