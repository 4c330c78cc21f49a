"""Sum the groups of a chunk by what their heads have in common.

``sums.h`` does it, by what the table of heads was told of origins and calls.
"""

from __future__ import annotations

import ctypes
import struct
import threading
from array import array
from collections.abc import Sequence
from itertools import starmap
from typing import NamedTuple

from detector.formats.heads.postings import EncodedPostings
from detector.formats.native.cut import HeadGroups
from detector.formats.native.documents import CutDocuments
from detector.formats.native.library import LIBRARY

IS_SKIPPED, MAY_OPEN, IS_CHANGE = 1, 2, 4
"""The kinds of a call, as bits: its records are no events; they may have the key of a session; it
is no read."""
_RECORD_ROOM, _POSTING_ROOM = 5, 21
"""The bytes that a record and a posting take at most where they are encoded."""
_OBSERVED = "observed", "observed_firsts", "observed_lasts"
_CHANGED = "changed", "changed_firsts", "changed_lasts"
_ORIGINS = "origins", "origin_firsts", "origin_lasts"
_WIDE = *_OBSERVED[1:], *_CHANGED[1:], *_ORIGINS[1:]
"""The results that are times."""
_NARROW = (
    *("observed", "changed", "origins", "by_origin", "origin_ends"),
    *("asking", "opening", "skipped"),
)
_ROOM = "postings", "posting_ends", "posted", "slots"
"""The arrays that the library works in."""


class NumberedSpans(NamedTuple):
    """Numbers, and the first and last time of each."""

    numbers: list[int]
    firsts: list[int]
    lasts: list[int]


_NO_SPANS = NumberedSpans([], [], [])


class OriginGroups(NamedTuple):
    """The groups of events of an origin, by numbers, with the first and last time of all."""

    origin: int
    first: int
    last: int
    groups: list[int]


class GroupSums(NamedTuple):
    """The sums of the groups of a chunk; groups, records and origins by their numbers.

    ``observed`` are what the table says is observed of origins that have events, ``changed`` where
    their calls change something, each in order of the first group. ``postings`` have the records of
    all postings that have a name, but for those of ``opening`` groups, which may open a session.
    ``asking`` are groups of events of which something is asked that was not refused, ``skipped``
    those that are no events; the records of ``untimed`` have no time. ``by_origin`` is empty unless
    it was asked for."""

    observed: NumberedSpans
    changed: NumberedSpans
    postings: EncodedPostings
    asking: list[int]
    opening: list[int]
    skipped: list[int]
    by_origin: list[OriginGroups]
    untimed: list[int]

    @property
    def span(self) -> tuple[int, int] | None:
        """The first and last time of the events; None where there are none."""
        _, firsts, lasts = self.observed
        return (min(firsts), max(lasts)) if firsts else None


class _Counts(NamedTuple):
    """How many results there are of each kind, ``SumCounts`` in C."""

    origins: int
    observed: int
    changed: int
    postings: int
    encoded: int
    encoded_size: int
    asking: int
    opening: int
    skipped: int


_COUNTS = struct.Struct(f"={len(_Counts._fields)}q")


class _Sums(ctypes.Structure):
    _fields_ = [
        ("capacity", ctypes.c_int64),
        ("records", ctypes.c_int64),
        ("group_count", ctypes.c_int64),
        ("groups", ctypes.c_void_p),
        ("ends", ctypes.c_void_p),
        ("numbers", ctypes.c_void_p),
        ("firsts", ctypes.c_void_p),
        ("lasts", ctypes.c_void_p),
        ("lists_origins", ctypes.c_int64),
        ("counts", ctypes.c_void_p),
        ("observed", ctypes.c_void_p),
        ("observed_firsts", ctypes.c_void_p),
        ("observed_lasts", ctypes.c_void_p),
        ("changed", ctypes.c_void_p),
        ("changed_firsts", ctypes.c_void_p),
        ("changed_lasts", ctypes.c_void_p),
        ("origins", ctypes.c_void_p),
        ("origin_firsts", ctypes.c_void_p),
        ("origin_lasts", ctypes.c_void_p),
        ("by_origin", ctypes.c_void_p),
        ("origin_ends", ctypes.c_void_p),
        ("postings", ctypes.c_void_p),
        ("posting_ends", ctypes.c_void_p),
        ("posted", ctypes.c_void_p),
        ("encoded", ctypes.c_void_p),
        ("asking", ctypes.c_void_p),
        ("opening", ctypes.c_void_p),
        ("skipped", ctypes.c_void_p),
        ("slots", ctypes.c_void_p),
    ]


class _Results:
    """Arrays for the sums of a chunk, and the structure that points to them."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._arrays: dict[str, array[int]] = {
            **{name: array("q", bytes(8 * capacity)) for name in _WIDE},
            **{name: array("i", bytes(4 * capacity)) for name in (*_NARROW, *_ROOM)},
            "encoded": array("B", bytes((_RECORD_ROOM + _POSTING_ROOM) * capacity)),
        }
        pointers = {name: _address(values) for name, values in self._arrays.items()}
        self.structure = _Sums(capacity, **pointers)

    def sums(self, record: int, group: int, counts: _Counts) -> GroupSums:
        """Return the sums that begin at a record and a group, with so many of each."""
        start = _RECORD_ROOM * record + _POSTING_ROOM * group
        encoded = self._arrays["encoded"][start : start + counts.encoded_size]
        return GroupSums(
            self._spans(_OBSERVED, group, counts.observed),
            self._spans(_CHANGED, group, counts.changed),
            EncodedPostings(counts.encoded, encoded.tobytes()),
            self._numbers("asking", group, counts.asking),
            self._numbers("opening", group, counts.opening),
            self._numbers("skipped", group, counts.skipped),
            self._by_origin(group, counts.origins),
            untimed=[],
        )

    def _by_origin(self, group: int, count: int) -> list[OriginGroups]:
        """Return the groups of so many origins, which begin at a group."""
        if not count:
            return []
        ends = self._numbers("origin_ends", group, count)
        groups = self._numbers("by_origin", group, ends[-1])
        own = map(groups.__getitem__, map(slice, [0, *ends], ends))
        return list(map(OriginGroups, *self._spans(_ORIGINS, group, count), own))

    def _spans(self, names: Sequence[str], group: int, count: int) -> NumberedSpans:
        """Return so many numbers with their times, which begin at a group."""
        if not count:
            return _NO_SPANS
        return NumberedSpans(*[self._numbers(name, group, count) for name in names])

    def _numbers(self, name: str, group: int, count: int) -> list[int]:
        """Return so many numbers, which begin at a group."""
        return self._arrays[name][group : group + count].tolist()


_kept = threading.local()


def sum_groups(groups: HeadGroups, lists_origins: bool) -> GroupSums:
    """Sum the groups of a chunk, and list those of each origin where that is asked for."""
    assert LIBRARY is not None  # it has cut the chunk
    results = _results_for(groups, lists_origins)
    sums, table = results.structure, groups.table
    counts = array("q", bytes(_COUNTS.size))
    sums.counts = _address(counts)
    status = LIBRARY.trailhound_sum_groups(
        ctypes.byref(table.structure), ctypes.byref(table.facts_structure), ctypes.byref(sums)
    )
    assert not status
    return results.sums(0, 0, _Counts(*counts))


def sum_documents(documents: CutDocuments, lists_origins: bool) -> list[GroupSums]:
    """Sum the groups of documents, each by itself."""
    assert LIBRARY is not None
    groups, found = documents.groups, documents.counts
    results = _results_for(groups, lists_origins)
    sums, table = results.structure, groups.table
    record_ends, group_ends = found["record_ends"], found["group_ends"]
    counts = array("q", bytes(_COUNTS.size * len(record_ends)))
    found.structure.sum_counts = _address(counts)
    status = LIBRARY.trailhound_sum_documents(
        ctypes.byref(table.structure),
        ctypes.byref(table.facts_structure),
        ctypes.byref(sums),
        ctypes.byref(found.structure),
    )
    assert not status
    each = starmap(_Counts, _COUNTS.iter_unpack(counts))
    return list(map(results.sums, [0, *record_ends], [0, *group_ends], each))


def _results_for(groups: HeadGroups, lists_origins: bool) -> _Results:
    """Return arrays for the sums of groups, which their structure points to."""
    results = _results(len(groups.groups))
    sums = results.structure
    sums.records, sums.group_count = len(groups.groups), len(groups.numbers)
    sums.groups, sums.ends = _address(groups.groups), _address(groups.ends)
    sums.numbers = _address(groups.numbers)
    sums.firsts, sums.lasts = _address(groups.firsts), _address(groups.lasts)
    sums.lists_origins = lists_origins
    return results


def _address(values: array[int]) -> int:
    return values.buffer_info()[0]


def _results(capacity: int) -> _Results:
    """Return the thread's arrays, made larger where they are too small."""
    results: _Results | None = getattr(_kept, "results", None)
    if results is None or results.capacity < capacity:
        results = _kept.results = _Results(capacity)
    return results
