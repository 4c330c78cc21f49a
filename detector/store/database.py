"""The state file: private, with one writer and transactions."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import sqlite3
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from detector.store.errors import ReadOnly, StateError, translate_sqlite_errors
from detector.store.lock_file import find_holder, take_lock
from detector.store.schema import APPLICATION_ID, SCHEMA_VERSION, migrate

_SCHEMA_CHECKS = 40
"""How often to check, twenty times a second, whether another process has made the tables."""


class Database:
    """The connections to one state file, safe for use by several threads.

    ``path`` is None for a temporary state, which is deleted when it is closed. ``holder`` names the
    other process that writes to the state; it is None where this process may write. ``clock``
    returns epoch seconds.
    """

    def __init__(
        self,
        path: Path | None,
        clock: Callable[[], float],
        holder: str | None,
        writer: sqlite3.Connection | None,
        reader: sqlite3.Connection,
        cleanup: contextlib.ExitStack,
    ) -> None:
        self.path = path
        self.clock = clock
        self.holder = holder
        self._writer = writer
        self._reader = reader
        self._write_lock = threading.RLock()
        self._read_lock = threading.Lock()
        self._cleanup = cleanup

    @classmethod
    def open(cls, path: Path | None, clock: Callable[[], float] = time.time) -> Database:
        """Open or create a state; read-only where another process holds it.

        Raises StateError.
        """
        with contextlib.ExitStack() as cleanup:
            holder = None
            if path is None:
                file = _temporary_folder(cleanup) / "hunt.db"
            else:
                file = path
                refuse_foreign(path)
                holder = take_lock(path, cleanup)
            if _schema_version(file) > SCHEMA_VERSION:
                raise StateError(
                    f"{path}: written by a newer trailhound: update trailhound, or use --db FILE"
                )
            writer = None
            if holder is None:
                writer = _connect_to_write(file, durable=path is not None)
                cleanup.enter_context(contextlib.closing(writer))
            elif not _await_schema(file):
                raise StateError(
                    f"{path}: {holder}, an older one, is using it: close that one, then start again"
                )
            reader = cleanup.enter_context(contextlib.closing(connect_to_read(file)))
            return cls(path, clock, holder, writer, reader, cleanup.pop_all())

    @classmethod
    def look(cls, path: Path, clock: Callable[[], float] = time.time) -> Database:
        """Open a state that exists to look at it: nothing in its folder is written.

        Raises StateError.
        """
        refuse_foreign(path)
        with contextlib.ExitStack() as cleanup:
            holder = find_holder(path)
            reader = _connect_to_look(path, holder, cleanup)
            return cls(path, clock, holder, None, reader, cleanup.pop_all())

    @property
    def read_only(self) -> bool:
        return self._writer is None

    def close(self) -> None:
        """Close the connections and release the lock. Closing twice is allowed."""
        with self._write_lock, self._read_lock:
            self._cleanup.close()

    def version(self) -> int:
        """Return a number that changes with each write of another process."""
        return int(self.value("PRAGMA data_version"))

    def rows(self, query: str, *parameters: Any) -> list[Any]:
        """Return committed rows, without waiting for a running transaction."""
        with self._read_lock, translate_sqlite_errors(self.path):
            return self._reader.execute(query, parameters).fetchall()

    def value(self, query: str, *parameters: Any) -> Any:
        """Return the first column of the first committed row, or None."""
        rows = self.rows(query, *parameters)
        return rows[0][0] if rows else None

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[sqlite3.Connection]:
        """Hold the writer's connection, outside of any transaction. Raises ReadOnly, StateError."""
        with self._write_lock:
            if self._writer is None:
                holder = self.holder or "another trailhound"
                raise ReadOnly(f"read-only: {holder} is using this state; close it there first")
            with translate_sqlite_errors(self.path):
                yield self._writer

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Run one transaction: everything is committed, or nothing. Raises ReadOnly, StateError."""
        with self.exclusive() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise


class _Part(Protocol):
    _database: Database


_R = TypeVar("_R")
_S = TypeVar("_S", bound=_Part)
_P = ParamSpec("_P")


def raises_damaged(method: Callable[Concatenate[_S, _P], _R]) -> Callable[Concatenate[_S, _P], _R]:
    """Make a method raise Damaged where a stored value cannot be decoded."""

    def checked(self: _S, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        with translate_sqlite_errors(self._database.path):
            return method(self, *args, **kwargs)

    functools.update_wrapper(checked, method)
    return checked


def _connect_to_write(path: Path, durable: bool) -> sqlite3.Connection:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StateError(
            f"{path}: {error.strerror}: allow writing it, or name another with --db FILE"
        ) from None
    with translate_sqlite_errors(path), contextlib.ExitStack() as cleanup:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        cleanup.enter_context(contextlib.closing(connection))
        connection.execute("PRAGMA busy_timeout = 5000")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
        connection.execute("PRAGMA foreign_keys = ON")
        # Before the write-ahead log, so that the file itself names its program at once.
        migrate(connection)
        connection.execute("PRAGMA journal_mode = WAL")
        cleanup.pop_all()
    return connection


def connect_to_read(path: Path, immutable: bool = False) -> sqlite3.Connection:
    """Open a connection that never changes the file. Raises StateError.

    ``immutable``: nobody else changes it either, so that no lock is needed.
    """
    options = "mode=ro&immutable=1" if immutable else "mode=ro"
    with translate_sqlite_errors(path):
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?{options}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )


def _connect_to_look(
    path: Path, holder: str | None, cleanup: contextlib.ExitStack
) -> sqlite3.Connection:
    """Open a connection that needs no right to write; on a copy where there is no other way."""
    write_ahead_log = path.with_name(path.name + "-wal")
    is_at_rest = holder is None and not _size(write_ahead_log)
    try:
        connection = connect_to_read(path, immutable=is_at_rest)
        with translate_sqlite_errors(path):
            (version,) = connection.execute("PRAGMA user_version").fetchone()
    except StateError:
        if is_at_rest:
            raise
        version = 0  # SQLite must write beside the file to read it: not here
    if version > SCHEMA_VERSION:
        raise StateError(
            f"{path}: written by a newer trailhound: update trailhound, or use --db FILE"
        )
    if version == SCHEMA_VERSION:
        return cleanup.enter_context(contextlib.closing(connection))
    copy = _temporary_folder(cleanup) / path.name
    try:
        for file in (path, write_ahead_log):
            if file.exists():
                shutil.copyfile(file, copy.with_name(file.name))
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}: set TMPDIR to a folder with space") from None
    return cleanup.enter_context(contextlib.closing(_connect_to_write(copy, durable=False)))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _temporary_folder(cleanup: contextlib.ExitStack) -> Path:
    """Make a folder that goes with the process. Raises StateError."""
    try:
        return Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="trailhound-")))
    except OSError as error:
        raise StateError(
            f"no temporary state: {error.strerror}: set TMPDIR to a folder with space"
        ) from None


def _await_schema(path: Path) -> bool:
    """Wait for the process that holds the state to migrate its tables."""
    for _ in range(_SCHEMA_CHECKS):
        if _schema_version(path) == SCHEMA_VERSION:
            return True
        time.sleep(0.05)
    return False


def _schema_version(path: Path) -> int:
    """Return the schema version at ``path``; 0 where there are no tables."""
    if not path.exists():
        return 0
    with (
        translate_sqlite_errors(path),
        contextlib.closing(connect_to_read(path)) as connection,
    ):
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


def refuse_foreign(path: Path) -> None:
    """Raise StateError where a file is not a state.

    Called before anything is created beside it.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise StateError(f"{path}: no file: name another one with --db FILE")
        with path.open("rb") as file:
            header = file.read(100)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}: name another state with --db FILE") from None
    is_sqlite = header[:16] == b"SQLite format 3\0"
    is_state = is_sqlite and header[68:72] == APPLICATION_ID.to_bytes(4, "big")
    if header and not is_state:
        raise StateError(f"{path}: not a state of trailhound: name another file with --db FILE")
