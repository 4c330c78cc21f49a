"""The state: what was read, what was found, what the analyst wrote. The only package that knows SQL."""

from __future__ import annotations

import contextlib
from pathlib import Path

from detector.detection.log_integrity import IntegrityFinding
from detector.store.alert_table import LATENESS, Changes
from detector.store.completeness import Feed, Freshness, Quarantined, Volume, judged_at
from detector.store.context_table import Correlated
from detector.store.errors import Damaged, ReadOnly, StateError
from detector.store.file_table import FileRead, FileRow
from detector.store.ingest import Ingest
from detector.store.integrity_alerts import Findings
from detector.store.recovery import Rescue, Saved, damages, schema_of
from detector.store.retention import RETENTION, Compacted, Retention
from detector.store.rule_table import ByRule, RuleCount
from detector.store.schema import SQLITE
from detector.store.triage_table import HistoryEntry, Triage
from detector.store.undo_journal import Decision, Turned

__all__ = [
    "LATENESS",
    "RETENTION",
    "SQLITE",
    "Changes",
    "Compacted",
    "Damaged",
    "Decision",
    "Feed",
    "FileRead",
    "FileRow",
    "Freshness",
    "HistoryEntry",
    "IntegrityFinding",
    "Quarantined",
    "ReadOnly",
    "RuleCount",
    "Saved",
    "StateError",
    "Store",
    "Turned",
    "Volume",
    "damages",
    "judged_at",
    "schema_of",
]


class Store(Ingest, Correlated, Findings, Triage, ByRule, Rescue, Retention):
    """One state file, or a temporary one. Safe to use from several threads of one process."""

    def _open(self, path: Path | None, closing: contextlib.ExitStack) -> None:
        super()._open(path, closing)
        if not self.read_only:
            self.notice_expiry()
