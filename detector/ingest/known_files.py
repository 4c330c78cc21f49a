"""The files that the state knows, as a sweep asks for them.

A sweep of a large tree finds a handful of files, and is made every two seconds: what it costs must hang on those, not
on all that was ever read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from detector.sources.source import SourceFile
from detector.store.file_table import FileRow


class Moves(NamedTuple):
    """What became of files that are not where they were."""

    renamed: list[tuple[str, str]]
    """(old path, new path)."""
    lost: list[str]
    """Gone, and never read to the end."""


class KnownFiles:
    """Files by path; by inode, to know those that were renamed; and those not read, which are
    forgotten once gone."""

    def __init__(self, rows: Iterable[FileRow]) -> None:
        self._rows: dict[str, FileRow] = {}
        self._names: dict[int, tuple[str, ...]] = {}
        self._unread: dict[str, None] = {}
        for row in rows:
            self.put(row)

    def __contains__(self, path: str) -> bool:
        return path in self._rows

    def __iter__(self) -> Iterator[FileRow]:
        return iter(self._rows.values())

    def get(self, path: str) -> FileRow | None:
        return self._rows.get(path)

    def put(self, row: FileRow) -> None:
        before = self._rows.get(row.path)
        if before is None or before.inode != row.inode:
            self.drop(row.path)
            self._names[row.inode] = (*self._names.get(row.inode, ()), row.path)
        self._rows[row.path] = row
        if row.state == "read":
            self._unread.pop(row.path, None)
        else:
            self._unread[row.path] = None

    def drop(self, path: str) -> None:
        row = self._rows.pop(path, None)
        if row is None:
            return
        self._unread.pop(path, None)
        left = tuple(name for name in self._names[row.inode] if name != path)
        if left:
            self._names[row.inode] = left
        else:
            del self._names[row.inode]

    def follow(self, found: Sequence[SourceFile], in_scope: Callable[[str], bool]) -> Moves:
        """Take up that files have moved. ``covers`` tells where the sweep would have found a file.

        A file under a new name is the same file, even where another has its old name by now (a log
        rotated)."""
        here = {file.path: (file.device, file.inode) for file in found}

        def astray(row: FileRow) -> bool:
            return here.get(row.path) != (row.device, row.inode) and in_scope(row.path)

        moved: dict[str, str] = {}
        for file in found:
            known = self._rows.get(file.path)
            if (
                known is not None
                and known.reason != "link"
                and (known.device, known.inode) == here[file.path]
            ):
                continue
            rows = (
                self._rows[name] for name in self._names.get(file.inode, ()) if name not in moved
            )
            same = [
                row
                for row in rows
                if row.device == file.device and row.size <= file.size and astray(row)
            ]
            if row := min(same, key=lambda row: row.reason == "link", default=None):
                moved[row.path] = file.path
        lost = [
            path
            for path in self._unread
            if path not in here and path not in moved and in_scope(path)
        ]
        renamed = [msgspec.structs.replace(self._rows[old], path=new) for old, new in moved.items()]
        for path in (*moved, *lost):
            self.drop(path)
        for row in renamed:
            self.put(row)
        return Moves(list(moved.items()), lost)
