"""The native library, where it was built."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

from detector.formats.native.sources import digest_sources

_PATH = Path(__file__).with_name("cut.library")


def _load() -> ctypes.CDLL | None:
    if os.environ.get("TRAILHOUND_NATIVE") == "0":
        return None
    pointer, integer = ctypes.c_void_p, ctypes.c_int64
    try:
        library = ctypes.CDLL(str(_PATH))
        library.trailhound_sources.restype = ctypes.c_char_p
        if library.trailhound_sources() != digest_sources(_PATH.parent).encode():
            return None
        library.trailhound_cut_records.argtypes = [pointer, integer, ctypes.c_int32, pointer]
        library.trailhound_sum_groups.argtypes = [pointer, pointer, pointer]
        library.trailhound_count_braces.argtypes = [pointer, integer]
    except (OSError, AttributeError):  # not built, for another machine, or much older
        return None
    library.trailhound_cut_records.restype = integer
    library.trailhound_sum_groups.restype = integer
    library.trailhound_count_braces.restype = integer
    return library


LIBRARY = _load()
"""None where it was not built, or is switched off."""


def is_outdated() -> bool:
    """Return whether there is a library that does not come from the C files beside it."""
    return LIBRARY is None and os.environ.get("TRAILHOUND_NATIVE") != "0" and _PATH.exists()
