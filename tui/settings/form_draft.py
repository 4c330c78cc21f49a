"""The form that is being filled in, kept beside the state until it is saved or discarded.

A terminal or a process that goes away takes nothing along that was typed.
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
    """What was typed: a note on alerts, on callers or the note ``note_id``, a suppression of them,
    a hunt, a query.

    ``suppression`` has the fields of its form by id, None for a note. ``process`` is the app in
    which it is written.
    """

    alert_ids: list[str]
    note_id: int | None = None
    body: NoteBody = NoteBody()
    process: int = msgspec.field(default_factory=os.getpid)
    suppression: dict[str, str] | None = None
    callers: list[Caller] = []
    hunt_id: str = ""
    hunt: dict[str, str] | None = None
    """The texts of a hunt, by field: of ``hunt_id``, or of a new one."""
    query: HuntQuery | None = None
    """A query of ``hunt_id``."""


class FormDraftFile:
    """The draft beside the state at ``state``."""

    def __init__(self, state: Path) -> None:
        self.path = state.with_name(f"{state.name}.draft")

    def read(self) -> FormDraft | None:
        """Read a draft that was left; None without one, or while another app writes it."""
        try:
            draft = msgspec.json.decode(self.path.read_bytes(), type=FormDraft)
        except (OSError, ValueError):
            return None
        return None if _is_another_app(draft.process) else draft

    def keep(self, draft: FormDraft) -> None:
        """Write what was typed so far. Raises OSError."""
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
