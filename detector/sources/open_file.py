"""Files opened by their path, on disk or in a bucket."""

from __future__ import annotations

import errno
import os
import stat
import sys
from typing import BinaryIO

from detector.sources.source import NO_REQUESTS, Requests


def open_file(path: str) -> BinaryIO:
    """Open a file of any source by its path. Raises OSError.

    The error's ``strerror`` is for a person.
    """
    if is_remote(path):
        from detector.sources.s3_objects import open_object

        return open_object(path)
    file = open(path, "rb", opener=_open_without_waiting)  # noqa: SIM115 - it is returned open
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "no file any more", path)
    return file


def _open_without_waiting(path: str, flags: int) -> int:
    """Open a path that may have become a pipe, without waiting for a writer."""
    return os.open(path, flags | os.O_NONBLOCK)


def is_remote(path: str) -> bool:
    """Tell whether a path is the URL of an object."""
    return path.startswith("s3://")


def has_identity(path: str, identity: tuple[int, int]) -> bool:
    """Tell whether a path leads to the file with this identity.

    True for an object, of which it is not known.
    """
    if is_remote(path):
        return True
    try:
        status = os.stat(path)
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == identity


# The module that reads buckets is looked up, not imported: importing it is slow.


def requests_made() -> str:
    """Describe the cost of reading buckets; ``""`` if none was read."""
    objects = sys.modules.get("detector.sources.s3_objects")
    return str(objects.usage) if objects and objects.usage.lists else ""


def drain_usage() -> Requests:
    """Return the cost of reading buckets since the last call."""
    objects = sys.modules.get("detector.sources.s3_objects")
    return objects.usage.drain() if objects else NO_REQUESTS


def merge_usage(requests: Requests) -> None:
    """Add the cost that another process has drained."""
    if requests != NO_REQUESTS:
        from detector.sources.s3_objects import usage

        usage.add(*requests)
