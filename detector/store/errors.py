"""The errors of a state: each message is one line that says what to do."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec


class StateError(Exception):
    """A state cannot be used; the message says why, and what to do."""


class ReadOnly(StateError):
    """A write was attempted on a read-only state; nothing was written."""


class IngestHeld(StateError):
    """Another process is ingesting into the state."""


class Damaged(StateError):
    """The state file holds content that trailhound never wrote.

    SQLite keeps no checksums, so some damage goes unnoticed.
    """

    def __init__(self, path: Path | None) -> None:
        super().__init__(
            f"{_name(path)}: damaged: trailhound doctor --save recovers your notes; "
            "the rest is in the logs"
        )


class UnknownFile(KeyError):
    """Other rows refer to a file that has no row itself."""


_UNCHANGED = "nothing was written"
_LINES = {
    sqlite3.SQLITE_FULL: f"the disk is full, {_UNCHANGED}: free some space, then retry",
    sqlite3.SQLITE_BUSY: (
        f"locked by another program, {_UNCHANGED}: wait for it or close it, then retry"
    ),
    sqlite3.SQLITE_READONLY: (
        f"it is read-only, {_UNCHANGED}: allow writing it, or name another database with --db FILE"
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "it cannot be opened: allow writing to its folder, or name another database with --db FILE"
    ),
    sqlite3.SQLITE_IOERR: (f"disk error, {_UNCHANGED}: check the disk and your quota, then retry"),
}


UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
"""What sqlite3 raises for a damaged file.

UnicodeDecodeError is among them: SQLite's messages may quote bytes that are not UTF-8.
"""


@contextlib.contextmanager
def translate_sqlite_errors(path: Path | None) -> Iterator[None]:
    """Raise StateError for SQLite errors, Damaged for undecodable values and unknown files.

    ``path`` is the path of the state, for the message; None for a temporary state.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _state_error(path, error) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, UnknownFile) as error:
        raise Damaged(path) from error


def _state_error(path: Path | None, error: sqlite3.Error) -> StateError:
    # The low byte is the primary result code. Errors that the sqlite3 module itself raises have no
    # code, for example for text that is not UTF-8.
    code = getattr(error, "sqlite_errorcode", -1) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or "Could not decode" in str(error):
        return Damaged(path)
    line = _LINES.get(code, f"{error}: name another database with --db FILE")
    return StateError(f"{_name(path)}: {line}")


def _name(path: Path | None) -> str:
    return str(path or "the temporary database")
