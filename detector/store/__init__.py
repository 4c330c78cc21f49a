"""The state: what was read, what was found, what the analyst wrote. The only package that knows SQL."""

from __future__ import annotations

from detector.store.alerts import LATENESS, Changes
from detector.store.ingest import FileRead, FileRow, Ingest
from detector.store.state import ReadOnly, StateError
from detector.store.triage import HistoryEntry, Triage

__all__ = ["LATENESS", "Changes", "FileRead", "FileRow", "HistoryEntry", "ReadOnly", "StateError", "Store"]


class Store(Ingest, Triage):
    """One state file, or a temporary one. Safe to use from several threads of one process."""
