"""The changes that a transaction makes to the rows of files.

The packs of a folder hold disjoint ranges of names, so only one pack can contain a given file. If
files arrive in order of their names, as those of a trail do, each pack is filled before the next is
begun. A pack that overflows because files arrive out of order is cut into packs of equal size.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter

import msgspec

from detector.sources.accounting import FileState
from detector.store.errors import UnknownFile
from detector.store.files.file_packs import FileSums
from detector.store.files.stored_file import StoredFile, pack_files, unpack_files
from detector.store.packing.file_key import PathParts, path_parts

FULL_PACK = 64
"""The most files in a pack."""

_name = attrgetter("name")


class FileEdits:
    """Rows of files that are changed in memory and written together."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._folders: dict[tuple[bytes, bytes], _Folder] = {}

    def get(self, path: str) -> StoredFile | None:
        """Return the row of a file, to be changed in place; None if there is none."""
        place = path_parts(path)
        return self._folder(place).get(place.name)

    def known(self, path: str) -> StoredFile:
        """Return the row of a file, to be changed in place. Raises UnknownFile if there is none."""
        row = self.get(path)
        if row is None:
            raise UnknownFile(path)
        return row

    def get_or_add(self, path: str, file_id: int) -> StoredFile:
        """Return the row of a file, to be changed in place; add one with this id if needed."""
        place = path_parts(path)
        folder = self._folder(place)
        return folder.get(place.name) or folder.add(StoredFile(place.name, file_id))

    def remove(self, path: str) -> StoredFile | None:
        """Remove the row of a file and return it; return None if there is none."""
        place = path_parts(path)
        return self._folder(place).remove(place.name)

    def put(self, path: str, row: StoredFile) -> None:
        """Add a removed row at a path that has no row."""
        place = path_parts(path)
        row.name = place.name
        self._folder(place).add(row)

    def where(self, condition: Callable[[StoredFile], bool]) -> Iterator[StoredFile]:
        """Yield the rows for which a condition holds, to be changed in place.

        Raises MsgspecError if a pack is damaged."""
        for prefix, suffix in self._connection.execute(
            "SELECT prefix, suffix FROM folder"
        ).fetchall():
            yield from self._folder(PathParts(prefix, suffix, b"")).where(condition)

    def write(self) -> None:
        """Write all changes, at the end of the transaction."""
        for folder in self._folders.values():
            folder.write()

    def _folder(self, place: PathParts) -> _Folder:
        key = place.prefix, place.suffix
        folder = self._folders.get(key)
        if folder is None:
            folder = self._folders[key] = _Folder(self._connection, key)
        return folder


class _Folder:
    """The packs of a folder; ``key`` is its prefix and suffix."""

    def __init__(self, connection: sqlite3.Connection, key: tuple[bytes, bytes]) -> None:
        self._connection = connection
        self._key = key
        self._folder_id: int | None = None
        for (self._folder_id,) in connection.execute(
            "SELECT folder_id FROM folder WHERE prefix = ? AND suffix = ?", key
        ):
            pass
        self._packs: dict[int, _Pack] = {}
        self._added: dict[bytes, StoredFile] = {}

    def get(self, name: bytes) -> StoredFile | None:
        if name in self._added:
            return self._added[name]
        pack = self._pack_with(name)
        return None if pack is None else pack.rows[name]

    def add(self, row: StoredFile) -> StoredFile:
        self._added[row.name] = row
        return row

    def remove(self, name: bytes) -> StoredFile | None:
        if name in self._added:
            return self._added.pop(name)
        pack = self._pack_with(name)
        return None if pack is None else pack.rows.pop(name)

    def where(self, condition: Callable[[StoredFile], bool]) -> Iterator[StoredFile]:
        for pack in self._packs_where("1"):
            rows = list(filter(condition, pack.rows.values()))
            pack.is_changed |= bool(rows)
            yield from rows
        yield from filter(condition, self._added.values())

    def write(self) -> None:
        """Write the changed rows, and put each added row into the pack where its name belongs."""
        added = sorted(self._added.values(), key=_name)
        for number, row in enumerate(added):
            behind = self._packs_where("last_name >= ?2 ORDER BY last_name LIMIT 1", row.name)
            pack = next(behind, None)
            if pack is None:
                self._append(added[number:])
                break
            pack.add([row])
        for pack_id, pack in self._packs.items():
            if pack.is_changed:
                self._connection.execute("DELETE FROM file_pack WHERE pack_id = ?", (pack_id,))
                self._insert(sorted(pack.rows.values(), key=_name))

    def _append(self, rows: Sequence[StoredFile]) -> None:
        """Add rows whose names sort after all others."""
        for last in self._packs_where("1 ORDER BY last_name DESC LIMIT 1"):
            room = max(FULL_PACK - len(last.rows), 0)
            last.add(rows[:room])
            rows = rows[room:]
        self._insert(rows)

    def _insert(self, rows: Sequence[StoredFile]) -> None:
        """Write rows, which are in order, as the fewest packs possible, of about equal size."""
        packs = -(-len(rows) // FULL_PACK)
        for pack in range(packs):
            part = rows[len(rows) * pack // packs : len(rows) * (pack + 1) // packs]
            insert_pack(self._connection, self._id(), part)

    def _id(self) -> int:
        """Return the id of the folder; add the folder if it is new."""
        if self._folder_id is None:
            ((self._folder_id,),) = self._connection.execute(
                "INSERT INTO folder (prefix, suffix) VALUES (?, ?) RETURNING folder_id", self._key
            ).fetchall()
        return self._folder_id

    def _pack_with(self, name: bytes) -> _Pack | None:
        """Return the pack that holds a file, and mark the pack as changed."""
        for pack in self._packs_where("last_name >= ?2 AND first_name <= ?2", name):
            if name in pack.rows:
                pack.is_changed = True
                return pack
        return None

    def _packs_where(self, condition: str, *names: bytes) -> Iterator[_Pack]:
        """Yield the packs whose stored columns, before any changes, satisfy an SQL condition."""
        for (pack_id,) in self._connection.execute(
            f"SELECT pack_id FROM file_pack WHERE folder_id = ?1 AND {condition}",
            (self._folder_id, *names),
        ).fetchall():
            if pack_id not in self._packs:
                ((body,),) = self._connection.execute(
                    "SELECT body FROM file_pack WHERE pack_id = ?", (pack_id,)
                ).fetchall()
                self._packs[pack_id] = _Pack({row.name: row for row in unpack_files(body)})
            yield self._packs[pack_id]


class _Pack:
    """The rows of a pack, by name."""

    def __init__(self, rows: dict[bytes, StoredFile]) -> None:
        self.rows = rows
        self.is_changed = False

    def add(self, rows: Iterable[StoredFile]) -> None:
        self.rows.update((row.name, row) for row in rows)
        self.is_changed = True


def insert_pack(connection: sqlite3.Connection, folder_id: int, rows: Sequence[StoredFile]) -> None:
    """Write rows of a folder as one pack."""
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
