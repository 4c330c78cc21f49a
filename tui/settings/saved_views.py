"""Filters under names: those that come with trailhound, and those that the analyst saved.

The latter are in ``views.json`` in the configuration folder, readable only by its owner. A filter that begins with
``@name`` has that view's filter in place of it.
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
from detector.text.suggest import nearest
from tui.settings import config, private_files


class SavedView(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """``rows`` are the kind of rows that it is for, as ``Fields`` names them; ``order`` the column
    that they are sorted by, "" for any."""

    name: str
    rows: str
    filter: str
    order: str = ""
    reversed: bool = False


BUILTIN = (
    SavedView("serious", "alerts", "severity>=high"),
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

_NAME = re.compile(r"[\w-]{1,40}")
_REFERRED = re.compile(r"\s*@([\w-]+)(?:\s+(.*))?", re.DOTALL)


class ViewError(Exception):
    """The saved views cannot be read or written, or not so: one line says what to do."""


def views_path() -> Path:
    return config.config_path().with_name("views.json")


def read_saved() -> list[SavedView]:
    """Those that the analyst saved. Raises ViewError."""
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
    """All for such rows, the analyst's own first. Raises ViewError."""
    return [view for view in (*read_saved(), *BUILTIN) if view.rows == rows]


def save(view: SavedView) -> None:
    """Keep it. Raises ViewError; for a name that there is already too, so that none is lost."""
    if not _NAME.fullmatch(view.name):
        raise ViewError("a view is called by letters, digits, _ and -, so that @name stands for it")
    with _changing() as kept:
        if any(view.name == known.name and view.rows == known.rows for known in (*kept, *BUILTIN)):
            raise ViewError(
                f"there is a view {view.name} already: delete it first, or choose another name"
            )
        kept.append(view)


def delete(view: SavedView) -> None:
    """Keep it no longer. Raises ViewError; for one that comes with trailhound too."""
    if view in BUILTIN:
        raise ViewError(f"{view.name} comes with trailhound and stays")
    with _changing() as kept:
        kept[:] = [known for known in kept if known != view]


def complete_reference(beginning: str, rows: str) -> tuple[str, ...]:
    """How ``@`` and the beginning of a name may go on; nothing where that is not what ``beginning``
    is."""
    if not beginning.startswith("@"):
        return ()
    with contextlib.suppress(ViewError):
        return tuple(
            name for view in views_for(rows) if (name := f"@{view.name}").startswith(beginning)
        )
    return ()


def expand_reference(text: str, rows: str) -> str:
    """``text``, with the filter of the view that it begins with in place of its ``@name``. Raises
    FilterError."""
    if not (found := _REFERRED.fullmatch(text)):
        return text
    name, rest = found.groups()
    try:
        known = {view.name: view.filter for view in reversed(views_for(rows))}
    except ViewError as error:
        raise FilterError(str(error)) from None
    if name not in known:
        raise FilterError(
            f"no view @{name} of {rows}{nearest(name, known) or '; quote it to look for the text'}"
        )
    return f"({known[name]}) {rest}" if rest else known[name]


@contextlib.contextmanager
def _changing() -> Iterator[list[SavedView]]:
    """The saved views, to be changed while nobody else does; written if nothing is raised."""
    folder = views_path().parent
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            kept = read_saved()
            yield kept
            private_files.replace_file(
                views_path(),
                msgspec.json.format(msgspec.json.encode(kept), indent=2).decode() + "\n",
            )
        finally:
            os.close(held)
    except OSError as error:
        raise ViewError(
            f"{error.filename or views_path()}: {error.strerror}: nothing was changed"
        ) from None
