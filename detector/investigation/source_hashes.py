"""The log files behind a case, with the hashes of their present content."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable

import msgspec

_BLOCK = 1 << 20


class SourceHash(msgspec.Struct, frozen=True):
    """A log file with the size and SHA-256 of its stored content, or the reason for none."""

    path: str
    records: int
    bytes: int | None = None
    sha256: str = ""
    reason: str = ""


def hash_sources(sources: Iterable[str], stop: threading.Event | None = None) -> list[SourceHash]:
    """Hash files, each once, and count how often each was named; bucket objects are not hashed."""
    counts: dict[str, int] = {}
    for source in sources:
        counts[source] = counts.get(source, 0) + 1
    return [_hashed(path, counts[path], stop) for path in sorted(counts)]


def _hashed(path: str, records: int, stop: threading.Event | None) -> SourceHash:
    if "://" in path:
        return SourceHash(path, records, reason="in a bucket: not fetched again")
    digest, size = hashlib.sha256(), 0
    try:
        with open(os.fsencode(path), "rb") as file:
            for block in iter(lambda: file.read(_BLOCK), b""):
                if stop is not None and stop.is_set():
                    return SourceHash(path, records, reason="stopped")
                digest.update(block)
                size += len(block)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        return SourceHash(path, records, reason=reason)
    return SourceHash(path, records, size, digest.hexdigest())
