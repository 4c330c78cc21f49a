"""The changes of a transaction to the rows of files.

What a transaction adds to a folder is a pack of its own. Small ones are united now and then, so
that files that come one by one are packed anew a few times only.
"""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Iterator, Sequence

import msgspec

from detector.sources.accounting import FileState
from detector.store.files.file_packs import FileSums
from detector.store.files.stored_file import StoredFile, pack_files, unpack_files
from detector.store.packing.file_key import PathParts, path_parts

FULL_PACK = 64
"""Files of a pack to which none are added."""
_SMALL_PACKS = 4
"""Packs of a folder that are smaller; where there are more, they become one."""


class FileEdits:
    """The rows of files, to be changed and written."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._folders: dict[tuple[bytes, bytes], _Folder] = {}

    def get(self, path: str) -> StoredFile | None:
        """Return the row of a file, for changes; None where there is none."""
        place = path_parts(path)
        return self._folder(place).get(place.name)

    def known(self, path: str) -> StoredFile:
        """Return the row of a file that has one, for changes."""
        row = self.get(path)
        if row is None:
            raise KeyError(path)
        return row

    def get_or_add(self, path: str, file_id: int) -> StoredFile:
        """Return the row of a file, for changes; a new one with this id where there is none."""
        place = path_parts(path)
        folder = self._folder(place)
        return folder.get(place.name) or folder.add(StoredFile(place.name, file_id))

    def remove(self, path: str) -> StoredFile | None:
        """Remove the row of a file; return it."""
        place = path_parts(path)
        return self._folder(place).remove(place.name)

    def put(self, path: str, row: StoredFile) -> None:
        """Add a row that was removed, at a path that has none."""
        place = path_parts(path)
        row.name = place.name
        self._folder(place).add(row)

    def each(self) -> Iterator[StoredFile]:
        """Yield the rows of all files, for changes. Raises MsgspecError where one is damaged."""
        for prefix, suffix in self._connection.execute(
            "SELECT prefix, suffix FROM folder"
        ).fetchall():
            yield from self._folder(PathParts(prefix, suffix, b"")).each()

    def write(self) -> None:
        """Write what was changed."""
        for folder in self._folders.values():
            folder.write(_SMALL_PACKS)

    def unite(self) -> None:
        """Unite the small packs of each folder that has several."""
        for prefix, suffix in self._connection.execute(
            "SELECT prefix, suffix FROM file_pack JOIN folder USING (folder_id) WHERE files < ? "
            "GROUP BY folder_id HAVING count(*) > 1",
            (FULL_PACK,),
        ).fetchall():
            self._folder(PathParts(prefix, suffix, b"")).write(1)

    def _folder(self, place: PathParts) -> _Folder:
        key = place.prefix, place.suffix
        folder = self._folders.get(key)
        if folder is None:
            folder = self._folders[key] = _Folder(self._connection, key)
        return folder


class _Folder:
    """The packs of a folder, ``key`` its prefix and suffix."""

    def __init__(self, connection: sqlite3.Connection, key: tuple[bytes, bytes]) -> None:
        self._connection = connection
        self._key = key
        self._folder_id = None
        self._packs = []
        for self._folder_id, pack_id, *head in connection.execute(
            "SELECT folder_id, pack_id, files, first_name, last_name "
            "FROM folder LEFT JOIN file_pack USING (folder_id) WHERE prefix = ? AND suffix = ?",
            key,
        ):
            if pack_id is not None:
                self._packs.append(_Pack(connection, pack_id, *head))
        self._added: dict[bytes, StoredFile] = {}

    def get(self, name: bytes) -> StoredFile | None:
        if name in self._added:
            return self._added[name]
        for pack in self._packs:
            if pack.may_have(name) and name in pack.rows:
                pack.is_changed = True
                return pack.rows[name]
        return None

    def add(self, row: StoredFile) -> StoredFile:
        self._added[row.name] = row
        return row

    def remove(self, name: bytes) -> StoredFile | None:
        row = self.get(name)
        self._added.pop(name, None)
        for pack in self._packs:
            if pack.is_changed:
                pack.rows.pop(name, None)
        return row

    def each(self) -> Iterator[StoredFile]:
        for pack in self._packs:
            pack.is_changed = True
            yield from pack.rows.values()
        yield from self._added.values()

    def write(self, small_packs: int) -> None:
        """Write what was changed; unite small packs where there are more than so many."""
        added = list(self._added.values())
        small = [pack for pack in self._packs if pack.files < FULL_PACK]
        if len(small) + bool(added) <= small_packs:
            small = []
        for pack in self._packs:
            if pack in small:
                added += pack.rows.values()
                self._delete(pack)
            elif pack.is_changed:
                self._delete(pack)
                self._insert(list(pack.rows.values()))
        added.sort(key=lambda row: row.name)
        for first in range(0, len(added), FULL_PACK):
            self._insert(added[first : first + FULL_PACK])

    def _delete(self, pack: _Pack) -> None:
        self._connection.execute("DELETE FROM file_pack WHERE pack_id = ?", (pack.pack_id,))

    def _insert(self, rows: Sequence[StoredFile]) -> None:
        if not rows:
            return
        if self._folder_id is None:
            ((self._folder_id,),) = self._connection.execute(
                "INSERT INTO folder (prefix, suffix) VALUES (?, ?) RETURNING folder_id", self._key
            ).fetchall()
        insert_pack(self._connection, self._folder_id, rows)


class _Pack:
    """A pack, which is unpacked when it is asked for."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        pack_id: int,
        files: int,
        first_name: bytes,
        last_name: bytes,
    ) -> None:
        self._connection = connection
        self._names = first_name, last_name
        self.pack_id = pack_id
        self.files = files
        self.is_changed = False

    def may_have(self, name: bytes) -> bool:
        first, last = self._names
        return first <= name <= last

    @functools.cached_property
    def rows(self) -> dict[bytes, StoredFile]:
        """The rows by name."""
        ((body,),) = self._connection.execute(
            "SELECT body FROM file_pack WHERE pack_id = ?", (self.pack_id,)
        ).fetchall()
        return {row.name: row for row in unpack_files(body)}


def insert_pack(connection: sqlite3.Connection, folder_id: int, rows: Sequence[StoredFile]) -> None:
    """Write a pack of some rows of a folder."""
    names = [row.name for row in rows]
    ids = [row.file_id for row in rows]
    connection.execute(
        "INSERT INTO file_pack (folder_id, files, first_name, last_name, first_id, last_id, "
        "first, last, sequence, read_at, unread, sums, body) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            folder_id,
            len(rows),
            min(names),
            max(names),
            min(ids),
            max(ids),
            min((row.first for row in rows if row.first is not None), default=None),
            max((row.last for row in rows if row.last is not None), default=None),
            max(row.sequence for row in rows),
            min(row.read_at for row in rows),
            sum(row.state != "read" for row in rows),
            msgspec.msgpack.encode(_sums(rows)),
            pack_files(rows),
        ),
    )


def _sums(rows: Sequence[StoredFile]) -> list[FileSums]:
    """Add up rows by state and reason."""
    sums: dict[tuple[FileState, str | None], list[int]] = {}
    for row in rows:
        of_state = sums.setdefault((row.state, row.reason), [0, 0, 0, 0])
        for index, count in enumerate((row.files, row.seen, row.hits, row.duplicate)):
            of_state[index] += count
    return [FileSums(*key, *counts) for key, counts in sums.items()]
