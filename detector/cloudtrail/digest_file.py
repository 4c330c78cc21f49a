"""Digest files: lists of the log files delivered in an hour, with hashes.

CloudTrail User Guide, "CloudTrail digest file structure": hashes are SHA-256 of the uncompressed
content.
"""

from __future__ import annotations

import msgspec

from detector.text.time import parse_time


class LogFile(msgspec.Struct, frozen=True):
    """A file named by a digest.

    ``oldest`` and ``newest`` are its first and last event time, in epoch seconds."""

    key: str
    sha256: bytes
    oldest: int | None
    newest: int | None

    @property
    def name(self) -> str:
        """The file name, which identifies the file wherever it was copied."""
        return self.key.rpartition("/")[2]


class Digest(msgspec.Struct, frozen=True):
    """A digest file; ``previous`` is None for the first file of a chain."""

    start: int | None
    end: int | None
    files: tuple[LogFile, ...]
    previous: LogFile | None = None


class _LogFile(msgspec.Struct, rename="camel"):
    s3_object: str = msgspec.field(name="s3Object")
    hash_value: str | None = None
    oldest_event_time: str | None = None
    newest_event_time: str | None = None


class _Digest(msgspec.Struct, rename="camel"):
    digest_start_time: str
    digest_end_time: str | None = None
    log_files: list[_LogFile] = []
    previous_digest_s3_object: str | None = msgspec.field(
        name="previousDigestS3Object", default=None
    )
    previous_digest_hash_value: str | None = None


def digest_of(data: bytes | memoryview) -> Digest | None:
    """Parse the JSON of a digest file; None if it is not a digest."""
    try:
        digest = msgspec.json.decode(data, type=_Digest)
        return Digest(
            parse_time(digest.digest_start_time),
            parse_time(digest.digest_end_time),
            tuple(map(_log_file, digest.log_files)),
            _previous(digest),
        )
    except (ValueError, RecursionError):
        return None


def _log_file(file: _LogFile) -> LogFile:
    return LogFile(
        file.s3_object,
        bytes.fromhex(file.hash_value or ""),
        parse_time(file.oldest_event_time),
        parse_time(file.newest_event_time),
    )


def _previous(digest: _Digest) -> LogFile | None:
    if not digest.previous_digest_s3_object or not digest.previous_digest_hash_value:
        return None
    return LogFile(
        digest.previous_digest_s3_object,
        bytes.fromhex(digest.previous_digest_hash_value),
        None,
        parse_time(digest.digest_start_time),
    )
