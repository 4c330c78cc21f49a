"""The session, the state in which the app was left: area, filters, order, marks, cursor.

The session file is next to its state file. A session file that cannot be read does not prevent the
app from opening: it is ignored, and the analyst is told.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from detector.text import private_files
from tui.presentation.time_display import TimeMode
from tui.settings.form_draft import FormDraftFile

SESSION_VERSION = 1
"""Changes whenever the meaning of existing fields changes."""


class ListState(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The state in which a list was left.

    Rows are identified by their keys. ``order`` is the column to sort by, "" for the default.
    ``columns`` are the chosen columns, empty for the default ones.
    """

    filter: str = ""
    order: str = ""
    reversed: bool = False
    hidden: bool = False
    unfolded: bool = False
    cursor: str | None = None
    marks: list[str] = []
    columns: list[str] = []


class Session(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The state in which the app was left.

    ``views`` has the lists' states by area; ``alert`` is the id of the alert that was open, and
    ``pane`` the pane shown on it.
    """

    version: int = msgspec.field(default=0)
    area: str = "alerts"
    alert: str | None = None
    pane: str = "calls"
    times: TimeMode = "UTC"
    piped_to: str = ""
    views: dict[str, ListState] = {}


class SessionError(Exception):
    """The session cannot be used; the message says why in one line."""


class SessionFile:
    """The session file next to the state file ``state``."""

    def __init__(self, state: Path) -> None:
        self.path = state.with_name(f"{state.name}.session")
        self.draft = FormDraftFile(state)
        self._written: Session | None = None

    def read(self) -> Session:
        """Read the session; return an empty one if there is no file. Raises SessionError."""
        try:
            session = msgspec.json.decode(self.path.read_bytes(), type=Session)
        except FileNotFoundError:
            return Session()
        except (OSError, ValueError) as error:
            raise SessionError(f"{self.path.name} cannot be read and is ignored: {error}") from None
        if session.version != SESSION_VERSION:
            raise SessionError(
                f"{self.path.name} is from another version of trailhound and is ignored"
            )
        return session

    def write(self, session: Session) -> None:
        """Write the session if it has changed. Raises OSError."""
        if session != self._written:
            private_files.replace_file(self.path, msgspec.json.encode(session).decode())
            self._written = session
