"""A trail's object keys: account, region, folder and time of delivery.

The grammar is the CloudTrail User Guide's, "CloudTrail log file name format". Folders are those
that CloudTrail writes; the label is the minute of delivery, rounded to five, and may be a few
minutes ahead of it.
"""

from __future__ import annotations

from typing import NamedTuple

from detector.text.late_pattern import late_pattern
from detector.text.time import parse_time

TRAIL, DIGEST = "CloudTrail", "CloudTrail-Digest"

BACKFILL_FOLDER = "trailhound-unload-"
"""Prefix of the folders to which a backfill unloads the calls that it selects."""

_NAME = late_pattern(
    r"(?P<account>\d{12})_(?P<folder>CloudTrail(?:-[A-Za-z]+)?)_(?P<region>[a-z0-9-]+)_"
    r"(?:.*_)?(?P<label>\d{8}T\d{4,6}Z)(?:_?[A-Za-z0-9]{8,32})?\.json(?:\.gz)?$"
)
_PREFIX = late_pattern(
    r"(?:^|/)(?P<account>\d{12})/(?P<folder>CloudTrail(?:-[A-Za-z]+)?)/(?P<region>[a-z0-9-]+)(?:/|$)"
)


class TrailFile(NamedTuple):
    """The parsed name of a trail's file; ``delivered`` is in epoch seconds."""

    account: str
    region: str
    folder: str
    delivered: int


def trail_file(path: str) -> TrailFile | None:
    """Parse the name of a trail's file; None for other names."""
    match = _NAME.search(path.rpartition("/")[2])
    if match is None:
        return None
    label = match["label"]
    date = f"{label[:4]}-{label[4:6]}-{label[6:8]}"
    clock = f"{label[9:11]}:{label[11:13]}:{label[13:-1] or '00'}"
    delivered = parse_time(f"{date}T{clock}Z")
    if delivered is None:
        return None
    return TrailFile(match["account"], match["region"], match["folder"], delivered)


class TrailPrefix(NamedTuple):
    """A parsed path to a region's folder; ``below`` is the rest of the path."""

    account: str
    folder: str
    region: str
    below: str


def trail_prefix(path: str) -> TrailPrefix | None:
    """Parse a path at or below a region's folder; None for other paths."""
    match = _PREFIX.search(path)
    if match is None:
        return None
    return TrailPrefix(match["account"], match["folder"], match["region"], path[match.end() :])


def selection_folder(path: str) -> str | None:
    """Return the backfill folder that contains a file; None for other files."""
    above, folder, below = path.partition(f"/{BACKFILL_FOLDER}")
    if not folder:
        return None
    return above + folder + below.partition("/")[0]
