"""Files opened by their path, on disk or in a bucket."""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
from typing import BinaryIO

from detector.sources.source import NO_REQUESTS, Requests

_OF_A_PROCESS = ("/dev/fd/", "/dev/std", "/proc/self/", "/proc/thread-self/")
"""How the paths begin of what each process has open itself."""
SMALL_FILE = 32 << 10
"""Bytes of a file that is read as a whole when it is opened."""


class SmallFile(io.BytesIO):
    """A file that was read as a whole, with its device and inode."""

    def __init__(self, content: bytes, identity: tuple[int, int]) -> None:
        super().__init__(content)
        self.identity = identity


def open_file(path: str) -> BinaryIO:
    """Open a file of any source by its path. Raises OSError.

    The error's ``strerror`` is for a person. A small file is read at once, in a third of the calls
    to the system.
    """
    if is_remote(path):
        from detector.sources.s3_objects import open_object

        return open_object(path)
    # A path that has become a pipe is opened without waiting for its writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        _require_file(status.st_mode, path)
        if status.st_size <= SMALL_FILE:
            content = os.read(descriptor, status.st_size + 1)
            if len(content) == status.st_size:
                return SmallFile(content, (status.st_dev, status.st_ino))
            os.lseek(descriptor, 0, os.SEEK_SET)
        file = open(descriptor, "rb")  # noqa: SIM115 - it is returned open
        descriptor = -1
        return file
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _require_file(mode: int, path: str) -> None:
    """Raise OSError for what is no file."""
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "no file any more", path)


def identity_of(opened: BinaryIO) -> tuple[int, int]:
    """Return the device and inode of an opened file of a disk."""
    if isinstance(opened, SmallFile):
        return opened.identity
    status = os.fstat(opened.fileno())
    return status.st_dev, status.st_ino


def is_remote(path: str) -> bool:
    """Tell whether a path is the URL of an object."""
    return path.startswith("s3://")


def is_of_this_process(path: str) -> bool:
    """Tell whether a path names what this process has open: in another one it leads elsewhere."""
    return path.startswith(_OF_A_PROCESS)


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
