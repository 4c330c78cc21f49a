"""Cuts several concatenated small documents at once.

Indexes in each document count from 0, as in a chunk that is cut separately; the documents' results
are concatenated.
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
    """The ends of each document's results: ``Documents`` in C."""

    def __init__(self, count: int) -> None:
        self._arrays = {name: array("q", bytes(8 * count)) for name in _ENDS}
        pointers = {name: values.buffer_info()[0] for name, values in self._arrays.items()}
        self.structure = _Documents(count, **pointers)

    def __getitem__(self, name: str) -> list[int]:
        return self._arrays[name].tolist()

    def parts(self, name: str) -> Iterator[slice]:
        """Return an iterator over the slices between successive ends."""
        ends = self[name]
        return map(slice, [0, *ends], ends)


class CutDocuments(NamedTuple):
    """Several documents that were cut.

    ``spans`` has the records of each document, None if it must be read separately. ``groups`` has
    the concatenated groups of all documents; ``counts`` has where those of each end."""

    spans: list[RecordSpans | None]
    groups: HeadGroups
    counts: DocumentCounts


def cut_documents(data: memoryview, ends: Sequence[int], known: KnownHeads) -> CutDocuments | None:
    """Cut concatenated documents, given their ``ends`` in ``data``; None without a native cut."""
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
    arrays.structure.untimed = 0  # documents with such records are declined
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
