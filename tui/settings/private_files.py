"""Files that only their owner can read."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_new(path: Path, text: str) -> None:
    """A new file; one that there is already is left as it is. Raises OSError, after which there is
    none."""
    made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(made, "w", encoding="utf-8", newline="") as file:
        try:
            file.write(text)
            file.flush()
        except (OSError, UnicodeError):
            path.unlink()
            raise


def replace_file(path: Path, text: str) -> None:
    """The file as it is from now on: whoever reads it, whenever this is interrupted, finds the old
    or the new one whole. Raises OSError, after which it is as it was."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(made, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
