"""Runs of successive records of a group with the same view; only their ids and times differ."""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from typing import NamedTuple

from detector.formats.heads.decoded_callers import DecodedCallers, HitCallers
from detector.formats.native.columns import IDENTITY, number_array
from detector.formats.native.library import LIBRARY
from detector.text.capped import TEXT_CAP


class HitRun(NamedTuple):
    """Records of a group, by index, whose callers and error messages have the same bytes.

    ``identities`` are those of their events, concatenated. A record that must be decoded is a run
    of its own. ``caller`` is the number of their caller, ``view`` that of their view; 0: none."""

    indexes: list[int]
    identities: bytes
    caller: int = 0
    view: int = 0


class RunRows(NamedTuple):
    """Hits as columns; the identities are concatenated."""

    identities: bytes
    times: array[int]
    indexes: array[int]
    kinds: array[int]


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
        ("run_groups", ctypes.c_void_p),
        ("identities", ctypes.c_void_p),
        ("callers", ctypes.c_void_p),
        ("asked", ctypes.c_void_p),
        ("heads", ctypes.c_void_p),
        ("run_callers", ctypes.c_void_p),
        ("run_views", ctypes.c_void_p),
    ]


class Questions(NamedTuple):
    """The questions of groups to their callers, some of which may be known to refuse them.

    By group, ``asked`` has the question as a bit, 0 if there is none, and ``heads`` the number of
    its head, 0 if it has none; views are only numbered for numbered heads."""

    callers: HitCallers
    asked: Sequence[int]
    heads: Sequence[int]


class HitRuns:
    """The runs of some groups of records, except those whose caller refuses the group's question.

    ``groups``, ``callers`` and ``views`` have the numbers of each run's. ``data``, ``sizes`` and
    ``hit_fields`` are those of the chunk, from the native cut."""

    def __init__(
        self,
        data: memoryview,
        sizes: array[int],
        hit_fields: bytes,
        groups: Sequence[list[int]],
        questions: Questions | None = None,
    ) -> None:
        assert LIBRARY is not None  # the chunk was cut natively
        known = questions.callers if questions else None
        assert not isinstance(known, DecodedCallers)
        self._records = number_array("i", list(chain.from_iterable(groups)))
        ends = array("i", accumulate(map(len, groups)))
        count = len(self._records)
        columns = [array("i", bytes(4 * count)) for _ in range(5)]
        self._identities = array("B", bytes(IDENTITY * count))
        asked = array("Q", questions.asked if questions else ())
        heads = array("i", questions.heads if questions else ())
        self._held = data, sizes, hit_fields, ends, asked, heads
        first_byte = ctypes.c_char.from_buffer(data)
        starts, run_ends, run_groups, callers, views = (each.buffer_info()[0] for each in columns)
        self._structure = _HitRuns(
            ctypes.addressof(first_byte),
            sizes.buffer_info()[0],
            hit_fields,
            len(groups),
            TEXT_CAP,
            ends.buffer_info()[0],
            self._records.buffer_info()[0],
            starts,
            run_ends,
            run_groups,
            self._identities.buffer_info()[0],
            known.address() if known else None,
            asked.buffer_info()[0],
            heads.buffer_info()[0],
            callers,
            views,
        )
        found = LIBRARY.trailhound_find_runs(ctypes.byref(self._structure))
        self._columns = columns
        self._starts, self._ends, self.groups, self.callers, self.views = (
            each[:found] for each in columns
        )

    def __len__(self) -> int:
        return len(self._starts)

    def __iter__(self) -> Iterator[HitRun]:
        return map(self.run, range(len(self)))

    def first(self, number: int) -> int:
        """Return the index of the first record of a run."""
        return self._records[self._starts[number]]

    def records(self, number: int) -> Iterator[tuple[int, bytes]]:
        """Yield the index of each record of a run, and the identity of its event."""
        for row in range(self._starts[number], self._ends[number]):
            identity = self._identities[row * IDENTITY : (row + 1) * IDENTITY]
            yield self._records[row], identity.tobytes()

    def run(self, number: int) -> HitRun:
        """Return a run."""
        start, end = self._starts[number], self._ends[number]
        return HitRun(
            self._records[start:end].tolist(),
            self._identities[start * IDENTITY : end * IDENTITY].tobytes(),
            self.callers[number],
            self.views[number],
        )

    def rows(self, kinds: Sequence[int], times: Sequence[int | None]) -> RunRows:
        """Return a row for each record of the runs whose kind is not below 0.

        ``kinds`` are by run, ``times`` are those of the chunk's records."""
        assert LIBRARY is not None
        count = len(self._records)
        if not isinstance(times, array):
            times = array("q", [time or 0 for time in times])
        identities = array("B", bytes(IDENTITY * count))
        columns = [array(code, bytes(array(code).itemsize * count)) for code in "qqi"]
        rows = _HitColumns(*[each.buffer_info()[0] for each in (identities, *columns)])
        kinds = array("i", kinds)
        found = LIBRARY.trailhound_list_hits(
            ctypes.byref(self._structure),
            len(self),
            kinds.buffer_info()[0],
            times.buffer_info()[0],
            ctypes.byref(rows),
        )
        return RunRows(
            identities[: IDENTITY * found].tobytes(), *[each[:found] for each in columns]
        )


class _HitColumns(ctypes.Structure):
    _fields_ = [
        ("identities", ctypes.c_void_p),
        ("times", ctypes.c_void_p),
        ("indexes", ctypes.c_void_p),
        ("kinds", ctypes.c_void_p),
    ]
