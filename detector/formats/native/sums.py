"""Sums the groups of a chunk by the common parts of their heads.

``sums.h`` does the work, using the columns of origins and calls in the table of heads.
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
"""The kinds of a call, as bits: its records are not events; they may have the key of a session; it
is not read-only."""
_RECORD_ROOM, _POSTING_ROOM = 5, 21
"""The most bytes that a record and a posting list take when encoded."""
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
"""Arrays that only the library uses."""


class NumberedSpans(NamedTuple):
    """Numbers, each with its first and last time."""

    numbers: list[int]
    firsts: list[int]
    lasts: list[int]


_NO_SPANS = NumberedSpans([], [], [])


class OriginGroups(NamedTuple):
    """The groups of an origin's events, by number, with their first and last time."""

    origin: int
    first: int
    last: int
    groups: list[int]


class GroupSums(NamedTuple):
    """The sums of the groups of a chunk; groups, records and origins by their numbers.

    ``observed`` are the observations of origins with events, ``changed`` those of their calls that
    are not read-only, each in order of the first group. ``postings`` has the posting lists with a
    name, without the records of ``opening`` groups, which may open a session. ``asking`` are the
    groups of events with questions that the origin does not refuse, ``skipped`` the groups that are
    not events; the records of ``untimed`` groups have no time. ``by_origin`` is empty unless
    requested."""

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
        """The first and last time of the events; None if there are none."""
        _, firsts, lasts = self.observed
        return (min(firsts), max(lasts)) if firsts else None


class _Counts(NamedTuple):
    """The number of results of each kind, ``SumCounts`` in C."""

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
        """Return the sums whose results begin at a record and a group; ``counts`` are their
        sizes."""
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
        """Return the groups of ``count`` origins, whose results begin at ``group``."""
        if not count:
            return []
        ends = self._numbers("origin_ends", group, count)
        groups = self._numbers("by_origin", group, ends[-1])
        own = map(groups.__getitem__, map(slice, [0, *ends], ends))
        return list(map(OriginGroups, *self._spans(_ORIGINS, group, count), own))

    def _spans(self, names: Sequence[str], group: int, count: int) -> NumberedSpans:
        """Return ``count`` numbers with their times, beginning at ``group``."""
        if not count:
            return _NO_SPANS
        return NumberedSpans(*[self._numbers(name, group, count) for name in names])

    def _numbers(self, name: str, group: int, count: int) -> list[int]:
        """Return ``count`` numbers of an array, beginning at ``group``."""
        return self._arrays[name][group : group + count].tolist()


_kept = threading.local()


def sum_groups(groups: HeadGroups, lists_origins: bool) -> GroupSums:
    """Sum the groups of a chunk; with ``lists_origins``, also list those of each origin."""
    assert LIBRARY is not None  # the chunk was cut natively
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
    """Sum the groups of each document separately."""
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
    """Return arrays for the sums of groups; their structure points to the groups' arrays."""
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
    """Return the thread's arrays; they are replaced by larger ones if they are too small."""
    results: _Results | None = getattr(_kept, "results", None)
    if results is None or results.capacity < capacity:
        results = _kept.results = _Results(capacity)
    return results
