"""The state file: opened private, by one writer at a time, every write one transaction."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import getpass
import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from detector.store.errors import ReadOnly, StateError, told
from detector.store.schema import APPLICATION_ID, VERSION, migrate

_T = TypeVar("_T")
_S = TypeVar("_S", bound="State")
_P = ParamSpec("_P")

_TURNS = 40
"""Times to look, twenty a second, whether another process has made the tables."""


class State:
    """The connection, and who may write. ``path`` None: a temporary state that goes with the
    process."""

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
        """Open or make the state at ``path``. Where another process writes to it, it is opened for
        reading.

        Raises StateError.
        """
        state = cls(path, clock)  # type: ignore[call-arg]
        with contextlib.ExitStack() as closing:
            state._open(path, closing)  # type: ignore[attr-defined]
            state._closing = closing.pop_all()  # type: ignore[attr-defined]
        return state

    def _open(self, path: Path | None, closing: contextlib.ExitStack) -> None:
        if path is None:
            file = Path(
                closing.enter_context(tempfile.TemporaryDirectory(prefix="trailhound-")), "hunt.db"
            )
        else:
            file = path
            refuse_foreign(file)
            try:
                file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self.holder = _hold(file, closing)
            except OSError as error:
                raise StateError(
                    f"{path}: {error.strerror}: name another state with --db FILE"
                ) from None
        if _version(file) > VERSION:
            raise StateError(
                f"{path}: written by a newer trailhound: update trailhound, or use --db FILE"
            )
        if self.holder is None:
            self._writer = closing.enter_context(
                contextlib.closing(_connect(file, durable=path is not None))
            )
        elif not _is_ready(file):
            raise StateError(
                f"{path}: {self.holder}, an older one, is using it: close that one, then start again"
            )
        self._reader = closing.enter_context(contextlib.closing(connect_to_read(file)))

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
            db = self._own()
            with told(self.path):
                db.execute("BEGIN IMMEDIATE")
                try:
                    yield db
                    db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                    raise

    def _own(self) -> sqlite3.Connection:
        """The connection that writes. Raises ReadOnly."""
        if self._writer is None:
            raise ReadOnly(f"read-only: {self.holder} is using this state; close it there first")
        return self._writer

    def _rows(self, query: str, *values: Any) -> list[Any]:
        """What is committed, without waiting for a transaction that is under way."""
        with self._read_lock, told(self.path):
            return self._reader.execute(query, values).fetchall()

    def _value(self, query: str, *values: Any) -> Any:
        rows = self._rows(query, *values)
        return rows[0][0] if rows else None

    def _record(self, db: sqlite3.Connection, subject: str, kind: str, detail: str = "") -> None:
        """Add to the history."""
        db.execute(
            "INSERT INTO history (at, author, subject, kind, detail) VALUES (?, ?, ?, ?, ?)",
            (self._clock(), author(), subject, kind, detail),
        )


def sound(method: Callable[Concatenate[_S, _P], _T]) -> Callable[Concatenate[_S, _P], _T]:
    """For methods that decode what they read: where that cannot be, the state is damaged."""

    def checked(self: _S, /, *args: _P.args, **named: _P.kwargs) -> _T:
        with told(self.path):
            return method(self, *args, **named)

    functools.update_wrapper(checked, method)
    return checked


def author() -> str:
    """Who is at the keyboard, as the system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _hold(path: Path, closing: contextlib.ExitStack) -> str | None:
    """Take the writer's place until ``closing``, if it is free; who has it, otherwise."""
    lock = os.open(
        path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
    )
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
    except OSError as error:
        raise StateError(
            f"{path}: {error.strerror}: allow writing it, or name another with --db FILE"
        ) from None
    with told(path), contextlib.ExitStack() as closing:
        db = closing.enter_context(
            contextlib.closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False))
        )
        db.execute("PRAGMA busy_timeout = 5000")
        db.execute(f"PRAGMA synchronous = {'FULL' if durable else 'OFF'}")
        db.execute("PRAGMA foreign_keys = ON")
        migrate(db)  # before the log, so that the file itself says at once whose it is
        db.execute("PRAGMA journal_mode = WAL")
        closing.pop_all()
    return db


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that never changes the file. Raises StateError."""
    with told(path):
        return sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
        )


def _is_ready(path: Path) -> bool:
    """Whether the tables are those of this version; the process that holds the state may be making
    them just now."""
    for _ in range(_TURNS):
        if _version(path) == VERSION:
            return True
        time.sleep(0.05)
    return False


def _version(path: Path) -> int:
    """Of the tables at ``path``; 0 where there are none. Asked so that a file that is not for us
    stays as it is."""
    if not path.exists():
        return 0
    with told(path), contextlib.closing(connect_to_read(path)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0])


def refuse_foreign(path: Path) -> None:
    """Raise StateError where there is a file that is no state of ours, before anything is made
    beside it."""
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StateError(f"{path}: {error.strerror}: name another state with --db FILE") from None
    ours = header[:16] == b"SQLite format 3\0" and header[68:72] == APPLICATION_ID.to_bytes(
        4, "big"
    )
    if header and not ours:
        raise StateError(f"{path}: not a state of trailhound: name another file with --db FILE")
