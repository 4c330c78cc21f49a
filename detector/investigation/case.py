"""The contents of an alert's case file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from detector.detection.alert import Alert
from detector.detection.event import Event
from detector.detection.principal import RelatedPrincipals
from detector.investigation.guide import Answer
from detector.investigation.pivot import EventRow, Pivot
from detector.investigation.source_hashes import SourceHash
from detector.rules.rule import Rule
from detector.store import HistoryEntry
from detector.triage.note import Note
from detector.triage.watch import WatchRow


class CaseError(Exception):
    """A case file could not be written; the message is one line."""


class Case(msgspec.Struct, frozen=True):
    """The contents of a case file.

    ``addresses`` are the alert's source addresses, with their locations where known. ``rows`` are
    the events of the pivot, of the alert and of its signals, by time. ``missing`` lists the events
    whose records could not be read again, each with the reason; ``unread`` names the files that
    failed, each with the reason."""

    alert: Alert
    rule: Rule | None
    addresses: Sequence[str]
    lineage: RelatedPrincipals
    answers: Sequence[Answer]
    signals: Mapping[str, Sequence[Event]]
    rows: Sequence[EventRow]
    notes: Sequence[Note]
    history: Sequence[HistoryEntry]
    pivot: Pivot
    missing: Sequence[tuple[Event, str]]
    unread: Sequence[str]
    made: float
    author: str
    related: Sequence[Alert] = ()
    """Other alerts of the same principals and access keys."""
    sources: Sequence[SourceHash] = ()
    """The log files that contain the records."""
    watches: Sequence[WatchRow] = ()
    """The watches, including lifted ones."""
