"""How the app was left: which area, what each list was filtered and sorted by, what was marked, where the cursor was.

It is kept beside the state that it speaks of. A session that cannot be read is no reason not to hunt: it is left aside,
and that is said.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from tui.presentation.time_display import TimeMode
from tui.settings import private_files

SESSION_VERSION = 1
"""Changes when the same fields would mean something else."""


class ListState(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A list. Rows are named by their keys; ``order`` is the column that it is sorted by, "" for
    its usual order."""

    filter: str = ""
    order: str = ""
    reversed: bool = False
    hidden: bool = False
    unfolded: bool = False
    cursor: str | None = None
    marks: list[str] = []


class Session(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """``views`` by area. ``alert`` is the alert that was open, with the ``pane`` in front."""

    version: int = msgspec.field(default=0)
    area: str = "alerts"
    alert: str | None = None
    pane: str = "calls"
    times: TimeMode = "UTC"
    piped_to: str = ""
    views: dict[str, ListState] = {}


class SessionError(Exception):
    """The session cannot be used; one line says why."""


class SessionFile:
    """The session of the state at ``state``."""

    def __init__(self, state: Path) -> None:
        self.path = state.with_name(f"{state.name}.session")
        self._written: Session | None = None

    def read(self) -> Session:
        """The session; an empty one where none was kept yet. Raises SessionError."""
        try:
            found = msgspec.json.decode(self.path.read_bytes(), type=Session)
        except FileNotFoundError:
            return Session()
        except (OSError, ValueError) as error:
            raise SessionError(
                f"{self.path.name} cannot be read and is left aside: {error}"
            ) from None
        if found.version != SESSION_VERSION:
            raise SessionError(
                f"{self.path.name} is of another version of trailhound and is left aside"
            )
        return found

    def write(self, session: Session) -> None:
        """Keep it, if it is another than was written last. Raises OSError."""
        if session != self._written:
            private_files.replace_file(self.path, msgspec.json.encode(session).decode())
            self._written = session
