"""The lock file next to a state: only the process that holds it may ingest.

A link, or a file of another program, with the name of the lock file is left untouched.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from pathlib import Path

from detector.store.errors import StateError
from detector.text.late_pattern import late_pattern

_OURS = late_pattern(rb"trailhound \(process \d+\)")
_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_MAX_BYTES = 100


def take_lock(path: Path, cleanup: contextlib.ExitStack) -> str | None:
    """Take the lock of the state at ``path``, and return None; if it is taken, return its holder.

    ``cleanup`` releases the lock. Raises StateError.
    """
    lock_path = _lock_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock, is_new = _open(lock_path)
        cleanup.callback(os.close, lock)
        content = os.pread(lock, _MAX_BYTES, 0)
        if not is_new and not _is_ours(lock, content):
            raise StateError(
                f"{lock_path}: not a lock of trailhound, and left as it is: move it away, "
                "or name another database with --db FILE"
            )
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return _holder(lock)
        if content or is_new:
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"trailhound (process {os.getpid()})".encode(), 0)
    except OSError as error:
        raise StateError(
            f"{path}: {error.strerror}: name another database with --db FILE"
        ) from None
    return None


def find_holder(path: Path) -> str | None:
    """Return the process that holds the lock of a state; None if the lock is free."""
    try:
        lock = os.open(_lock_path(path), os.O_RDONLY | _FLAGS)
    except OSError:
        return None  # There is no lock file, or it is not one of trailhound.
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _holder(lock)
    except OSError:
        return None
    finally:
        os.close(lock)
    return None


def _lock_path(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _open(path: Path) -> tuple[int, bool]:
    """Open a lock file; return its descriptor and whether it is new. Raises OSError, StateError."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600), True
    except FileExistsError:
        pass
    if path.is_symlink() or not path.is_file():
        raise StateError(
            f"{path}: a link or folder, and left as it is: move it away, "
            "or name another database with --db FILE"
        )
    return os.open(path, os.O_RDWR | _FLAGS), False


def _is_ours(lock: int, content: bytes) -> bool:
    """Tell whether trailhound made a lock file; a new one is empty until its holder writes it."""
    status = os.fstat(lock)
    is_plain = stat.S_ISREG(status.st_mode) and status.st_nlink == 1
    return is_plain and (not content or _OURS.fullmatch(content) is not None)


def _holder(lock: int) -> str:
    return os.pread(lock, _MAX_BYTES, 0).decode(errors="replace").strip() or "another trailhound"
