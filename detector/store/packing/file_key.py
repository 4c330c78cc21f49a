"""The stored form of file paths: split into parts, of which files share the longest.

The files of a day are in one folder, and their names begin and end alike: of a path of two hundred
bytes, some twenty belong to the file alone.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from detector.text.late_pattern import late_pattern

_LABELLED = late_pattern(rb"(.*_\d{8}T)([^/.]*)(\.[^/]*)", re.DOTALL)
"""Splits a path with a delivery day in its name: up to the day, up to the extension, the rest."""


class PathParts(NamedTuple):
    """The parts of a path: ``prefix + name + suffix``."""

    prefix: bytes
    suffix: bytes
    name: bytes


def split_path(path: bytes) -> PathParts:
    """Split a path into the parts that it shares with its neighbours, and its own name."""
    labelled = _LABELLED.fullmatch(path)
    if labelled is not None:
        prefix, name, suffix = labelled.groups()
        return PathParts(prefix, suffix, name)
    folder, slash, name = path.rpartition(b"/")
    return PathParts(folder + slash, b"", name)


def path_parts(path: str) -> PathParts:
    """Split a path that was decoded by ``os.fsdecode``."""
    return split_path(os.fsencode(path))
