"""The fingerprint of a file's content, by which content that was read before is recognized.

A file of lines, from which reading resumes, is recognized by the beginning and the end of the lines
read so far. A file that is read whole is recognized by every byte, so that a copy is not counted
again, and different content is.
"""

from __future__ import annotations

import hashlib
from typing import BinaryIO

from isal import isal_zlib

from detector.store.file_table import FileRow

_HEAD, _TAIL = 1024, 1024
"""The bytes at the beginning and at the end of lines that are hashed; each has a record's id."""
_SHORT_TAIL = 64
"""The bytes at the end that older versions hashed."""
_HASH = 16
"""The bytes of the hash; after it comes the size that it covers, if the file's row has another."""
_BLOCK = 1 << 20


def fingerprint_of(file: BinaryIO, resume: int, size: int) -> bytes | None:
    """Return the hash of the lines before ``resume``, or of the first ``size`` bytes if that is 0.

    Returns None if there are no bytes to hash. The position in the file does not change.
    """
    return _hash(file, resume or size, _TAIL, covers_all=not resume)


def has_content(file: BinaryIO, row: FileRow) -> bool:
    """Tell whether a file begins with the content that its row describes."""
    known, end = row.fingerprint and row.fingerprint[:_HASH], covered_size(row)
    # Older versions hashed less: a shorter end of lines, and whole files in the same way as lines.
    return any(
        known == _hash(file, end, tail_size, covers_all)
        for tail_size, covers_all in ((_TAIL, not row.resume), (_TAIL, False), (_SHORT_TAIL, False))
    )


def covered_size(row: FileRow) -> int:
    """Return how many bytes of a file its fingerprint covers."""
    if row.fingerprint and len(row.fingerprint) > _HASH:
        return int.from_bytes(row.fingerprint[_HASH:], "big")
    return row.resume or row.file.size


def kept_fingerprint(row: FileRow) -> bytes | None:
    """Return a row's fingerprint with its size, for a new row with another size or ``resume``."""
    if row.fingerprint is None:
        return None
    return row.fingerprint[:_HASH] + covered_size(row).to_bytes(8, "big")


def _hash(file: BinaryIO, end: int, tail_size: int, covers_all: bool) -> bytes | None:
    """Hash the beginning and the tail of a file's first ``end`` bytes; optionally all of them."""
    if not end:
        return None
    position = file.tell()  # Chunks are still being read from this position.
    file.seek(0)
    content_hash = hashlib.blake2b(file.read(min(_HEAD, end)), digest_size=_HASH)
    file.seek(max(0, end - tail_size))
    content_hash.update(file.read(min(tail_size, end)))
    if covers_all and end > _HEAD + tail_size:
        content_hash.update(_checksum(file, end).to_bytes(4, "big"))
    file.seek(position)
    return content_hash.digest()


def _checksum(file: BinaryIO, end: int) -> int:
    """Return the CRC-32 of the first ``end`` bytes."""
    checksum = 0
    file.seek(0)
    while end > 0 and (block := file.read(min(_BLOCK, end))):
        checksum = isal_zlib.crc32(block, checksum)
        end -= len(block)
    return checksum
