"""The row of a log file, and the packing of many into one database row.

A state has one such row per log file. Packed, a file of a few records takes some 70 bytes; a
database row of its own with its index entries took 280.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, chain
from operator import attrgetter, sub
from typing import Any, cast

import msgspec
from isal import isal_zlib

from detector.sources.accounting import FileState
from detector.sources.source import SourceFile

_LEVEL = 1
"""The compression level; higher levels save only one percent more."""


class StoredFile(msgspec.Struct, gc=False):
    """How a file was read, and what it held.

    The fields up to ``files`` are those of ``FileRow``. ``seen`` is the number of records, ``hits``
    the number of those that rules counted, including ``duplicate`` copies. ``first`` and ``last``
    are the span of event times; they and ``read_at`` are in epoch seconds. ``sequence`` grows with
    each read that brought records.
    """

    name: bytes
    """The part of the path between the prefix and the suffix of its folder."""
    file_id: int
    device: int = 0
    inode: int = 0
    size: int = 0
    mtime_ns: int = 0
    state: FileState = "waiting"
    reason: str | None = None
    detail: str | None = None
    resume: int = 0
    fingerprint: bytes | None = None
    generation: int = 0
    files: int = 1
    seen: int = 0
    hits: int = 0
    duplicate: int = 0
    first: int | None = None
    last: int | None = None
    read_at: int = 0
    sequence: int = 0
    principal_index: bytes | None = None
    """The index of the only chunk, whose span is that of the file; None if chunks have rows."""

    def source(self, path: str) -> SourceFile:
        """Return the file as it was found at ``path``."""
        return SourceFile(path, self.device, self.inode, self.size, self.mtime_ns)

    def overlaps(self, start: int, end: int) -> bool:
        """Tell whether the span of event times overlaps ``[start, end)``."""
        return (
            self.first is not None
            and self.last is not None
            and self.first < end
            and self.last >= start
        )

    def extend_span(self, first: int, last: int) -> None:
        """Extend the span of event times to include ``first`` and ``last``."""
        if self.first is None or first < self.first:
            self.first = first
        if self.last is None or last > self.last:
            self.last = last


class _IdColumns(msgspec.Struct, array_like=True):
    """The names and ids of many files, without the columns that follow."""

    name: list[bytes]
    file_id: list[int]


class _Columns(_IdColumns, array_like=True):
    """The fields of many files, each as a list; ``_DIFFERENCES`` are delta-encoded."""

    device: list[int]
    inode: list[int]
    size: list[int]
    mtime_ns: list[int]
    state: list[FileState]
    reason: list[str | None]
    detail: list[str | None]
    resume: list[int]
    fingerprint: list[bytes | None]
    generation: list[int]
    files: list[int]
    seen: list[int]
    hits: list[int]
    duplicate: list[int]
    first: list[int | None]
    last: list[int | None]
    read_at: list[int]
    sequence: list[int]
    principal_index: list[bytes | None]


_fields = attrgetter(*StoredFile.__struct_fields__)
_DIFFERENCES = [
    StoredFile.__struct_fields__.index(field)
    for field in ("file_id", "size", "mtime_ns", "first", "last", "read_at", "sequence")
]
"""The delta-encoded fields, without the inode: the difference of two 64-bit inodes may need more
than 64 bits."""
_decoder = msgspec.msgpack.Decoder(_Columns)
_id_decoder = msgspec.msgpack.Decoder(_IdColumns)


def pack_files(files: Iterable[StoredFile]) -> bytes:
    """Return the packed rows of files."""
    columns: list[Any] = list(zip(*map(_fields, files), strict=True))
    for field in _DIFFERENCES:
        columns[field] = _differences(columns[field])
    return isal_zlib.compress(msgspec.msgpack.encode(columns), _LEVEL)


def unpack_files(body: bytes) -> list[StoredFile]:
    """Return the rows in a packed body. Raises msgspec.MsgspecError if it is damaged."""
    columns: list[Any] = list(msgspec.structs.astuple(_decoder.decode(_inflated(body))))
    for field in _DIFFERENCES:
        columns[field] = _sums(columns[field])
    try:
        return [StoredFile(*row) for row in zip(*columns, strict=True)]
    except ValueError as error:
        raise msgspec.DecodeError(str(error)) from None


def unpack_ids(body: bytes) -> Iterable[tuple[bytes, int]]:
    """Return the names and ids in a packed body. Raises msgspec.MsgspecError if it is damaged."""
    columns = _id_decoder.decode(_inflated(body))
    return zip(columns.name, accumulate(columns.file_id), strict=False)


def _inflated(body: bytes) -> bytes:
    try:
        return isal_zlib.decompress(body)
    except isal_zlib.error as error:  # type: ignore[misc]  # its stub gives it no type
        raise msgspec.DecodeError(str(error)) from None


def _differences(values: Sequence[int | None]) -> Iterable[int | None]:
    """Delta-encode numbers; None values stay, and are skipped by the differences."""
    present = [value for value in values if value is not None]
    differences = map(sub, present, chain((0,), present))
    if len(present) == len(values):
        return list(differences)
    return [None if value is None else next(differences) for value in values]


def _sums(differences: Sequence[int | None]) -> Iterable[int | None]:
    """Decode what ``_differences`` has encoded."""
    if None not in differences:
        return accumulate(cast("Sequence[int]", differences))
    values = accumulate(each for each in differences if each is not None)
    return [None if each is None else next(values) for each in differences]
