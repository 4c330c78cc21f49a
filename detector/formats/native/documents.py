"""Cut several small documents at once, which lie one behind the other.

What is numbered in a document counts from 0, as in a chunk that is cut by itself; its results lie
behind those of the documents before.
"""

from __future__ import annotations

import ctypes
from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from detector.formats.heads.known_heads import KnownHeads
from detector.formats.native.cut import (
    HeadGroups,
    RecordSpans,
    arrays_of,
    capacity_for,
    spans_between,
)
from detector.formats.native.library import LIBRARY

_ENDS = "record_ends", "group_ends", "incomplete_ends"


class _Documents(ctypes.Structure):
    _fields_ = [
        ("count", ctypes.c_int64),
        *((name, ctypes.c_void_p) for name in _ENDS),
        ("sum_counts", ctypes.c_void_p),
    ]


class DocumentCounts:
    """Where the results of each document end: ``Documents`` in C."""

    def __init__(self, count: int) -> None:
        self._arrays = {name: array("q", bytes(8 * count)) for name in _ENDS}
        pointers = {name: values.buffer_info()[0] for name, values in self._arrays.items()}
        self.structure = _Documents(count, **pointers)

    def __getitem__(self, name: str) -> list[int]:
        return self._arrays[name].tolist()

    def parts(self, name: str) -> Iterator[slice]:
        """Yield what lies before each end, and behind the one before."""
        ends = self[name]
        return map(slice, [0, *ends], ends)


class CutDocuments(NamedTuple):
    """Several documents that were cut.

    ``spans`` are the records of each, None of one that is to be read by itself. ``groups`` are
    those of all documents, one behind the other, as ``counts`` says."""

    spans: list[RecordSpans | None]
    groups: HeadGroups
    counts: DocumentCounts


def cut_documents(data: memoryview, ends: Sequence[int], known: KnownHeads) -> CutDocuments | None:
    """Cut documents, each of which ends at its place in ``ends``; None without a native cut."""
    if LIBRARY is None or not data:
        return None
    arrays, table = arrays_of(capacity_for(data.nbytes)), known.table()
    arrays.structure.heads = ctypes.addressof(table.structure)
    counts = DocumentCounts(len(ends))
    stops = array("q", ends)
    LIBRARY.trailhound_cut_documents(
        ctypes.byref(ctypes.c_char.from_buffer(data)),
        stops.buffer_info()[0],
        ctypes.byref(arrays.structure),
        ctypes.byref(counts.structure),
    )
    arrays.structure.untimed = 0  # a document with such records is declined
    parts = list(zip(*map(counts.parts, _ENDS), strict=True))
    every = [slice(part.stop) for part in parts[-1]]
    groups = spans_between(arrays, table, *every).groups
    assert groups is not None
    return CutDocuments(
        [
            spans_between(arrays, table, *part) if part[0].start < part[0].stop else None
            for part in parts
        ],
        groups,
        counts,
    )
