"""The folder of a day, which stands for the files in it.

A backfill reads too many files for a row each. Its state has a row for each account, region and
day, whose path is that of the folder, with a slash at the end.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from detector.cloudtrail.object_key import trail_file
from detector.sources.file_span import FileSpan
from detector.sources.open_file import is_remote

_EARLY = 600
"""Seconds by which the label in a file's name may be before its events, as it is rounded."""


def is_day_folder(path: str) -> bool:
    """Tell whether a path is that of a folder which stands for its files."""
    return path.endswith("/")


def folder_above(path: str) -> str:
    """Return the folder of a file, with its slash."""
    return path[: path.rfind("/") + 1]


def files_in_folder(folder: str, start: int) -> Iterator[FileSpan]:
    """List the files of a folder that may hold events from ``start`` (epoch seconds) on.

    Raises OSError, whose ``strerror`` is for a person.
    """
    for path, size in _list_folder(folder):
        file = trail_file(path)
        delivered = None if file is None else file.delivered
        if delivered is None or delivered >= start - _EARLY:
            yield FileSpan(path, size, delivered=delivered)


def _list_folder(folder: str) -> Iterator[tuple[str, int]]:
    """Yield path and size of the files right in a folder."""
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
