"""Atomic writes of private files: write a temporary file next to the target, then rename it.

An overwritten file stays whole until its replacement is on disk, and a new file appears whole or
not at all: a full disk or a kill never leaves a partial file.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from detector.text.late_pattern import late_pattern

_HEADS = (
    b"# Hunt log\n",
    b"# Alerts\n",
    b"note_id,",
    b"alert_id,",
    b'{"note_id":',
    b'{"type":"note"',
    b'{"type":"status"',
    b'{"type":"assignee"',
    b'{"type":"suppression"',
    b'{"type":"hunt"',
    b'{"hunt_id":',
    b"hunt_id,",
    b"# Hunt: ",
    b"[hunt]\n",
    b'{"alert_id":',
    b"<!doctype html",
    b"TIME (UTC)",
    b'{"class_uid":2004,',
    b'{"configuration":',
    b"configuration  ",
    b'{"rule_id":',
    b'{\n  "name": "trailhound ',
    b'{"scope":',
    b"# Events\n",
    b"# Principals\n",
    b"time,principal,service,call,",
    b"principal,kind,",
    b"watch_id,",
    b'{"watch_id":',
    b'{"principal":',
    b'{"parameter":',
    b'{"rule":{"id":',
    b'{"set":{',
    b"<?xml version='1.0' encoding='utf-8'?>\n<testsuite name=\"trailhound ",
)
_EXPORT = late_pattern(
    b"|".join(
        [
            *map(re.escape, _HEADS),
            rb'\{"account":"[^"]*","event_id":"',
            rb"ID +STATE +SEEN ",
            rb"ID +STATE +QUERIES ",
            rb"[0-9a-f]{8}  (open|concluded)  ",  # a hunt
            rb"RISK +CALLS +DENIED ",
            rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  [a-z-]+-\d +\w+  ",  # events
            rb"[0-9a-f]{8}  (active|expired|lifted|undone) +until \d",  # suppressions
            rb"[\w-]{16,}  (low|medium|high|critical) +\S[^\n]*\n    \S",  # rules
            rb"(## )?[A-Z][a-z ]+\n(  \S[^\n]* [a-z]+\.[a-z]+ |\n\| key \| )",  # keys
        ]
    )
)
"""How exports begin: with their columns, or with their first record.

For exports whose first line may differ from one export to the next."""
_COMPANIONS = ("-wal", "-shm", "-journal", ".lock")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_HEAD_BYTES = 256


class NoExportError(OSError):
    """The target exists and is not an export; it was left unchanged."""


def write_new(path: Path, content: str | bytes) -> None:
    """Write a new file; never overwrite an existing one.

    Raises OSError, and then leaves no file.
    """
    with _beside(path, content) as temporary:
        try:
            os.link(temporary, path)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links: claim the name first
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            os.replace(temporary, path)


def write_member(path: Path, content: bytes) -> None:
    """Write a file into a new folder, which is renamed once all its files are written."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with open(os.open(path, flags, 0o600), "wb") as file:
        file.write(content)


def replace_file(path: Path, content: str | bytes, durable: bool = True) -> None:
    """Replace a file atomically: readers see either the old or the new content.

    Without ``durable`` the file survives the process, but not a power loss. Raises OSError, and
    then leaves the file unchanged.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _beside(path, content, durable) as temporary:
        os.replace(temporary, path)


def write_export(path: Path, content: str | bytes) -> None:
    """Write an export; overwrite an earlier export, but no other file.

    An earlier export is recognised by the beginnings that exports have, or by the same heading as
    ``content``. A target that is not a regular file, such as a pipe, is written to directly. Raises
    OSError, including NoExportError.
    """
    path = Path(os.path.realpath(path))
    _refuse_companions(path)
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        write_new(path, content)
        return
    if stat.S_ISREG(mode):
        _refuse_others(path, _encoded(content))
        replace_file(path, content)
    else:
        with open(path, "wb") as file:
            file.write(_encoded(content))


def _refuse_companions(path: Path) -> None:
    """Raise NoExportError if a database uses the name for one of its auxiliary files."""
    for ending in _COMPANIONS:
        database = path.name.removesuffix(ending)
        if database != path.name and database and path.with_name(database).exists():
            raise NoExportError(0, f"belongs to {database}, and is left to it")


def _refuse_others(path: Path, content: bytes) -> None:
    with open(path, "rb") as file:
        head = file.read(_HEAD_BYTES).removeprefix(_BYTE_ORDER_MARK)
    if not head or _EXPORT.match(head) or _heading(head) == _heading(content[:_HEAD_BYTES]):
        return
    raise NoExportError(0, "exists, is not a trailhound export, and is left unchanged")


def _heading(head: bytes) -> bytes:
    """Return the first line of a file; for a JSON object, only up to its first key."""
    line = head.partition(b"\n")[0].rstrip(b"\r")
    if line.startswith(b'{"'):
        return line.partition(b'":')[0]
    return line


@contextlib.contextmanager
def _beside(path: Path, content: str | bytes, durable: bool = True) -> Iterator[str]:
    """Write a temporary file next to ``path``; remove it unless it is renamed."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:200]}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(_encoded(content))
            if durable:
                file.flush()
                os.fsync(file.fileno())
        yield temporary
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def _encoded(content: str | bytes) -> bytes:
    return content.encode() if isinstance(content, str) else content
