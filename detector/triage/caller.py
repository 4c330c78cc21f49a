"""A caller about whom an analyst decides without an alert."""

from __future__ import annotations

import msgspec

from detector.triage.note import NoteContext
from detector.triage.suppression import Scope


class Caller(msgspec.Struct, frozen=True):
    """The caller's context for a note, and the scope values that can suppress its alerts."""

    context: NoteContext
    scopes: dict[Scope, str]
