"""The path of a file, as the state stores it: in parts, of which most files share the longest.

The files of a day lie in one folder, and their names begin and end alike: of a path of two hundred
bytes some twenty are the file's own.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from detector.text.late_pattern import late_pattern

_LABELLED = late_pattern(rb"(.*_\d{8}T)([^/.]*)(\.[^/]*)", re.DOTALL)
"""A path with the day of its delivery in its name, up to the day; the rest up to the ending."""


class PathParts(NamedTuple):
    """The parts of a path: ``prefix + name + suffix``."""

    prefix: bytes
    suffix: bytes
    name: bytes


def split_path(path: bytes) -> PathParts:
    """Split a path into what it shares with its neighbours, and its own name."""
    labelled = _LABELLED.fullmatch(path)
    if labelled is not None:
        prefix, name, suffix = labelled.groups()
        return PathParts(prefix, suffix, name)
    folder, slash, name = path.rpartition(b"/")
    return PathParts(folder + slash, b"", name)


def path_parts(path: str) -> PathParts:
    """Split a path as by ``os.fsdecode``."""
    return split_path(os.fsencode(path))
