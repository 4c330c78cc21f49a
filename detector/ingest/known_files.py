"""The files that the state knows, indexed for sweeps.

A sweep of a large tree runs every two seconds and finds a handful of files, so its cost must depend
on these files, not on all files that were ever read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from detector.sources.source import SourceFile
from detector.store.file_table import FileRow


class Moves(NamedTuple):
    """Files that are no longer at their path."""

    renamed: list[tuple[str, str]]
    """(old path, new path)."""
    lost: list[str]
    """The paths of files that are gone and were never read to their end."""


class KnownFiles:
    """The file rows by path and by inode.

    Renamed files are found by inode. Unread files are indexed separately, since they are forgotten
    once they are gone.
    """

    def __init__(self, rows: Iterable[FileRow]) -> None:
        self._rows: dict[str, FileRow] = {}
        self._paths_by_inode: dict[int, tuple[str, ...]] = {}
        self._unread: dict[str, None] = {}
        for row in rows:
            self.add(row)

    def __contains__(self, path: str) -> bool:
        return path in self._rows

    def __iter__(self) -> Iterator[FileRow]:
        return iter(self._rows.values())

    def get(self, path: str) -> FileRow | None:
        return self._rows.get(path)

    def unread(self) -> Iterator[FileRow]:
        """Yield the rows of files that have not been read to their end."""
        return (self._rows[path] for path in self._unread)

    def add(self, row: FileRow) -> None:
        """Add a row, or replace the row of its path."""
        replaced = self._rows.get(row.path)
        inode = row.file.inode
        if replaced is None or replaced.file.inode != inode:
            self.remove(row.path)
            self._paths_by_inode[inode] = (*self._paths_by_inode.get(inode, ()), row.path)
        self._rows[row.path] = row
        if row.state == "read":
            self._unread.pop(row.path, None)
        else:
            self._unread[row.path] = None

    def remove(self, path: str) -> None:
        """Forget the row of a path, if there is one."""
        row = self._rows.pop(path, None)
        if row is None:
            return
        self._unread.pop(path, None)
        inode = row.file.inode
        others = tuple(other for other in self._paths_by_inode[inode] if other != path)
        if others:
            self._paths_by_inode[inode] = others
        else:
            del self._paths_by_inode[inode]

    def track_renames(self, files: Sequence[SourceFile], in_scope: Callable[[str], bool]) -> Moves:
        """Update the rows of files that were renamed or are gone.

        ``in_scope`` tells whether the sweep would have found a file at a path. A renamed file is
        recognized even if another file has its old name by now (log rotation).
        """
        identities = {file.path: file.identity for file in files}

        def moved_or_gone(row: FileRow) -> bool:
            return identities.get(row.path) != row.file.identity and in_scope(row.path)

        renamed: dict[str, str] = {}
        for file in files:
            row = self._rows.get(file.path)
            if row is not None and row.reason != "link" and row.file.identity == file.identity:
                continue
            candidates = [
                self._rows[path]
                for path in self._paths_by_inode.get(file.inode, ())
                if path not in renamed
            ]
            same_file = [
                row
                for row in candidates
                if row.file.device == file.device
                and row.file.size <= file.size
                and moved_or_gone(row)
            ]
            if same_file:
                old = min(same_file, key=lambda row: row.reason == "link")
                renamed[old.path] = file.path
        lost = [
            path
            for path in self._unread
            if path not in identities and path not in renamed and in_scope(path)
        ]
        rows = [_at_path(self._rows[old], new) for old, new in renamed.items()]
        for path in (*renamed, *lost):
            self.remove(path)
        for row in rows:
            self.add(row)
        return Moves(list(renamed.items()), lost)


def _at_path(row: FileRow, path: str) -> FileRow:
    return msgspec.structs.replace(row, file=row.file._replace(path=path))
