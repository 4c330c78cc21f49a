"""What can be wrong with a state, and the line that says what to do about it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec


class StateError(Exception):
    """The state cannot be used; one line says why and what to do."""


class ReadOnly(StateError):
    """Another trailhound holds the state: nothing was written."""


class Damaged(StateError):
    """The state holds what was never written. SQLite keeps no checksums, so not all damage is
    seen."""

    def __init__(self, path: Path | None) -> None:
        super().__init__(
            f"{_name(path)}: damaged: trailhound doctor --save saves what you wrote; the rest is in the "
            "logs"
        )


_KEPT = "nothing was written"
_LINES = {
    sqlite3.SQLITE_FULL: f"the disk is full, {_KEPT}: free some space, then do it again",
    sqlite3.SQLITE_BUSY: f"another program has locked it, {_KEPT}: close that one, then do it again",
    sqlite3.SQLITE_READONLY: f"it may only be read, {_KEPT}: allow writing it, or name another state with --db FILE",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened: allow writing to its folder, or name another state with --db FILE",
    sqlite3.SQLITE_IOERR: f"the disk fails, {_KEPT}: check the disk and your quota, then do it again",
}


UNREADABLE = (sqlite3.Error, UnicodeDecodeError)
"""What sqlite3 raises of a file that is damaged: its messages may quote what is no text any
more."""


@contextlib.contextmanager
def told(path: Path | None) -> Iterator[None]:
    """Raise StateError where SQLite fails on the state at ``path`` (None: a temporary one), or
    where what it gives back was never written."""
    try:
        yield
    except sqlite3.Error as error:
        raise _fault(path, error) from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Damaged(path) from error


def _fault(path: Path | None, error: sqlite3.Error) -> StateError:
    # The extended code has further bits. What sqlite3 raises by itself has none: so of text that
    # cannot be decoded.
    code = getattr(error, "sqlite_errorcode", -1) & 0xFF
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or "Could not decode" in str(error):
        return Damaged(path)
    return StateError(
        f"{_name(path)}: {_LINES.get(code, f'{error}: name another state with --db FILE')}"
    )


def _name(path: Path | None) -> str:
    return str(path or "the temporary state")
