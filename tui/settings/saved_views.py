"""Named filters, built in or saved by the analyst.

Saved views are in ``views.json`` in the configuration folder, readable only by its owner. A leading
``@name`` in a filter stands for the filter of that view.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from detector.filter import FilterError
from detector.text import private_files
from detector.text.late_pattern import late_pattern
from detector.text.suggest import nearest
from tui.settings import config


class SavedView(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A named filter.

    ``rows`` is the kind of rows that the filter applies to, as ``Fields`` names them. ``order`` is
    the column to sort by; "" keeps any order.
    """

    name: str
    rows: str
    filter: str
    order: str = ""
    reversed: bool = False


BUILTIN = (
    SavedView("serious", "alerts", "severity>=high"),
    SavedView("mine", "alerts", "assignee:me"),
    SavedView("others", "alerts", '-assignee:me,""'),
    SavedView("unassigned", "alerts", 'assignee:""'),
    SavedView("new", "alerts", "flag:first-seen-principal status:open"),
    SavedView("broke-through", "alerts", "broke:*"),
    SavedView("suppressed", "alerts", "suppressed:yes"),
    SavedView("failed", "events", "-outcome=ok"),
    SavedView("flagged", "events", "flag:*"),
    SavedView("escalated", "notes", "verdict:escalated"),
    SavedView("ending", "suppressions", 'ends:now..now+2d lifted:""'),
    SavedView("off", "rules", "state:off,error"),
    SavedView("quarantine", "sources", "kind=file"),
)

_NAME = late_pattern(r"[\w-]{1,40}")
_REFERENCE = late_pattern(r"\s*@([\w-]+)(?:\s+(.*))?", re.DOTALL)


class ViewError(Exception):
    """The saved views cannot be read or changed."""


def views_path() -> Path:
    return config.config_path().with_name("views.json")


def read_saved() -> list[SavedView]:
    """Read the views that the analyst saved. Raises ViewError."""
    try:
        return msgspec.json.decode(views_path().read_bytes(), type=list[SavedView])
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ViewError(
            f"{views_path()}: {error.strerror}: make it readable or move it away"
        ) from None
    except ValueError as error:
        raise ViewError(f"{views_path()}: {error}: correct the file or move it away") from None


def views_for(rows: str) -> list[SavedView]:
    """List all views for a kind of rows, the analyst's own first. Raises ViewError."""
    return [view for view in (*read_saved(), *BUILTIN) if view.rows == rows]


def save(view: SavedView) -> None:
    """Save a view under a new name. Raises ViewError.

    An existing name is an error too, so that no view is overwritten.
    """
    if not _NAME.fullmatch(view.name):
        raise ViewError("view names may contain letters, digits, _ and - (used as @name)")
    with _edit_saved() as saved:
        names = {(other.name, other.rows) for other in (*saved, *BUILTIN)}
        if (view.name, view.rows) in names:
            raise ViewError(
                f"a view {view.name} exists already: delete it first or choose another name"
            )
        saved.append(view)


def delete(view: SavedView) -> None:
    """Delete a saved view. Raises ViewError, also for a built-in one."""
    if view in BUILTIN:
        raise ViewError(f"{view.name} is built in and cannot be deleted")
    with _edit_saved() as saved:
        saved[:] = [other for other in saved if other != view]


def complete_reference(prefix: str, rows: str) -> tuple[str, ...]:
    """List the references ``@name`` that begin with a prefix."""
    if not prefix.startswith("@"):
        return ()
    try:
        references = [f"@{view.name}" for view in views_for(rows)]
    except ViewError:
        return ()
    return tuple(reference for reference in references if reference.startswith(prefix))


def expand_reference(text: str, rows: str) -> str:
    """Replace a leading ``@name`` by the filter of that view. Raises FilterError."""
    match = _REFERENCE.fullmatch(text)
    if not match:
        return text
    name, rest = match.groups()
    try:
        # reversed: of two views with the same name, the analyst's own is inserted last and wins
        filters = {view.name: view.filter for view in reversed(views_for(rows))}
    except ViewError as error:
        raise FilterError(str(error)) from None
    if name not in filters:
        advice = nearest(name, filters) or "; quote it to search for the text"
        raise FilterError(f"no view @{name} of {rows}{advice}")
    return f"({filters[name]}) {rest}" if rest else filters[name]


@contextlib.contextmanager
def _edit_saved() -> Iterator[list[SavedView]]:
    """Lock the saved views, and write them if the block succeeds."""
    folder = views_path().parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            saved = read_saved()
            yield saved
            encoded = msgspec.json.format(msgspec.json.encode(saved), indent=2)
            private_files.replace_file(views_path(), encoded.decode() + "\n")
        finally:
            os.close(lock)
    except OSError as error:
        raise ViewError(
            f"{error.filename or views_path()}: {error.strerror}: nothing was changed"
        ) from None
