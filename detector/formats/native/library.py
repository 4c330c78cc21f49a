"""Loads the native library, if it was built."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from detector.formats.native.sources import digest_sources

_COUNTING = (
    *("cut_records", "cut_documents", "sum_groups", "sum_documents"),
    *("find_runs", "list_hits", "count_bytes"),
    *("add_marks", "find_marks", "renumber", "gather_rows", "highest"),
)
"""The functions that return a 64-bit number."""
_PATH = Path(__file__).with_name("cut.library")


def _load() -> ctypes.CDLL | None:
    if os.environ.get("TRAILHOUND_NATIVE") == "0":
        return None
    pointer, integer, narrow = ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32
    table = pointer, narrow, ctypes.c_uint64
    try:
        library = ctypes.CDLL(str(_PATH))
        library.trailhound_sources.restype = ctypes.c_char_p
        if library.trailhound_sources() != digest_sources(_PATH.parent).encode():
            return None
        library.trailhound_cut_records.argtypes = [pointer, integer, narrow, pointer]
        library.trailhound_cut_documents.argtypes = [pointer, pointer, pointer, pointer]
        library.trailhound_sum_groups.argtypes = [pointer, pointer, pointer]
        library.trailhound_sum_documents.argtypes = [pointer, pointer, pointer, pointer]
        library.trailhound_find_runs.argtypes = [pointer]
        library.trailhound_list_hits.argtypes = [pointer, integer, *[pointer] * 3]
        library.trailhound_count_bytes.argtypes = [pointer, integer, ctypes.c_uint8]
        library.trailhound_add_marks.argtypes = [*table, pointer, integer, integer]
        library.trailhound_find_marks.argtypes = [*table, pointer, integer, pointer]
        library.trailhound_sort_rows.argtypes = [pointer, pointer, integer, pointer, pointer]
        library.trailhound_gather.argtypes = [pointer, integer, pointer, integer, pointer]
        library.trailhound_gather_rows.argtypes = [*[pointer] * 3, integer, pointer, pointer]
        library.trailhound_highest.argtypes = [pointer, integer, integer]
        library.trailhound_narrow.argtypes = [pointer, integer, integer, integer, pointer]
        library.trailhound_renumber.argtypes = [pointer, integer, *[pointer] * 3]
    except (OSError, AttributeError):  # not built, for another machine, or much older
        return None
    for name in _COUNTING:
        getattr(library, f"trailhound_{name}").restype = integer
    return library


LIBRARY = _load()
"""The library; None if it was not built from these sources, or is switched off."""


def is_outdated() -> bool:
    """Return whether the library exists but was not built from the C files next to it."""
    return LIBRARY is None and os.environ.get("TRAILHOUND_NATIVE") != "0" and _PATH.exists()
