"""Call the native cut, where it was built.

``cut.c`` has no allocations of its own: the arrays are made here, and kept for the next chunk of
the thread.
"""

from __future__ import annotations

import ctypes
import os
import struct
import threading
from pathlib import Path
from typing import NamedTuple

NO_TIME = -(1 << 63)
"""Stands for a time in another form than CloudTrail's, or none."""

_LIBRARY = Path(__file__).with_name("cut.library")
_TOO_SMALL = -2
_SLOT_BYTES = 8 * 14
"""Of a group: start and size of each value that is compared, ``SLOTS`` in ``cut.c``."""
HIT_FIELDS = struct.Struct("=4I16s2?2x")
"""What a hit has beside its head, ``HitFields`` in ``cut.c``: start and size in the chunk of its
caller and of its error message (size 0: absent); its identity, whether that is known, and whether
it has an error code."""
_MAX_RECORDS = 1 << 20
_KEY_BYTES = 512
_KEYS_CAP = 4 << 20
"""Bytes for the heads of all groups; a head takes some 450, and one without room is decoded."""
_BYTES_A_RECORD = 512
"""A guess that makes the arrays large enough for most chunks at once; CloudTrail's records have
twice as many."""


class RecordSpans(NamedTuple):
    """The records of a chunk, grouped by the raw bytes of their heads.

    ``starts`` and ``sizes`` are bytes in the chunk. ``times`` are epoch seconds, or ``NO_TIME``.
    ``order`` are the indexes of the records by group, ascending in each; a group ends in ``order``
    before its entry in ``ends``. ``firsts`` and ``lasts`` are the least and greatest time of each
    group. ``keys`` are the bytes of its head, which are equal only where heads are; empty where
    they are many. ``hit_fields`` are those of the records, as ``HIT_FIELDS`` packs them."""

    starts: list[int]
    sizes: list[int]
    times: list[int]
    order: list[int]
    ends: list[int]
    firsts: list[int]
    lasts: list[int]
    keys: list[bytes]
    hit_fields: bytes


class _Cut(ctypes.Structure):
    _fields_ = [
        ("capacity", ctypes.c_int64),
        ("starts", ctypes.c_void_p),
        ("sizes", ctypes.c_void_p),
        ("times", ctypes.c_void_p),
        ("groups", ctypes.c_void_p),
        ("order", ctypes.c_void_p),
        ("ends", ctypes.c_void_p),
        ("slots", ctypes.c_void_p),
        ("table", ctypes.c_void_p),
        ("table_size", ctypes.c_int64),
        ("firsts", ctypes.c_void_p),
        ("lasts", ctypes.c_void_p),
        ("keys", ctypes.c_void_p),
        ("key_ends", ctypes.c_void_p),
        ("keys_capacity", ctypes.c_int64),
        ("hit_fields", ctypes.c_void_p),
    ]


class _Arrays:
    """Arrays for the records of a chunk, and the structure that points to them."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        table_size = 1 << (2 * capacity - 1).bit_length()
        self.starts = (ctypes.c_int64 * capacity)()
        self.sizes = (ctypes.c_int64 * capacity)()
        self.times = (ctypes.c_int64 * capacity)()
        self._groups = (ctypes.c_int32 * capacity)()
        self.order = (ctypes.c_int32 * capacity)()
        self.ends = (ctypes.c_int32 * capacity)()
        self._slots = (ctypes.c_uint8 * (_SLOT_BYTES * capacity))()
        self._table = (ctypes.c_int32 * table_size)()
        self.firsts = (ctypes.c_int64 * capacity)()
        self.lasts = (ctypes.c_int64 * capacity)()
        keys_capacity = min(_KEY_BYTES * capacity, _KEYS_CAP)
        self.keys = (ctypes.c_uint8 * keys_capacity)()
        self.key_ends = (ctypes.c_int64 * capacity)()
        self.hit_fields = (ctypes.c_uint8 * (HIT_FIELDS.size * capacity))()
        pointers = [
            ctypes.addressof(each)
            for each in (
                self.starts,
                self.sizes,
                self.times,
                self._groups,
                self.order,
                self.ends,
                self._slots,
                self._table,
            )
        ]
        of_groups = [
            ctypes.addressof(each) for each in (self.firsts, self.lasts, self.keys, self.key_ends)
        ]
        self.structure = _Cut(
            capacity,
            *pointers,
            table_size,
            *of_groups,
            keys_capacity,
            ctypes.addressof(self.hit_fields),
        )

    def clear(self) -> None:
        """Empty the hash table, for another chunk."""
        ctypes.memset(self._table, 0xFF, ctypes.sizeof(self._table))


def _load() -> ctypes.CDLL | None:
    if os.environ.get("TRAILHOUND_NATIVE") == "0":
        return None
    try:
        library = ctypes.CDLL(str(_LIBRARY))
        cut_hits = library.trailhound_cut_hits
    except (OSError, AttributeError):  # not built, for another machine, or of another version
        return None
    cut_hits.restype = ctypes.c_int64
    cut_hits.argtypes = [
        ctypes.c_void_p,
        ctypes.c_int64,
        ctypes.c_int32,
        ctypes.POINTER(_Cut),
        ctypes.POINTER(ctypes.c_int64),
    ]
    return library


_library = _load()
_kept = threading.local()


def is_available() -> bool:
    """Return whether the native cut was built, and is not switched off."""
    return _library is not None


def cut(data: memoryview, is_lines: bool) -> RecordSpans | None:
    """Cut a chunk's bytes into records.

    None where there is no native cut, or where it declines the chunk."""
    size = data.nbytes
    if _library is None or data.readonly or not size:
        return None
    capacity = min(size // _BYTES_A_RECORD + 64, _MAX_RECORDS)
    groups = ctypes.c_int64()
    # One byte stands for all: an array's type would be made anew for each size.
    first_byte = ctypes.c_char.from_buffer(data)
    while True:
        arrays = _arrays(capacity)
        count = _library.trailhound_cut_hits(
            ctypes.byref(first_byte), size, is_lines, arrays.structure, ctypes.byref(groups)
        )
        if count != _TOO_SMALL:
            break
        if capacity >= _MAX_RECORDS:
            return None
        capacity = min(4 * arrays.capacity, _MAX_RECORDS)
    if count < 0:
        return None
    return RecordSpans(
        arrays.starts[:count],
        arrays.sizes[:count],
        arrays.times[:count],
        arrays.order[:count],
        arrays.ends[: groups.value],
        arrays.firsts[: groups.value],
        arrays.lasts[: groups.value],
        _slices(arrays.keys, arrays.key_ends[: groups.value]),
        bytes(memoryview(arrays.hit_fields)[: HIT_FIELDS.size * count]),
    )


def _slices(array: ctypes.Array[ctypes.c_uint8], ends: list[int]) -> list[bytes]:
    """Return the parts of an array that end before ``ends``."""
    data = bytes(memoryview(array)[: ends[-1] if ends else 0])
    slices = []
    start = 0
    for end in ends:
        slices.append(data[start:end])
        start = end
    return slices


def _arrays(capacity: int) -> _Arrays:
    """Return the thread's arrays, made larger where they are too small."""
    arrays: _Arrays | None = getattr(_kept, "arrays", None)
    if arrays is None or arrays.capacity < capacity:
        arrays = _kept.arrays = _Arrays(capacity)
    arrays.clear()
    return arrays
