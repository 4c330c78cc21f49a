"""What the name of a trail's file says: account, region, folder, when it was delivered.

The grammar is of the CloudTrail User Guide, "CloudTrail log file name format". Folders are those that CloudTrail
writes; the label is the minute of delivery, rounded to five, and may lie a few minutes ahead of it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from detector.text.time import parse_time

TRAIL, DIGEST = "CloudTrail", "CloudTrail-Digest"

_NAME = re.compile(
    r"(?P<account>\d{12})_(?P<folder>CloudTrail(?:-[A-Za-z]+)?)_(?P<region>[a-z0-9-]+)_"
    r"(?:.*_)?(?P<label>\d{8}T\d{4,6}Z)(?:_?[A-Za-z0-9]{8,32})?\.json(?:\.gz)?$"
)
_PREFIX = re.compile(
    r"(?:^|/)(?P<account>\d{12})/(?P<folder>CloudTrail(?:-[A-Za-z]+)?)/(?P<region>[a-z0-9-]+)(?:/|$)"
)


class TrailFile(NamedTuple):
    """Times in seconds since the epoch."""

    account: str
    region: str
    folder: str
    delivered: int


def trail_file(path: str) -> TrailFile | None:
    """What a file's name says; None where it is not the name of a trail's file."""
    found = _NAME.search(path.rpartition("/")[2])
    if found is None:
        return None
    text = found["label"]
    label = f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[9:11]}:{text[11:13]}:{text[13:-1] or '00'}Z"
    delivered = parse_time(label)
    return (
        None
        if delivered is None
        else TrailFile(found["account"], found["region"], found["folder"], delivered)
    )


class TrailPrefix(NamedTuple):
    account: str
    folder: str
    region: str
    below: str
    """What of the path comes after the region."""


def trail_prefix(path: str) -> TrailPrefix | None:
    """What a path says that has come down to a region's folder."""
    found = _PREFIX.search(path)
    return (
        TrailPrefix(found["account"], found["folder"], found["region"], path[found.end() :])
        if found
        else None
    )
