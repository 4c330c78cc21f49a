"""Checks of the rows of a damaged state that SQLite returns as whole.

One wrong byte in a value is nothing to SQLite. A row that cannot be decoded would make the state
unreadable into which it is copied.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from detector.detection.alert import Status
from detector.triage.note import NoteBody, NoteContext
from detector.triage.suppression import Suppression
from detector.triage.watch import Watch

_DECODERS: dict[tuple[str, str], msgspec.json.Decoder[Any]] = {
    ("note", "context"): msgspec.json.Decoder(NoteContext),
    ("note_words", "words"): msgspec.json.Decoder(NoteBody | None),
    ("suppression", "body"): msgspec.json.Decoder(Suppression),
    ("watch", "body"): msgspec.json.Decoder(Watch),
}
_DECIDED = {
    "note": ("note_words", "words"),
    "suppression": ("suppression", "body"),
    "watch": ("watch", "body"),
}
"""The column that holds what a decision made of a thing, and its table."""


def can_be_decoded(table: str, row: Mapping[str, Any]) -> bool:
    """Return whether the values of a row are such as its table holds."""
    try:
        if table == "status":
            msgspec.convert(row.get("status"), Status)
        for name, value in row.items():
            column = (table, name)
            if table == "decided" and name in ("before", "after") and value is not None:
                column = _DECIDED.get(row.get("thing", ""), column)
            if column in _DECODERS:
                _DECODERS[column].decode(value)
    except (ValueError, TypeError, RecursionError):
        return False
    return True
