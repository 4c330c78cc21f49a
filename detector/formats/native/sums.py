"""Sum the groups of a chunk by what their heads have in common.

``sums.h`` does it, by what the table of heads was told of origins and calls.
"""

from __future__ import annotations

import ctypes
import threading
from array import array
from collections.abc import Sequence
from typing import NamedTuple

from detector.formats.heads.postings import EncodedPostings
from detector.formats.native.cut import HeadGroups
from detector.formats.native.documents import RESULT_COUNTS, CutDocuments
from detector.formats.native.library import LIBRARY

IS_SKIPPED, MAY_OPEN, IS_CHANGE = 1, 2, 4
"""The kinds of a call, as bits: its records are no events; they may have the key of a session; it
is no read."""
_RECORD_ROOM, _POSTING_ROOM = 5, 21
"""The bytes that a record and a posting take at most where they are encoded."""
_WIDE = "origin_firsts", "origin_lasts", "change_firsts", "change_lasts"
"""The results that are times."""
_NARROW = (
    *("origins", "by_origin", "origin_ends", "postings", "posting_ends", "posted"),
    *("asking", "opening", "skipped", "slots"),
)


class GroupSums(NamedTuple):
    """The sums of the groups of a chunk; groups, records and origins by their numbers.

    ``origins`` are those that have events, in order of the first group, with ``firsts`` and
    ``lasts`` of their times, and those of their calls that are changes (the first is the greater
    where there are none). ``by_origin`` are the groups of all, and ``origin_ends`` where those of
    each end. ``postings`` have the records of all postings that have a name, but for those of
    ``opening`` groups, which may open a session. ``asking`` are groups of events of which
    something is asked that was not refused, ``skipped`` those that are no events; the records of
    ``untimed`` have no time."""

    origins: list[int]
    firsts: list[int]
    lasts: list[int]
    change_firsts: list[int]
    change_lasts: list[int]
    by_origin: list[int]
    origin_ends: list[int]
    postings: EncodedPostings
    asking: list[int]
    opening: list[int]
    skipped: list[int]
    untimed: Sequence[int] = ()

    def groups_of_origin(self) -> list[list[int]]:
        """Return the groups of each origin."""
        ends = self.origin_ends
        return list(map(self.by_origin.__getitem__, map(slice, [0, *ends], ends)))


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
        ("origin_count", ctypes.c_int64),
        ("posting_count", ctypes.c_int64),
        ("asking_count", ctypes.c_int64),
        ("opening_count", ctypes.c_int64),
        ("skipped_count", ctypes.c_int64),
        ("origins", ctypes.c_void_p),
        ("origin_firsts", ctypes.c_void_p),
        ("origin_lasts", ctypes.c_void_p),
        ("change_firsts", ctypes.c_void_p),
        ("change_lasts", ctypes.c_void_p),
        ("by_origin", ctypes.c_void_p),
        ("origin_ends", ctypes.c_void_p),
        ("postings", ctypes.c_void_p),
        ("posting_ends", ctypes.c_void_p),
        ("posted", ctypes.c_void_p),
        ("encoded", ctypes.c_void_p),
        ("encoded_size", ctypes.c_int64),
        ("encoded_count", ctypes.c_int64),
        ("asking", ctypes.c_void_p),
        ("opening", ctypes.c_void_p),
        ("skipped", ctypes.c_void_p),
        ("slots", ctypes.c_void_p),
    ]


class _Results:
    """Arrays for the sums of a chunk or of documents, and the structure that points to them."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._arrays: dict[str, array[int]] = {
            **{name: array("q", bytes(8 * capacity)) for name in _WIDE},
            **{name: array("i", bytes(4 * capacity)) for name in _NARROW},
        }
        self._encoded = bytearray((_RECORD_ROOM + _POSTING_ROOM) * capacity)
        pointers = {name: values.buffer_info()[0] for name, values in self._arrays.items()}
        pointers["encoded"] = ctypes.addressof(ctypes.c_char.from_buffer(self._encoded))
        self.structure = _Sums(capacity, **pointers)

    def sums(
        self,
        record: int,
        group: int,
        encoded_size: int,
        encoded_count: int,
        origins: int,
        asking: int,
        opening: int,
        skipped: int,
    ) -> GroupSums:
        """Return the sums that begin at a record and a group, with so many of each."""
        numbers = self._numbers
        origin_ends = numbers("origin_ends", group, origins)
        start = _RECORD_ROOM * record + _POSTING_ROOM * group
        return GroupSums(
            numbers("origins", group, origins),
            numbers("origin_firsts", group, origins),
            numbers("origin_lasts", group, origins),
            numbers("change_firsts", group, origins),
            numbers("change_lasts", group, origins),
            numbers("by_origin", group, origin_ends[-1] if origins else 0),
            origin_ends,
            EncodedPostings(encoded_count, bytes(self._encoded[start : start + encoded_size])),
            numbers("asking", group, asking),
            numbers("opening", group, opening),
            numbers("skipped", group, skipped),
        )

    def _numbers(self, name: str, first: int, count: int) -> list[int]:
        return self._arrays[name][first : first + count].tolist()


_kept = threading.local()


def sum_groups(groups: HeadGroups) -> GroupSums:
    """Sum the groups of a chunk."""
    assert LIBRARY is not None  # it has cut the chunk
    results = _results_for(groups)
    sums, table = results.structure, groups.table
    status = LIBRARY.trailhound_sum_groups(
        ctypes.byref(table.structure), ctypes.byref(table.facts_structure), ctypes.byref(sums)
    )
    assert not status
    return results.sums(
        0,
        0,
        sums.encoded_size,
        sums.encoded_count,
        sums.origin_count,
        sums.asking_count,
        sums.opening_count,
        sums.skipped_count,
    )


def sum_documents(documents: CutDocuments) -> list[GroupSums]:
    """Sum the groups of documents, each by itself."""
    assert LIBRARY is not None
    groups, counts = documents.groups, documents.counts
    results = _results_for(groups)
    sums, table = results.structure, groups.table
    status = LIBRARY.trailhound_sum_documents(
        ctypes.byref(table.structure),
        ctypes.byref(table.facts_structure),
        ctypes.byref(sums),
        ctypes.byref(counts.structure),
    )
    assert not status
    first_records, first_groups = ([0, *counts[name]] for name in ("record_ends", "group_ends"))
    return list(
        map(
            results.sums,
            first_records,
            first_groups,
            *map(counts.__getitem__, RESULT_COUNTS),
        )
    )


def _results_for(groups: HeadGroups) -> _Results:
    """Return arrays for the sums of groups, which their structure points to."""
    results = _results(len(groups.groups))
    sums = results.structure
    sums.records, sums.group_count = len(groups.groups), len(groups.numbers)
    sums.groups, sums.ends = _address(groups.groups), _address(groups.ends)
    sums.numbers = _address(groups.numbers)
    sums.firsts, sums.lasts = _address(groups.firsts), _address(groups.lasts)
    return results


def _address(values: array[int]) -> int:
    return values.buffer_info()[0]


def _results(capacity: int) -> _Results:
    """Return the thread's arrays, made larger where they are too small."""
    results: _Results | None = getattr(_kept, "results", None)
    if results is None or results.capacity < capacity:
        results = _kept.results = _Results(capacity)
    return results
