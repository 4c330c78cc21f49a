"""The state file: private to its user, and shared by processes through short transactions."""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from detector.store.errors import IngestHeld, ReadOnly, StateError, translate_sqlite_errors
from detector.store.opening.author import current_user
from detector.store.opening.connections import (
    connect_to_look,
    connect_to_read,
    connect_to_write,
    migrate_file,
    temporary_folder,
)
from detector.store.opening.ingest_lock import IngestLock
from detector.store.packing.state_query import StateQuery, query_of
from detector.store.schema import APPLICATION_ID, SCHEMA_VERSION

_SCHEMA_CHECKS = 40
"""How many times to check, at 20 checks per second, whether another process made the tables."""


_Item = TypeVar("_Item")


class Database:
    """The connections to one state file, safe for use by several threads.

    ``path`` is None for a temporary state, which is deleted when it is closed. ``clock`` returns
    epoch seconds. ``author`` is the name under which decisions are recorded; ``session`` identifies
    this opening of the state. ``writer`` is None if the file may only be read.
    """

    def __init__(
        self,
        path: Path | None,
        clock: Callable[[], float],
        author: str | None,
        lock: IngestLock,
        writer: sqlite3.Connection | None,
        reader: sqlite3.Connection,
        cleanup: contextlib.ExitStack,
    ) -> None:
        self.path = path
        self.clock = clock
        self._author = author
        self.session = secrets.token_hex(8)
        self._lock = lock
        self._writer = writer
        self._reader = reader
        self._version = 0
        self._write_lock = threading.RLock()
        self._read_lock = threading.Lock()
        self._cleanup = cleanup

    @classmethod
    def open(
        cls,
        path: Path | None,
        clock: Callable[[], float] = time.time,
        author: str | None = None,
    ) -> Database:
        """Open or create a state; open it read-only if it may not be written.

        Raises StateError.
        """
        with contextlib.ExitStack() as cleanup:
            lock = IngestLock(path)
            cleanup.callback(lock.release)
            if path is None:
                file = temporary_folder(cleanup) / "hunt.db"
            else:
                file = path
                refuse_foreign(path)
            if not _may_write(file):
                return cls.look(file, clock, author)
            if _schema_version(file) > SCHEMA_VERSION:
                raise StateError(
                    f"{path}: written by a newer trailhound: update trailhound, or use --db FILE"
                )
            _prepare(file, lock, durable=path is not None)
            writer = connect_to_write(file, durable=path is not None)
            cleanup.enter_context(contextlib.closing(writer))
            reader = cleanup.enter_context(contextlib.closing(connect_to_read(file)))
            return cls(path, clock, author, lock, writer, reader, cleanup.pop_all())

    @classmethod
    def look(
        cls, path: Path, clock: Callable[[], float] = time.time, author: str | None = None
    ) -> Database:
        """Open an existing state read-only: nothing in its folder is written.

        Raises StateError.
        """
        refuse_foreign(path)
        with contextlib.ExitStack() as cleanup:
            lock = IngestLock(path)
            reader = connect_to_look(path, lock.holder(), cleanup)
            return cls(path, clock, author, lock, None, reader, cleanup.pop_all())

    @functools.cached_property
    def author(self) -> str:
        """The author of decisions, by default the system user; looked up only on demand."""
        return self._author or current_user()

    @property
    def read_only(self) -> bool:
        """Whether the state may only be read."""
        return self._writer is None

    @property
    def holder(self) -> str | None:
        """The other process that is ingesting; None if there is none."""
        return self._lock.holder()

    def take_ingest(self) -> None:
        """Become the ingesting process until ``close``. Raises IngestHeld, StateError."""
        if self._writer is None:
            raise self._read_only_error()
        if not self._lock.take():
            raise IngestHeld(
                f"{self.holder or 'another trailhound'} ingests into this database: "
                "close it there, or name another database with --db FILE"
            )

    def close(self) -> None:
        """Close the connections and release the lock. Closing twice is allowed."""
        with self._write_lock, self._read_lock:
            self._cleanup.close()

    def version(self) -> int:
        """Return a number that changes with each write by another process.

        Never blocks: while a transaction of this process runs, the last number is returned.
        """
        if self._writer is None:
            return int(self.value("PRAGMA data_version"))
        if self._write_lock.acquire(blocking=False):
            try:
                with translate_sqlite_errors(self.path):
                    row = self._writer.execute("PRAGMA data_version").fetchone()
                self._version = int(row[0])
            finally:
                self._write_lock.release()
        return self._version

    def rows(self, query: str, *parameters: Any) -> list[Any]:
        """Run a query on the committed state, without waiting for a running transaction."""
        with self._read_lock, translate_sqlite_errors(self.path):
            return self._reader.execute(query, parameters).fetchall()

    def value(self, query: str, *parameters: Any) -> Any:
        """Return the first column of the first committed row, or None."""
        rows = self.rows(query, *parameters)
        return rows[0][0] if rows else None

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[StateQuery]:
        """Run several queries on one snapshot of the committed rows, even while others write.

        Other threads cannot read until the context ends."""
        with self._read_lock, translate_sqlite_errors(self.path):
            self._reader.execute("BEGIN")
            try:
                yield query_of(self._reader)
            finally:
                self._reader.execute("ROLLBACK")

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[sqlite3.Connection]:
        """Hold the writer's connection, outside of any transaction. Raises ReadOnly, StateError."""
        with self._write_lock:
            if self._writer is None:
                raise self._read_only_error()
            with translate_sqlite_errors(self.path):
                yield self._writer

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run one atomic transaction. Raises ReadOnly, StateError."""
        with self.exclusive() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                self._refuse_newer(connection)
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def _refuse_newer(self, connection: sqlite3.Connection) -> None:
        """Raise StateError if another process has migrated the tables in the meantime."""
        if connection.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
            raise StateError(
                f"{self.path}: a newer trailhound uses it now, nothing was written: "
                "leave, and start the newer one"
            )

    def _read_only_error(self) -> ReadOnly:
        return ReadOnly(
            f"{self.path}: read-only, nothing was written: "
            "allow writing it and its folder, or name another database with --db FILE"
        )


class _Part(Protocol):
    _database: Database


_R = TypeVar("_R")
_S = TypeVar("_S", bound=_Part)
_P = ParamSpec("_P")


def raises_damaged(method: Callable[Concatenate[_S, _P], _R]) -> Callable[Concatenate[_S, _P], _R]:
    """Make a method raise Damaged if a stored value cannot be decoded."""

    def checked(self: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        with translate_sqlite_errors(self._database.path):
            return method(self, *args, **kwargs)

    functools.update_wrapper(checked, method)
    return checked


def pages(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    """Yield ``size`` items at a time, for queries that may name only that many."""
    for first in range(0, len(items), size):
        yield items[first : first + size]


def _may_write(path: Path) -> bool:
    """Tell whether a state may be written; if it does not exist, create its folder.

    Raises StateError if the folder cannot be created.
    """
    is_there = path.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if is_there:
            os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        if is_there:
            return False
        raise StateError(
            f"{path}: {error.strerror}: allow writing it, or name another database with --db FILE"
        ) from None
    # SQLite creates the write-ahead log in the same folder.
    return not is_there or os.access(path.parent, os.W_OK)


def _prepare(path: Path, lock: IngestLock, durable: bool) -> None:
    """Create or migrate the tables, or wait for another process to do so.

    No process can ingest in the meantime. Raises StateError.
    """
    for _ in range(_SCHEMA_CHECKS):
        if _is_prepared(path):
            return
        if lock.take():
            try:
                migrate_file(path, durable)
            finally:
                lock.release()
            return
        time.sleep(0.05)
    raise StateError(
        f"{path}: {lock.holder() or 'another trailhound'}, an older one, is using it: "
        "close that one, then start again"
    )


def _is_prepared(path: Path) -> bool:
    """Tell whether the tables have the newest version, and the write-ahead log is in use."""
    if not path.exists():
        return False
    with translate_sqlite_errors(path), contextlib.closing(connect_to_read(path)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    return bool(version == SCHEMA_VERSION and mode == "wal")


def _schema_version(path: Path) -> int:
    """Return the schema version of the file at ``path``; 0 if it has no tables."""
    if not path.exists():
        return 0
    with translate_sqlite_errors(path), contextlib.closing(connect_to_read(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def refuse_foreign(path: Path) -> None:
    """Raise StateError if a file is not a state; a missing or empty file is accepted.

    This must run before anything is created next to the file.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise StateError(f"{path}: no file: name another one with --db FILE")
        with path.open("rb") as file:
            header = file.read(100)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StateError(
            f"{path}: {error.strerror}: name another database with --db FILE"
        ) from None
    is_sqlite = header[:16] == b"SQLite format 3\0"
    is_state = is_sqlite and header[68:72] == APPLICATION_ID.to_bytes(4, "big")
    if header and not is_state:
        raise StateError(f"{path}: not a trailhound database: name another file with --db FILE")
