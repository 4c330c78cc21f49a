"""The path of a file, as the state stores it: in parts, of which most files share the longest.

The files of a day lie in one folder, and their names begin and end alike: of a path of two hundred
bytes some twenty are the file's own.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from detector.text.late_pattern import late_pattern

_LABELLED = late_pattern(rb"(.*_\d{8}T)([^/.]*)(\.[^/]*)", re.DOTALL)
"""A path with the day of its delivery in its name, up to the day; the rest up to the ending."""

AT_PATH = "folder_id = (SELECT folder_id FROM folder WHERE prefix = ? AND suffix = ?) AND name = ?"
"""The condition on ``log_file`` that ``path_parameters`` are for."""


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


def path_parameters(path: str) -> PathParts:
    """Return the parameters of ``AT_PATH`` for a path."""
    return split_path(os.fsencode(path))


def add_folders(
    connection: sqlite3.Connection, parts: Iterable[PathParts]
) -> dict[tuple[bytes, bytes], int]:
    """Return the id of each (prefix, suffix), which is written where it is new."""
    ids: dict[tuple[bytes, bytes], int] = {}
    for prefix, suffix in {(each.prefix, each.suffix) for each in parts}:
        query = "SELECT folder_id FROM folder WHERE prefix = ? AND suffix = ?"
        row = connection.execute(query, (prefix, suffix)).fetchone()
        if row is None:
            row = connection.execute(
                "INSERT INTO folder (prefix, suffix) VALUES (?, ?) RETURNING folder_id",
                (prefix, suffix),
            ).fetchone()
        ids[prefix, suffix] = row[0]
    return ids


class FileIds(dict[str, int]):
    """The ids of files that have been written, by path."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __missing__(self, path: str) -> int:
        ((number,),) = self._connection.execute(
            f"SELECT file_id FROM log_file WHERE {AT_PATH}", path_parameters(path)
        ).fetchall()
        self[path] = number
        return int(number)

    def add_new(self, paths: Sequence[str], known_until: int) -> None:
        """Add the ids of files that were new: they have the numbers after ``known_until``."""
        new = {
            number
            for (number,) in self._connection.execute(
                "SELECT file_id FROM log_file WHERE file_id > ?", (known_until,)
            )
        }
        for number, path in enumerate(paths, known_until + 1):
            if number in new:
                self[path] = number
