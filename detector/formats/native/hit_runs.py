"""Runs of records that are alike as hits: they have one view, and ids of their own."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from typing import NamedTuple

from detector.formats.native.callers import KnownCallers
from detector.formats.native.columns import IDENTITY
from detector.formats.native.library import LIBRARY
from detector.text.capped import TEXT_CAP


class HitRun(NamedTuple):
    """Records of a group, by their indexes, whose callers and error messages have the same bytes.

    The ``identities`` of their events follow each other. A record that must be decoded for it is a
    run by itself. ``caller`` is the number of their caller where the group asks callers, 0 where
    it has none."""

    indexes: list[int]
    identities: bytes
    caller: int = 0


class HitRuns:
    """The runs of some groups of records; those of a group end in ``run_ends`` before its entry."""

    def __init__(
        self,
        records: array[int],
        run_ends: Sequence[int],
        spans: Sequence[tuple[int, int, int]],
        identities: bytes,
    ) -> None:
        self._records = records
        self._run_ends = run_ends
        self._spans = spans
        """Where each run begins and ends in the records, and the number of its caller."""
        self._identities = identities

    def __iter__(self) -> Iterator[tuple[int, HitRun]]:
        """Yield each run with the number of its group, in order."""
        first = 0
        for number, end in enumerate(self._run_ends):
            for run in map(self._run, self._spans[first:end]):
                yield number, run
            first = end

    def groups(self) -> Iterator[int]:
        """Yield the numbers of the groups that have runs."""
        before = 0
        for number, end in enumerate(self._run_ends):
            if end > before:
                yield number
                before = end

    def of_group(self, number: int) -> Iterator[HitRun]:
        """Yield the runs of a group, in order."""
        first = self._run_ends[number - 1] if number else 0
        yield from map(self._run, self._spans[first : self._run_ends[number]])

    def _run(self, span: tuple[int, int, int]) -> HitRun:
        start, end, caller = span
        identities = self._identities[start * IDENTITY : end * IDENTITY]
        return HitRun(self._records[start:end].tolist(), identities, caller)


class _HitRuns(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("sizes", ctypes.c_void_p),
        ("fields", ctypes.c_char_p),
        ("group_count", ctypes.c_int64),
        ("largest", ctypes.c_int64),
        ("ends", ctypes.c_void_p),
        ("records", ctypes.c_void_p),
        ("run_starts", ctypes.c_void_p),
        ("run_ends", ctypes.c_void_p),
        ("runs", ctypes.c_void_p),
        ("identities", ctypes.c_void_p),
        ("callers", ctypes.c_void_p),
        ("asked", ctypes.c_void_p),
        ("run_callers", ctypes.c_void_p),
    ]


class Questions(NamedTuple):
    """What groups ask the callers of their records, of which some may be known to refuse it.

    ``asked`` has a bit for each group, or 0 where nothing is asked."""

    callers: KnownCallers
    asked: Sequence[int]


def find_runs(
    data: memoryview,
    sizes: array[int],
    hit_fields: bytes,
    groups: Sequence[list[int]],
    questions: Questions | None = None,
) -> HitRuns:
    """Cut groups of records into runs, without those whose caller refuses what a group asks.

    ``data``, ``sizes`` and ``hit_fields`` are those of the chunk, as the cut found them."""
    if not groups:
        return HitRuns(array("i"), [], [], b"")
    assert LIBRARY is not None  # it has cut the chunk
    records = array("i", chain.from_iterable(groups))
    ends = array("i", accumulate(map(len, groups)))
    count = len(records)
    run_starts, run_ends, run_callers = (array("i", bytes(4 * count)) for _ in range(3))
    runs, identities = array("i", bytes(4 * len(groups))), array("B", bytes(IDENTITY * count))
    arrays = ends, records, run_starts, run_ends, runs, identities
    asked = array("Q", questions.asked if questions else ())
    callers = questions.callers.address() if questions else None
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
                callers,
                asked.buffer_info()[0],
                run_callers.buffer_info()[0],
            )
        )
    )
    columns = run_starts[:found], run_ends[:found], run_callers[:found]
    spans = list(zip(*columns, strict=True))
    return HitRuns(records, runs.tolist(), spans, identities.tobytes())
