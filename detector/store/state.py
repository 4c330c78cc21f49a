"""The state file: opened private, by one writer at a time, every write one transaction."""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from detector.store.schema import APPLICATION_ID, NewerState, migrate

_T = TypeVar("_T")


class StateError(Exception):
    """The state cannot be used; one line says why and what to do."""


class ReadOnly(StateError):
    """Another trailhound holds the state: nothing was written."""


class State:
    """The connection, and who may write. ``path`` None: a temporary state that goes with the process."""

    def __init__(self, path: Path | None, clock: Callable[[], float]) -> None:
        self.path = path
        self.holder: str | None = None
        """Who holds the state, where that is another process; None where this one may write."""
        self._clock = clock
        self._writer: sqlite3.Connection | None = None
        self._write_lock = threading.RLock()
        self._read_lock = threading.Lock()
        self._closing = contextlib.ExitStack()

    @classmethod
    def open(cls: type[_T], path: Path | None, clock: Callable[[], float] = time.time) -> _T:
        """Open or make the state at ``path``. Where another process writes to it, it is opened for reading.

        Raises StateError.
        """
        state = cls(path, clock)  # type: ignore[call-arg]
        with contextlib.ExitStack() as closing:
            state._open(path, closing)  # type: ignore[attr-defined]
            state._closing = closing.pop_all()  # type: ignore[attr-defined]
        return state

    def _open(self, path: Path | None, closing: contextlib.ExitStack) -> None:
        if path is None:
            file = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="trailhound-")), "hunt.db")
        else:
            file = path
            _refuse_foreign(file)
            try:
                file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self.holder = _hold(file, closing)
            except OSError as error:
                raise StateError(f"{path}: {error.strerror}: name another state with --db FILE") from None
        if self.holder is None:
            self._writer = closing.enter_context(contextlib.closing(_connect(file, durable=path is not None)))
        self._reader = closing.enter_context(contextlib.closing(_connect_to_read(file)))

    @property
    def read_only(self) -> bool:
        return self.holder is not None

    def close(self) -> None:
        """Close the state and let it go. Closing twice is allowed."""
        with self._write_lock, self._read_lock:
            self._closing.close()

    def version(self) -> int:
        """Changes whenever another process has written to the state."""
        return int(self._value("PRAGMA data_version"))

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it is kept, or nothing."""
        with self._write_lock:
            if self._writer is None:
                raise ReadOnly(f"read-only: {self.holder} is using this state; close it there first")
            db = self._writer
            try:
                db.execute("BEGIN IMMEDIATE")
                try:
                    yield db
                    db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                    raise
            except sqlite3.Error as error:
                raise StateError(f"{self.path}: {error}: nothing was written; free some space or check the disk, "
                                 "then try again") from error

    def _rows(self, query: str, *values: Any) -> list[Any]:
        """What is committed, without waiting for a transaction that is under way."""
        with self._read_lock:
            try:
                return self._reader.execute(query, values).fetchall()
            except sqlite3.Error as error:
                raise StateError(f"{self.path}: {error}") from error

    def _value(self, query: str, *values: Any) -> Any:
        rows = self._rows(query, *values)
        return rows[0][0] if rows else None

    def _record(self, db: sqlite3.Connection, subject: str, kind: str, detail: str = "") -> None:
        """Add to the history."""
        db.execute("INSERT INTO history (at, author, subject, kind, detail) VALUES (?, ?, ?, ?, ?)",
                   (self._clock(), author(), subject, kind, detail))


def author() -> str:
    """Who is at the keyboard, as the system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _hold(path: Path, closing: contextlib.ExitStack) -> str | None:
    """Take the writer's place until ``closing``, if it is free; who has it, otherwise."""
    lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    closing.callback(os.close, lock)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(lock, 100, 0).decode(errors="replace").strip() or "another trailhound"
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"trailhound (process {os.getpid()})".encode(), 0)
    return None


def _connect(path: Path, durable: bool = True) -> sqlite3.Connection:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            db.execute("PRAGMA busy_timeout = 5000")
            db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
            db.execute("PRAGMA foreign_keys = ON")
            migrate(db)  # before the log, so that the file itself says at once whose it is
            db.execute("PRAGMA journal_mode = WAL")
        except BaseException:
            db.close()
            raise
    except NewerState:
        raise StateError(f"{path}: written by a newer trailhound: update trailhound, or use --db FILE") from None
    except (sqlite3.Error, OSError) as error:
        raise StateError(f"{path}: {error}: move it away or name another with --db FILE") from None
    return db


def _connect_to_read(path: Path) -> sqlite3.Connection:
    try:
        return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None,
                               check_same_thread=False)
    except sqlite3.Error as error:
        raise StateError(f"{path}: {error}: close the other trailhound, or use --db FILE") from None


def _refuse_foreign(path: Path) -> None:
    """Raise StateError where there is a file that is no state of ours, before anything is made beside it."""
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except OSError:
        return  # none there yet; or it will be said when it is opened
    ours = header[:16] == b"SQLite format 3\0" and header[68:72] == APPLICATION_ID.to_bytes(4, "big")
    if header and not ours:
        raise StateError(f"{path}: not a state of trailhound: name another file with --db FILE")
