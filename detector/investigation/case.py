"""Hold what a case file of an alert contains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from detector.detection.alert import Alert
from detector.detection.event import Event
from detector.detection.principal import RelatedPrincipals
from detector.investigation.guide import Answer
from detector.investigation.pivot import Pivot, Row
from detector.rules.rule import Rule
from detector.store import HistoryEntry
from detector.triage.note import Note


class CaseError(Exception):
    """The case file was not written; one line says why and what to do."""


class Case(msgspec.Struct, frozen=True):
    """What a case file holds. ``rows`` are the pivot's events with the alert's own and its signals,
    in order of time.

    ``missing`` names the events whose records could not be read any more, and ``unread`` the files,
    each with why."""

    alert: Alert
    rule: Rule | None
    lineage: RelatedPrincipals
    answers: Sequence[Answer]
    signals: Mapping[str, Sequence[Event]]
    rows: Sequence[Row]
    notes: Sequence[Note]
    history: Sequence[HistoryEntry]
    pivot: Pivot
    missing: Sequence[tuple[Event, str]]
    unread: Sequence[str]
    made: float
    author: str
