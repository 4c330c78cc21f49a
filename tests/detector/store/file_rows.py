"""The rows of files in a state."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from detector.store import Store
from detector.store.files.file_edits import FileEdits
from detector.store.files.file_packs import all_files
from detector.store.files.stored_file import StoredFile


def rows_by_path(store: Store) -> dict[str, StoredFile]:
    return dict(all_files(store.database.rows))


def file_values(store: Store, *fields: str) -> list[tuple[Any, ...]]:
    """Return the path and some fields of each file, by path."""
    return [
        (path, *(getattr(row, field) for field in fields))
        for path, row in sorted(rows_by_path(store).items())
    ]


def change_files(store: Store, change: Callable[[StoredFile], None]) -> None:
    with store.database.transaction() as connection:
        edits = FileEdits(connection)
        for row in edits.where(lambda _: True):
            change(row)
        edits.write()
