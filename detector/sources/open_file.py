"""Opening files by path, on disk or in a bucket."""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
from typing import BinaryIO

from detector.sources.source import NO_REQUESTS, Requests

_OF_A_PROCESS = ("/dev/fd/", "/dev/std", "/proc/self/", "/proc/thread-self/")
"""Prefixes of paths that refer to a process's own open files."""
SMALL_FILE = 32 << 10
"""Maximum size in bytes of a file that is read as a whole when opened."""


class SmallFile(io.BytesIO):
    """A file that was read as a whole when opened, with its device and inode."""

    def __init__(self, content: bytes, identity: tuple[int, int]) -> None:
        super().__init__(content)
        self.identity = identity


def open_file(path: str) -> BinaryIO:
    """Open a file of any source by its path. Raises OSError.

    The error's ``strerror`` is a sentence for people. A small file is read at once, which takes a
    third of the system calls.
    """
    if is_remote(path):
        from detector.sources.s3_objects import open_object

        return open_object(path)
    # O_NONBLOCK: if the path has become a pipe, opening it does not wait for a writer.
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
    """Raise OSError unless the mode is a regular file's."""
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "no file any more", path)


def identity_of(opened: BinaryIO) -> tuple[int, int]:
    """Return the device and inode of an opened file on disk."""
    if isinstance(opened, SmallFile):
        return opened.identity
    status = os.fstat(opened.fileno())
    return status.st_dev, status.st_ino


def is_remote(path: str) -> bool:
    """Tell whether a path is an object's URL."""
    return path.startswith("s3://")


def is_of_this_process(path: str) -> bool:
    """Tell whether a path refers to this process's open files: elsewhere it means another file."""
    return path.startswith(_OF_A_PROCESS)


def has_identity(path: str, identity: tuple[int, int]) -> bool:
    """Tell whether a path leads to the file with this identity.

    Always true for an object in a bucket, whose identity is not checked.
    """
    if is_remote(path):
        return True
    try:
        status = os.stat(path)
    except OSError:
        return False
    return (status.st_dev, status.st_ino) == identity


# These functions look up the module that reads buckets rather than import it, which is slow.


def requests_made() -> str:
    """Describe the cost of reading buckets; ``""`` if none was read."""
    objects = sys.modules.get("detector.sources.s3_objects")
    return str(objects.usage) if objects and objects.usage.lists else ""


def drain_usage() -> Requests:
    """Return the cost of reading buckets since the last call."""
    objects = sys.modules.get("detector.sources.s3_objects")
    return objects.usage.drain() if objects else NO_REQUESTS


def merge_usage(requests: Requests) -> None:
    """Add costs that another process has drained."""
    if requests != NO_REQUESTS:
        from detector.sources.s3_objects import usage

        usage.add(*requests)
