"""Runs of records that are alike as hits: they have one view, and ids of their own."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from typing import NamedTuple

from detector.formats.native.columns import IDENTITY
from detector.formats.native.library import LIBRARY
from detector.text.capped import TEXT_CAP


class HitRun(NamedTuple):
    """Records of a group, by their indexes, whose callers and error messages have the same bytes.

    The ``identities`` of their events follow each other. A record that must be decoded for it is a
    run by itself."""

    indexes: list[int]
    identities: bytes


class HitRuns:
    """The runs of some groups of records; a group ends in ``runs`` before its entry there."""

    def __init__(
        self,
        groups: Sequence[list[int]],
        runs: list[int],
        ends: list[int],
        identities: bytes,
    ) -> None:
        self._groups = groups
        self._runs = runs
        self._ends = ends
        self._identities = identities

    def of_group(self, number: int) -> Iterator[HitRun]:
        """Yield the runs of a group, in order."""
        group = self._groups[number]
        first_run = self._runs[number - 1] if number else 0
        begin = first = self._ends[first_run - 1] if first_run else 0
        for run in range(first_run, self._runs[number]):
            end = self._ends[run]
            identities = self._identities[first * IDENTITY : end * IDENTITY]
            yield HitRun(group[first - begin : end - begin], identities)
            first = end


class _HitRuns(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("sizes", ctypes.c_void_p),
        ("fields", ctypes.c_char_p),
        ("group_count", ctypes.c_int64),
        ("largest", ctypes.c_int64),
        ("ends", ctypes.c_void_p),
        ("records", ctypes.c_void_p),
        ("run_ends", ctypes.c_void_p),
        ("runs", ctypes.c_void_p),
        ("identities", ctypes.c_void_p),
    ]


def find_runs(
    data: memoryview, sizes: array[int], hit_fields: bytes, groups: Sequence[list[int]]
) -> HitRuns:
    """Cut groups of records into runs.

    ``data``, ``sizes`` and ``hit_fields`` are those of the chunk, as the cut found them."""
    if not groups:
        return HitRuns((), [], [], b"")
    assert LIBRARY is not None  # it has cut the chunk
    records = array("i", chain.from_iterable(groups))
    ends = array("i", accumulate(map(len, groups)))
    count = len(records)
    run_ends, runs = array("i", bytes(4 * count)), array("i", bytes(4 * len(groups)))
    identities = array("B", bytes(IDENTITY * count))
    arrays = ends, records, run_ends, runs, identities
    first_byte = ctypes.c_char.from_buffer(data)
    found = LIBRARY.trailhound_find_runs(
        ctypes.byref(
            _HitRuns(
                ctypes.addressof(first_byte),
                sizes.buffer_info()[0],
                hit_fields,
                len(groups),
                TEXT_CAP,
                *[each.buffer_info()[0] for each in arrays],
            )
        )
    )
    return HitRuns(
        groups,
        runs.tolist(),
        run_ends[:found].tolist(),
        identities.tobytes(),
    )
