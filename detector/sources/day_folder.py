"""Day folders, each of which represents all its files.

A backfill reads too many files for one row per file. Its state has one row for each account, region
and day, whose path is the folder's, ending with a slash.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from detector.cloudtrail.object_key import trail_file
from detector.sources.file_span import FileSpan
from detector.sources.open_file import is_remote

_EARLY = 600
"""Seconds by which the rounded label in a file's name may precede the file's events."""


def is_day_folder(path: str) -> bool:
    """Tell whether a path is a folder that represents its files."""
    return path.endswith("/")


def folder_above(path: str) -> str:
    """Return the folder that contains a file, with its final slash."""
    return path[: path.rfind("/") + 1]


def files_in_folder(folder: str, start: int) -> Iterator[FileSpan]:
    """List a folder's files that may hold events from ``start`` (epoch seconds) on.

    Raises OSError, whose ``strerror`` is a sentence for people.
    """
    for path, size in _list_folder(folder):
        file = trail_file(path)
        delivered = None if file is None else file.delivered
        if delivered is None or delivered >= start - _EARLY:
            yield FileSpan(path, size, delivered=delivered)


def _list_folder(folder: str) -> Iterator[tuple[str, int]]:
    """Yield the path and size of each file directly in a folder."""
    if is_remote(folder):
        from detector.sources.s3_objects import list_level, object_url, split_url

        bucket, prefix = split_url(folder)
        for key, size, _ in list_level(bucket, prefix.rstrip("/")).objects:
            yield object_url(bucket, key), size
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file():
                yield entry.path, entry.stat().st_size
