"""The form being filled in, kept next to the state file until the form is saved or discarded.

Typed text survives the loss of the terminal or the process.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from detector.text import private_files
from detector.triage.caller import Caller
from detector.triage.hunt_record import HuntQuery
from detector.triage.note import NoteBody


class FormDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The contents of a form: a note, a suppression, a hunt or a query.

    A note or suppression is on alerts or callers; an edited note has a ``note_id``.
    ``suppression`` has the fields of its form by id, or None for a note. ``process`` is the id of
    the app's process in which the form is open.
    """

    alert_ids: list[str]
    note_id: int | None = None
    body: NoteBody = NoteBody()
    process: int = msgspec.field(default_factory=os.getpid)
    suppression: dict[str, str] | None = None
    callers: list[Caller] = []
    hunt_id: str = ""
    hunt: dict[str, str] | None = None
    """The texts, by field, of the hunt ``hunt_id``, or of a new hunt if that is empty."""
    query: HuntQuery | None = None
    """A query of the hunt ``hunt_id``."""


class FormDraftFile:
    """The draft file next to the state file ``state``."""

    def __init__(self, state: Path) -> None:
        self.path = state.with_name(f"{state.name}.draft")

    def read(self) -> FormDraft | None:
        """Read the draft that was left; None if there is none or a running app is writing it."""
        try:
            draft = msgspec.json.decode(self.path.read_bytes(), type=FormDraft)
        except (OSError, ValueError):
            return None
        return None if _is_another_app(draft.process) else draft

    def keep(self, draft: FormDraft) -> None:
        """Write the text typed so far. Raises OSError."""
        private_files.replace_file(self.path, msgspec.json.encode(draft), durable=False)

    def remove(self) -> None:
        """Remove the draft: the form was saved or discarded."""
        self.path.unlink(missing_ok=True)


def _is_another_app(process: int) -> bool:
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
