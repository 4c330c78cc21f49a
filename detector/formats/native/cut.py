"""Calls the native cut, if it was built.

``cut.c`` allocates nothing: the arrays are made here, and are kept for the thread's next chunk.
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
"""Marks a time that is missing or not in CloudTrail's form."""

_TOO_SMALL = -2
_FULL = -3
HIT_FIELDS = struct.Struct("=4I16s2?2x")
"""The fields of a hit in addition to its head, ``HitFields`` in ``hits.h``.

Start and size, in the chunk, of its caller and of its error message (size 0: absent); its identity,
whether that is known, and whether it has an error code."""
_MAX_RECORDS = 1 << 20
_BYTES_A_RECORD = 512
"""An estimate for the size of the arrays that suffices for most chunks; CloudTrail's records have
twice as many bytes."""


class RecordSpans(NamedTuple):
    """The records of a chunk.

    ``starts`` and ``sizes`` are in bytes of the chunk, ``times`` in epoch seconds, or ``NO_TIME``,
    unless ``has_times``. ``hit_fields`` has a packed ``HIT_FIELDS`` per record. ``groups`` is None
    if the records were not grouped by heads."""

    starts: array[int]
    sizes: array[int]
    times: array[int]
    has_times: bool
    hit_fields: bytes
    groups: HeadGroups | None


class HeadGroups(NamedTuple):
    """The records of a chunk, grouped by the raw bytes of their heads.

    ``groups`` has the group of each record; groups are numbered in the order of their first
    records. By group, ``numbers`` has the number of its head in ``table``, ``firsts`` and ``lasts``
    its least and greatest time, ``ends`` the end of its slice in ``order``, which has the indexes
    of the records by group, ascending in each. ``incomplete`` are the indexes of the records that
    lack a caller, name, source or region."""

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
        """The indexes of each group's records."""
        return GroupMembers(self.order, self.ends)

    def sizes(self) -> list[int]:
        """Return the number of records of each group."""
        ends = self.ends.tolist()
        return list(map(sub, ends, [0, *ends]))

    def listed(self) -> Iterator[tuple[int, list[int]]]:
        """Yield, by group, the number of its head and the indexes of its records."""
        ends = self.ends.tolist()
        members = map(self.order.tolist().__getitem__, map(slice, [0, *ends], ends))
        return zip(self.numbers, members, strict=True)

    def span(self, group: int) -> tuple[int, int]:
        """Return the first and last time of a group."""
        return self.firsts[group], self.lasts[group]

    def timed(self, times: Sequence[int]) -> HeadGroups:
        """Return the groups with first and last times according to other ``times`` of the
        records."""
        own = [list(map(times.__getitem__, members)) for _, members in self.listed()]
        return self._replace(firsts=array("q", map(min, own)), lasts=array("q", map(max, own)))


class GroupMembers:
    """The indexes of groups' records; a list is only made on access."""

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
    """Return whether the native cut was built and is not switched off."""
    return LIBRARY is not None


def cut(data: memoryview, is_lines: bool, known: KnownHeads | None = None) -> RecordSpans | None:
    """Cut a chunk's bytes into records; if ``known`` is given, group them by their heads.

    None if there is no native cut, or if it declines the chunk."""
    size = data.nbytes
    if LIBRARY is None or data.readonly or not size:
        return None
    capacity = capacity_for(size)
    table = None if known is None else known.table()
    # Pass the first byte: ctypes would create a new array type for each size.
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
    """Count the bytes equal to ``value`` in ``data[start:end]``."""
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
    """Return copies of the results for slices of the records, groups and incomplete records."""
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
    """Return a number of records that most texts of ``size`` bytes do not exceed."""
    return min(size // _BYTES_A_RECORD + 64, _MAX_RECORDS)


def arrays_of(capacity: int) -> CutArrays:
    """Return the thread's arrays; they are replaced by larger ones if they are too small."""
    arrays: CutArrays | None = getattr(_kept, "arrays", None)
    if arrays is None or arrays.capacity < capacity:
        arrays = _kept.arrays = CutArrays(capacity)
    return arrays
