"""Damage to a state's file, as a failing disk does it."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from pathlib import Path

_PAGE = 4096


def damage(path: Path, chance: random.Random) -> None:
    """Some bytes, or a page, become what was never written. The first page stays: without it it is
    no state."""
    page = chance.randrange(1, path.stat().st_size // _PAGE)
    size = chance.choice([64, _PAGE])
    _overwrite(
        path, page * _PAGE + (chance.randrange(_PAGE - 64) if size < _PAGE else 0), size, chance
    )


def damage_table(path: Path, table: str) -> None:
    """The page that a table begins with."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        (root,) = db.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)
        ).fetchone()
    _overwrite(path, (root - 1) * _PAGE, _PAGE)


def damage_pages_of(path: Path, text: bytes) -> None:
    """Every page that holds ``text``."""
    content = path.read_bytes()
    for page in range(0, len(content), _PAGE):
        if text in content[page : page + _PAGE]:
            _overwrite(path, page, _PAGE)


def _overwrite(path: Path, start: int, size: int, chance: random.Random | None = None) -> None:
    content = bytearray(path.read_bytes())
    content[start : start + size] = (chance or random.Random(1)).randbytes(size)
    path.write_bytes(content)
