"""The state: what was read, what was found, what the analyst wrote. The only package that knows SQL."""

from __future__ import annotations

import contextlib
from pathlib import Path

from detector.integrity import Finding
from detector.store.alerts import LATENESS, Changes
from detector.store.by_rule import ByRule, RuleCount
from detector.store.completeness import Feed, Freshness, Quarantined, Volume, judged_at
from detector.store.correlated import Correlated
from detector.store.faults import Damaged, ReadOnly, StateError
from detector.store.files import FileRead, FileRow
from detector.store.findings import Findings
from detector.store.ingest import Ingest
from detector.store.journal import Decision, Turned
from detector.store.rescue import Rescue, Saved, damages, schema_of
from detector.store.retention import RETENTION, Compacted, Retention
from detector.store.schema import SQLITE
from detector.store.triage import HistoryEntry, Triage

__all__ = ["LATENESS", "RETENTION", "SQLITE", "Changes", "Compacted", "Damaged", "Decision", "Feed", "FileRead",
           "FileRow", "Finding", "Freshness", "HistoryEntry", "Quarantined", "ReadOnly", "RuleCount", "Saved",
           "StateError", "Store", "Turned", "Volume", "damages", "judged_at", "schema_of"]


class Store(Ingest, Correlated, Findings, Triage, ByRule, Rescue, Retention):
    """One state file, or a temporary one. Safe to use from several threads of one process."""

    def _open(self, path: Path | None, closing: contextlib.ExitStack) -> None:
        super()._open(path, closing)
        if not self.read_only:
            self.notice_expiry()
