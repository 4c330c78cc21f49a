"""Damage to a state's file, as a failing disk does it."""

from __future__ import annotations

import contextlib
import random
import sqlite3
from pathlib import Path

from detector.store.opening.connections import PAGE_SIZE


def damage(path: Path, chance: random.Random) -> None:
    """Some bytes, or a page, become what was never written. The first page stays: without it it is
    no state."""
    page = chance.randrange(1, path.stat().st_size // PAGE_SIZE)
    size = chance.choice([64, PAGE_SIZE])
    _overwrite(
        path,
        page * PAGE_SIZE + (chance.randrange(PAGE_SIZE - 64) if size < PAGE_SIZE else 0),
        size,
        chance,
    )


def damage_table(path: Path, table: str) -> None:
    """The page that a table begins with."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        (root,) = db.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)
        ).fetchone()
    _overwrite(path, (root - 1) * PAGE_SIZE, PAGE_SIZE)


def damage_pages_of(path: Path, text: bytes) -> None:
    """Every page that holds ``text``."""
    content = path.read_bytes()
    for page in range(0, len(content), PAGE_SIZE):
        if text in content[page : page + PAGE_SIZE]:
            _overwrite(path, page, PAGE_SIZE)


def _overwrite(path: Path, start: int, size: int, chance: random.Random | None = None) -> None:
    content = bytearray(path.read_bytes())
    content[start : start + size] = (chance or random.Random(1)).randbytes(size)
    path.write_bytes(content)
