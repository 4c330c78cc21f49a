"""The state of a hunt: what was read, what was found, and what the analyst wrote.

No other package contains SQL.
"""

from __future__ import annotations

from detector.detection.log_integrity import IntegrityFinding
from detector.store.alert_table import LATENESS, AlertChanges
from detector.store.completeness import Feed, Freshness, Volume, reference_time
from detector.store.decisions.undo_journal import ALERT_KINDS, Decision, UndoResult
from detector.store.errors import Damaged, IngestHeld, ReadOnly, StateError
from detector.store.file_table import FileRead, FileRow, WaitingFile
from detector.store.history_table import HistoryEntry
from detector.store.quarantine import QuarantinedFile
from detector.store.recovery import SavedTable, find_damage, schema_versions
from detector.store.retention import RETENTION, VacuumResult
from detector.store.rule_table import RuleCount
from detector.store.schema import SQLITE
from detector.store.store import Store

__all__ = [
    "ALERT_KINDS",
    "LATENESS",
    "RETENTION",
    "SQLITE",
    "AlertChanges",
    "Damaged",
    "Decision",
    "Feed",
    "FileRead",
    "FileRow",
    "Freshness",
    "HistoryEntry",
    "IngestHeld",
    "IntegrityFinding",
    "QuarantinedFile",
    "ReadOnly",
    "RuleCount",
    "SavedTable",
    "StateError",
    "Store",
    "UndoResult",
    "VacuumResult",
    "Volume",
    "WaitingFile",
    "find_damage",
    "reference_time",
    "schema_versions",
]
