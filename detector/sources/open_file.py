"""Open a file of a source by its name, on disk or in a bucket."""

from __future__ import annotations

import os
import sys
from typing import BinaryIO

from detector.sources.source import NO_REQUESTS, Requests


def open_file(path: str) -> BinaryIO:
    """A file of any source, by the path that it was found under. Raises OSError; its ``strerror``
    is for a person."""
    if is_remote(path):
        from detector.sources.s3_objects import open_object

        return open_object(path)
    return open(path, "rb")


def is_remote(path: str) -> bool:
    """Tell whether a path is the address of an object in a bucket."""
    return path.startswith("s3://")


def has_identity(path: str, identity: tuple[int, int]) -> bool:
    """Whether the file of this device and inode has this name; whether an object does is not known:
    True."""
    if is_remote(path):
        return True
    try:
        status = os.stat(path)
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == identity


def requests_made() -> str:
    """What reading buckets has cost so far; ``""`` where there were none. It does not load what
    reads them."""
    objects = sys.modules.get("detector.sources.s3_objects")
    return str(objects.usage) if objects and objects.usage.lists else ""


def drain_usage() -> Requests:
    """What reading buckets has cost in this process since this was last asked, for another process
    to ``merge_usage``."""
    objects = sys.modules.get("detector.sources.s3_objects")
    return objects.usage.drain() if objects else NO_REQUESTS


def merge_usage(requests: Requests) -> None:
    if requests != NO_REQUESTS:
        from detector.sources.s3_objects import usage

        usage.add(*requests)
