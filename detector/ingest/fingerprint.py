"""The fingerprint of a file's content, by which content that was read before is recognized.

Lines that are read on are recognized by their beginning and end, however long they are. A file that
is read whole is recognized by every byte: a copy must not count again, and other content must.
"""

from __future__ import annotations

import hashlib
from typing import BinaryIO

from isal import isal_zlib

from detector.store.file_table import FileRow

_HEAD, _TAIL = 1024, 1024
"""Bytes of the beginning and the end of lines that are covered: a record's id is in each."""
_SHORT_TAIL = 64
"""The end that states of an older version cover."""
_HASH = 16
"""Bytes of the hash; behind it stands the size that it covers, where the file's row has another."""
_BLOCK = 1 << 20


def fingerprint_of(file: BinaryIO, resume: int, size: int) -> bytes | None:
    """Hash the lines before ``resume``; where that is 0, the first ``size`` bytes; None of nothing.

    The file is left where it is.
    """
    return _hash(file, resume or size, _TAIL, covers_all=not resume)


def has_content(file: BinaryIO, row: FileRow) -> bool:
    """Tell whether a file begins with the content that its row was written for."""
    known, end = row.fingerprint and row.fingerprint[:_HASH], covered_size(row)
    # Versions before hashed less: of lines a shorter end, of other files the same as of lines.
    return any(
        known == _hash(file, end, tail_size, covers_all)
        for tail_size, covers_all in ((_TAIL, not row.resume), (_TAIL, False), (_SHORT_TAIL, False))
    )


def covered_size(row: FileRow) -> int:
    """Return how many bytes of a file were read when its fingerprint was made."""
    if row.fingerprint and len(row.fingerprint) > _HASH:
        return int.from_bytes(row.fingerprint[_HASH:], "big")
    return row.resume or row.file.size


def kept_fingerprint(row: FileRow) -> bytes | None:
    """Return a row's fingerprint for one of the same path with another size, or without resume."""
    if row.fingerprint is None:
        return None
    return row.fingerprint[:_HASH] + covered_size(row).to_bytes(8, "big")


def _hash(file: BinaryIO, end: int, tail_size: int, covers_all: bool) -> bytes | None:
    """Hash the beginning and the tail of a file's first ``end`` bytes, or all of them."""
    if not end:
        return None
    position = file.tell()  # The chunks are still being read from there.
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
