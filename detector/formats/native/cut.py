"""Call the native cut, where it was built.

``cut.c`` has no allocations of its own: the arrays are made here, and kept for the next chunk of
the thread.
"""

from __future__ import annotations

import ctypes
import struct
import threading
from array import array
from collections.abc import Iterator, Sequence
from operator import sub
from typing import NamedTuple

from detector.formats.heads.head_table import HeadTable
from detector.formats.heads.known_heads import KnownHeads
from detector.formats.native.library import LIBRARY

NO_TIME = -(1 << 63)
"""Stands for a time in another form than CloudTrail's, or none."""

_TOO_SMALL = -2
_FULL = -3
HIT_FIELDS = struct.Struct("=4I16s2?2x")
"""What a hit has beside its head, ``HitFields`` in ``hits.h``: start and size in the chunk of its
caller and of its error message (size 0: absent); its identity, whether that is known, and whether
it has an error code."""
_MAX_RECORDS = 1 << 20
_BYTES_A_RECORD = 512
"""A guess that makes the arrays large enough for most chunks at once; CloudTrail's records have
twice as many."""


class RecordSpans(NamedTuple):
    """The records of a chunk.

    ``starts`` and ``sizes`` are bytes in the chunk, ``times`` epoch seconds, or ``NO_TIME``, which
    ``has_times`` excludes. ``hit_fields`` are those of the records, as ``HIT_FIELDS`` packs them.
    ``groups`` are None where nothing was asked of heads."""

    starts: array[int]
    sizes: array[int]
    times: array[int]
    has_times: bool
    hit_fields: bytes
    groups: HeadGroups | None


class HeadGroups(NamedTuple):
    """The records of a chunk, grouped by the raw bytes of their heads.

    ``groups`` are those of the records, in order of the first of each; ``numbers`` are those of the
    groups' heads in ``table``. ``order`` are the indexes of the records by group, ascending in
    each; a group ends in ``order`` before its entry in ``ends``. ``firsts`` and ``lasts`` are the
    least and greatest time of each. ``incomplete`` are the records that lack a caller, name,
    source or region."""

    table: HeadTable
    groups: array[int]
    numbers: array[int]
    order: array[int]
    ends: array[int]
    firsts: array[int]
    lasts: array[int]
    incomplete: list[int]

    @property
    def members(self) -> GroupMembers:
        """The records of each group."""
        return GroupMembers(self.order, self.ends)

    def sizes(self) -> list[int]:
        """Return how many records each group has."""
        ends = self.ends.tolist()
        return list(map(sub, ends, [0, *ends]))

    def listed(self) -> Iterator[tuple[int, list[int]]]:
        """Yield the numbers of the groups' heads, and their records."""
        ends = self.ends.tolist()
        members = map(self.order.tolist().__getitem__, map(slice, [0, *ends], ends))
        return zip(self.numbers, members, strict=True)

    def span(self, group: int) -> tuple[int, int]:
        """Return the first and last time of a group."""
        return self.firsts[group], self.lasts[group]

    def timed(self, times: Sequence[int]) -> HeadGroups:
        """Return the groups with the first and last of other ``times`` of the records."""
        own = [list(map(times.__getitem__, members)) for _, members in self.listed()]
        return self._replace(firsts=array("q", map(min, own)), lasts=array("q", map(max, own)))


class GroupMembers:
    """The records of groups by their indexes, listed when they are asked for."""

    def __init__(self, order: array[int], ends: array[int]) -> None:
        self._order, self._ends = order, ends

    def __getitem__(self, group: int) -> list[int]:
        start = self._ends[group - 1] if group else 0
        return self._order[start : self._ends[group]].tolist()


class CutStructure(ctypes.Structure):
    """``Cut`` in ``records.h``."""

    _fields_ = [
        ("capacity", ctypes.c_int64),
        ("starts", ctypes.c_void_p),
        ("sizes", ctypes.c_void_p),
        ("times", ctypes.c_void_p),
        ("groups", ctypes.c_void_p),
        ("order", ctypes.c_void_p),
        ("ends", ctypes.c_void_p),
        ("numbers", ctypes.c_void_p),
        ("firsts", ctypes.c_void_p),
        ("lasts", ctypes.c_void_p),
        ("incomplete", ctypes.c_void_p),
        ("hit_fields", ctypes.c_void_p),
        ("heads", ctypes.c_void_p),
        ("records", ctypes.c_int64),
        ("group_count", ctypes.c_int64),
        ("incomplete_count", ctypes.c_int64),
        ("untimed", ctypes.c_int64),
        ("probes", ctypes.c_int64),
        ("status", ctypes.c_int64),
    ]


class CutArrays:
    """Arrays for the records of a chunk, and the structure that points to them."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.starts, self.sizes, self.times, self.firsts, self.lasts = (
            array("q", bytes(8 * capacity)) for _ in range(5)
        )
        self.groups, self.order, self.ends, self.numbers, self.incomplete = (
            array("i", bytes(4 * capacity)) for _ in range(5)
        )
        self.hit_fields = array("B", bytes(HIT_FIELDS.size * capacity))
        pointers = [
            each.buffer_info()[0]
            for each in (
                self.starts,
                self.sizes,
                self.times,
                self.groups,
                self.order,
                self.ends,
                self.numbers,
                self.firsts,
                self.lasts,
                self.incomplete,
                self.hit_fields,
            )
        ]
        self.structure = CutStructure(capacity, *pointers)


_kept = threading.local()


def is_available() -> bool:
    """Return whether the native cut was built, and is not switched off."""
    return LIBRARY is not None


def cut(data: memoryview, is_lines: bool, known: KnownHeads | None = None) -> RecordSpans | None:
    """Cut a chunk's bytes into records, and group them by heads where ``known`` ones are given.

    None where there is no native cut, or where it declines the chunk."""
    size = data.nbytes
    if LIBRARY is None or data.readonly or not size:
        return None
    capacity = capacity_for(size)
    table = None if known is None else known.table()
    # One byte stands for all: an array's type would be made anew for each size.
    first_byte = ctypes.byref(ctypes.c_char.from_buffer(data))
    while True:
        arrays = arrays_of(capacity)
        structure = arrays.structure
        structure.heads = None if table is None else ctypes.addressof(table.structure)
        count = LIBRARY.trailhound_cut_records(first_byte, size, is_lines, ctypes.byref(structure))
        if count >= 0:
            return _spans(arrays, count, table)
        if count == _TOO_SMALL and capacity < _MAX_RECORDS:
            capacity = min(4 * arrays.capacity, _MAX_RECORDS)
        elif count == _FULL and known is not None and known.make_room(_MAX_RECORDS):
            table = known.table()
        else:
            return None


def count_bytes(data: bytearray, value: int, start: int, end: int) -> int:
    """Count the bytes of a value between two places."""
    if LIBRARY is None or start >= end:
        return data.count(value, start, end)
    first_byte = ctypes.c_char.from_buffer(data, start)
    count: int = LIBRARY.trailhound_count_bytes(ctypes.byref(first_byte), end - start, value)
    return count


def spans_between(
    arrays: CutArrays,
    table: HeadTable | None,
    records: slice,
    groups: slice,
    incomplete: slice,
) -> RecordSpans:
    """Return what was found of some records, of their groups, and of those that are incomplete."""
    head_groups = None
    if table is not None:
        head_groups = HeadGroups(
            table,
            arrays.groups[records],
            arrays.numbers[groups],
            arrays.order[records],
            arrays.ends[groups],
            arrays.firsts[groups],
            arrays.lasts[groups],
            arrays.incomplete[incomplete].tolist(),
        )
    size = HIT_FIELDS.size
    return RecordSpans(
        arrays.starts[records],
        arrays.sizes[records],
        arrays.times[records],
        not arrays.structure.untimed,
        arrays.hit_fields[size * (records.start or 0) : size * records.stop].tobytes(),
        head_groups,
    )


def _spans(arrays: CutArrays, count: int, table: HeadTable | None) -> RecordSpans:
    found = arrays.structure
    groups, incomplete = slice(found.group_count), slice(found.incomplete_count)
    return spans_between(arrays, table, slice(count), groups, incomplete)


def capacity_for(size: int) -> int:
    """Return how many records most texts of ``size`` bytes have at most."""
    return min(size // _BYTES_A_RECORD + 64, _MAX_RECORDS)


def arrays_of(capacity: int) -> CutArrays:
    """Return the thread's arrays, made larger where they are too small."""
    arrays: CutArrays | None = getattr(_kept, "arrays", None)
    if arrays is None or arrays.capacity < capacity:
        arrays = _kept.arrays = CutArrays(capacity)
    return arrays
