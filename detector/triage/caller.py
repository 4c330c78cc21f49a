"""A caller that an analyst decides on without an alert."""

from __future__ import annotations

import msgspec

from detector.triage.note import NoteContext
from detector.triage.suppression import Scope


class Caller(msgspec.Struct, frozen=True):
    """Who called: what a note on it keeps, and the values by which its alerts can be hidden."""

    context: NoteContext
    scopes: dict[Scope, str]
