"""Connections to a state file: for writing, for reading, and for read-only folders."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

from detector.store import schema
from detector.store.errors import UNREADABLE, StateError, translate_sqlite_errors
from detector.store.schema import migrate

_BUSY_SECONDS = 30
"""How long a transaction waits for other processes; a large ingest transaction takes seconds."""

PAGE_SIZE = 2048
"""In bytes. Small, because most tables have few rows, and rows of some kilobytes leave larger pages
half empty."""


def connect_to_write(path: Path, durable: bool) -> sqlite3.Connection:
    """Open a connection for writing; create the file if it is missing. Raises StateError."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise StateError(
            f"{path}: {error.strerror}: allow writing it, or name another database with --db FILE"
        ) from None
    with translate_sqlite_errors(path), contextlib.ExitStack() as cleanup:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        cleanup.enter_context(contextlib.closing(connection))
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000}")
        connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
        connection.execute("PRAGMA foreign_keys = ON")
        cleanup.pop_all()
    return connection


def migrate_file(path: Path, durable: bool = True) -> None:
    """Create the tables, or migrate them to the newest version. Raises StateError."""
    with (
        translate_sqlite_errors(path),
        contextlib.closing(connect_to_write(path, durable)) as connection,
    ):
        if durable and not path.stat().st_size:
            _begin_file(connection)
        # Migrate before switching to the write-ahead log, so that the application id is in the file
        # itself at once.
        migrate(connection)
        connection.execute("PRAGMA journal_mode = WAL")


def _begin_file(connection: sqlite3.Connection) -> None:
    """Write the first page, with auto-vacuum enabled and with the application id.

    A file without the application id would be refused by other processes, and after a crash by the
    next start."""
    connection.execute(f"PRAGMA page_size = {PAGE_SIZE}")
    connection.execute("BEGIN")
    give_back_freed_pages(connection)
    connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    connection.execute("COMMIT")


def give_back_freed_pages(connection: sqlite3.Connection) -> None:
    """Enable incremental vacuum, with effect from the creation of the file or the next VACUUM."""
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")


def connect_to_read(path: Path, immutable: bool = False) -> sqlite3.Connection:
    """Open a connection that never changes the file. Raises StateError.

    ``immutable``: no other process changes the file either, so no lock is needed.
    """
    options = "mode=ro&immutable=1" if immutable else "mode=ro"
    with translate_sqlite_errors(path):
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?{options}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )


def connect_to_look(
    path: Path, holder: str | None, cleanup: contextlib.ExitStack
) -> sqlite3.Connection:
    """Open a connection that needs no write permission, if necessary on a temporary copy.

    A copy is needed if the state must be migrated, or if its write-ahead log cannot be read in
    place. Raises StateError.
    """
    is_at_rest = holder is None and not _size(_write_ahead_log(path))
    try:
        connection = connect_to_read(path, immutable=is_at_rest)
        with translate_sqlite_errors(path):
            (version,) = connection.execute("PRAGMA user_version").fetchone()
    except StateError:
        if is_at_rest:
            raise
        version = 0  # SQLite must write next to the file to read its write-ahead log: use a copy
    if version > schema.SCHEMA_VERSION:
        raise StateError(
            f"{path}: written by a newer trailhound: update trailhound, or use --db FILE"
        )
    if version == schema.SCHEMA_VERSION:
        return cleanup.enter_context(contextlib.closing(connection))
    copy = _copy(path, cleanup)
    migrate_file(copy)
    return cleanup.enter_context(contextlib.closing(connect_to_read(copy)))


def connect_to_examine(path: Path, cleanup: contextlib.ExitStack) -> sqlite3.Connection:
    """Open a connection to a state that may be damaged, or whose folder may be read-only.

    Raises StateError.
    """
    connection = cleanup.enter_context(contextlib.closing(connect_to_read(path)))
    try:
        connection.execute("PRAGMA schema_version").fetchone()
    except UNREADABLE as error:
        # SQLite must write to the folder of a write-ahead log to read it.
        if getattr(error, "sqlite_errorcode", -1) & 0xFF != sqlite3.SQLITE_CANTOPEN:
            return connection
        file = path
        if _size(_write_ahead_log(path)):
            file = _copy(path, cleanup)
        connection = connect_to_read(file, immutable=file is path)
        cleanup.enter_context(contextlib.closing(connection))
    return connection


def _copy(path: Path, cleanup: contextlib.ExitStack) -> Path:
    """Copy a state with its write-ahead log to a temporary folder. Raises StateError."""
    copy = temporary_folder(cleanup) / path.name
    try:
        for file in (path, _write_ahead_log(path)):
            if file.exists():
                shutil.copyfile(file, copy.with_name(file.name))
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}: set TMPDIR to a folder with space") from None
    return copy


def _write_ahead_log(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def temporary_folder(cleanup: contextlib.ExitStack) -> Path:
    """Create a temporary folder that ``cleanup`` deletes. Raises StateError."""
    try:
        return Path(cleanup.enter_context(tempfile.TemporaryDirectory(prefix="trailhound-")))
    except OSError as error:
        raise StateError(
            f"no temporary database: {error.strerror}: set TMPDIR to a folder with space"
        ) from None
