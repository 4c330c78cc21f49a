"""Queries on the packs of files.

A pack holds the rows of files of one folder, and columns by which a query selects the packs that it
must unpack.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from detector.sources.accounting import FileState
from detector.store.errors import UnknownFile
from detector.store.files.stored_file import StoredFile, unpack_files, unpack_ids
from detector.store.packing.file_key import path_parts
from detector.store.packing.state_query import StateQuery


class FileSums(msgspec.Struct, array_like=True, frozen=True):
    """The totals of those files of a pack that have the same state and reason."""

    state: FileState
    reason: str | None
    files: int
    seen: int
    hits: int
    duplicate: int


_sums_decoder = msgspec.msgpack.Decoder(list[FileSums])


class FilePack(NamedTuple):
    """A pack of files of a folder."""

    prefix: bytes
    suffix: bytes
    body: bytes

    def rows(self) -> list[StoredFile]:
        """Return the rows of its files. Raises MsgspecError if the pack is damaged."""
        return unpack_files(self.body)

    def ids(self) -> Iterator[tuple[str, int]]:
        """Yield the path and id of each file. Raises MsgspecError if the pack is damaged."""
        for name, file_id in unpack_ids(self.body):
            yield self.path(name), file_id

    def path(self, name: bytes) -> str:
        """Return the path of the file with this name."""
        return os.fsdecode(self.prefix + name + self.suffix)


def packs_where(query: StateQuery, condition: str, *parameters: Any) -> Iterator[FilePack]:
    """Yield the packs for which an SQL condition holds, in order of the first event time."""
    return map(
        FilePack._make,
        query(
            "SELECT prefix, suffix, body FROM file_pack JOIN folder USING (folder_id) "
            f"WHERE {condition} ORDER BY first, pack_id",
            *parameters,
        ),
    )


def packs_with(query: StateQuery, path: str) -> Iterator[FilePack]:
    """Yield the packs that may hold the file at ``path``."""
    return packs_where(
        query,
        "prefix = ? AND suffix = ? AND ? BETWEEN first_name AND last_name",
        *path_parts(path),
    )


def all_files(query: StateQuery) -> Iterator[tuple[str, StoredFile]]:
    """Yield every file with its path. Raises MsgspecError if a pack is damaged."""
    for pack in packs_where(query, "1"):
        for row in pack.rows():
            yield pack.path(row.name), row


def files_in_state(query: StateQuery, state: FileState) -> list[tuple[str, StoredFile]]:
    """Return the files in a state other than "read", in order of path.

    Raises MsgspecError if a pack is damaged."""
    found = [
        (pack.path(row.name), row)
        for pack in packs_where(query, "unread > 0")
        for row in pack.rows()
        if row.state == state
    ]
    return sorted(found, key=lambda file: os.fsencode(file[0]))


def sums_of_files(query: StateQuery) -> list[FileSums]:
    """Return the sums of all packs. Raises MsgspecError if one is damaged."""
    rows = query("SELECT sums FROM file_pack")
    return [each for (sums,) in rows for each in _sums_decoder.decode(sums)]


class Paths(dict[int, str]):
    """The paths of files by id, read on demand. Raises UnknownFile."""

    def __init__(self, query: StateQuery) -> None:
        self._query = query
        self._unpacked: set[bytes] = set()

    def __missing__(self, file_id: int) -> str:
        # Files that arrive together have consecutive ids, so mostly the first pack has the file.
        for most in (1, -1):
            for pack in map(
                FilePack._make,
                self._query(
                    "SELECT prefix, suffix, body FROM file_pack JOIN folder USING (folder_id) "
                    "WHERE last_id >= ?1 AND first_id <= ?1 ORDER BY last_id LIMIT ?2",
                    file_id,
                    most,
                ),
            ):
                if pack.body in self._unpacked:
                    continue
                self._unpacked.add(pack.body)
                self.update((number, path) for path, number in pack.ids())
                if file_id in self:
                    return self[file_id]
        raise UnknownFile(file_id)


class FileIds(dict[str, int]):
    """The ids of stored files by path, read on demand. Raises UnknownFile."""

    def __init__(self, query: StateQuery) -> None:
        self._query = query

    def __missing__(self, path: str) -> int:
        for pack in packs_with(self._query, path):
            self.update(pack.ids())
            if path in self:
                return self[path]
        raise UnknownFile(path)
