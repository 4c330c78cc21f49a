"""Each part of the store, alone over a database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from detector.detection.baseline import ObservationSpans
from detector.detection.digest import Partial
from detector.detection.risk import load_risk_table
from detector.sources.source import SourceFile
from detector.store import FileRead, FileRow, QuarantinedFile, Store
from detector.store.alert_table import AlertChanges, AlertTable
from detector.store.baseline_table import BaselineTable
from detector.store.chunk_table import ChunkTable
from detector.store.completeness import Completeness
from detector.store.context_table import ContextTable
from detector.store.database import Database
from detector.store.decisions.triage_table import TriageTable
from detector.store.decisions.undo_journal import Change, UndoJournal
from detector.store.derivation.alert_derivation import AlertDerivation
from detector.store.event_table import EventTable
from detector.store.file_table import FileTable
from detector.store.files.file_edits import FileEdits
from detector.store.history_table import HistoryTable
from detector.store.integrity_alerts import IntegrityAlerts
from detector.store.quarantine import Quarantine
from detector.store.recovery import ANALYST_TABLES, Recovery
from detector.store.retention import RETENTION, Retention
from detector.store.rule_table import RuleCount, RuleTable
from detector.store.segments.segment_table import SegmentTable
from detector.store.signals.signal_table import SignalTable
from detector.store.suppression_table import SuppressionTable
from detector.store.window_table import WindowTable
from detector.triage.note import NoteBody
from tests.detector.alerts import changed_alert
from tests.detector.trail import ACCOUNT, ANA, REFERENCE, START, rules, scan, sweep, write

BROKEN = FileRow(
    SourceFile("/logs/cut.json", 1, 2, 30, 4), "quarantined", "malformed", "line 1: cut short"
)


@pytest.fixture
def database() -> Iterator[Database]:
    """An empty state."""
    with closing(Database.open(None, lambda: START)) as database:
        yield database


@pytest.fixture
def scanned(tmp_path: Path) -> Iterator[Database]:
    """A state with one alert, of ten events."""
    write(tmp_path, "a.json", sweep(10))
    with closing(Store.open(None, lambda: START)) as store:
        scan(tmp_path, store=store)
        yield store.database


def journal_of(database: Database) -> UndoJournal:
    return UndoJournal(database, HistoryTable(database))


def suppressions_of(database: Database) -> SuppressionTable:
    return SuppressionTable(database, HistoryTable(database))


def alerts_of(database: Database) -> AlertTable:
    return AlertTable(database, windows_of(database), suppressions_of(database))


def windows_of(database: Database) -> WindowTable:
    return WindowTable(database, SegmentTable(database))


def files_of(database: Database) -> FileTable:
    return FileTable(database, SegmentTable(database))


def put_file(database: Database, row: FileRow) -> None:
    with database.transaction() as connection:
        edits = FileEdits(connection)
        files_of(database).put(connection, edits, [FileRead(row, Partial())])
        edits.write()


def test_history_is_kept_by_subject(database: Database) -> None:
    history = HistoryTable(database)
    with database.transaction() as connection:
        history.add(connection, "mine", "rule off")
        history.add(connection, "other", "rule on", "again")
    [entry] = history.entries("mine")
    assert (entry.time, entry.kind, entry.detail) == (START, "rule off", "")


def test_journal_undoes_and_redoes_a_decision(database: Database) -> None:
    journal, rule_table = journal_of(database), RuleTable(database, journal_of(database))
    with database.transaction() as connection:
        journal.decide(connection, "rule off", [Change("rule", "mine", "off", "Mine")])
    assert rule_table.disabled() == {"mine"}
    with database.transaction() as connection:
        undone = journal.undo(connection)
    assert undone is not None
    assert (undone.decision.subject_name, undone.subjects) == ("Mine", ["mine"])
    assert rule_table.disabled() == frozenset()
    with database.transaction() as connection:
        assert journal.redo(connection) is not None
        assert journal.redo(connection) is None
    assert rule_table.disabled() == {"mine"}


def test_files_are_returned_as_they_were_put(database: Database) -> None:
    files = files_of(database)
    generation = files.generation()
    put_file(database, BROKEN)
    assert files.all() == [BROKEN]
    assert files.accounting().files_quarantined == {"malformed": 1}
    assert (files.read_to_end(), files.newest_event_time()) == ({}, None)
    assert files.generation() == generation


def test_chunks_are_found_by_time(scanned: Database) -> None:
    chunks = ChunkTable(scanned)
    [chunk] = chunks.between(START, START + 1)
    assert (chunk.first, chunk.last) == (START, START)
    assert list(chunks.between(START + 1, START + 2)) == []
    assert [span.path for span in chunks.file_spans(START, START + 1)] == [chunk.path]


def test_windows_hold_the_events_of_a_series(scanned: Database) -> None:
    windows = windows_of(scanned)
    [alert] = alerts_of(scanned).all()
    [window] = windows.of_alerts(scanned.rows, [alert.alert_id])
    assert len(windows.events(window)) == 10
    later = window._replace(start=START + 1, until=START + 2)
    assert windows.events(later) == []


def test_baseline_keeps_the_first_observation_of_a_region(database: Database) -> None:
    baseline = BaselineTable(database)
    with database.transaction() as connection:
        for time in (START + 5, START, START + 9):
            spans: ObservationSpans = {("region", ACCOUNT, "eu-west-1"): (time, time)}
            baseline.extend(connection, spans)
    [history] = baseline.footprint([ACCOUNT]).values()
    assert (history.seen, history.changed) == (START, None)


def test_rules_are_counted_and_switched(scanned: Database) -> None:
    rule_table = RuleTable(scanned, journal_of(scanned))
    assert rule_table.counts() == {REFERENCE: RuleCount(hits=10, alerts=1)}
    rule_table.switch([REFERENCE], on=False)
    assert rule_table.disabled() == {REFERENCE}


def test_rules_of_the_last_search_are_compared(scanned: Database) -> None:
    rule_table = RuleTable(scanned, journal_of(scanned))
    with scanned.transaction() as connection:
        same = rule_table.compare(connection, rules())
        sliding = rule_table.compare(connection, rules("sliding"))
    assert (same.new, same.recut, same.any_removed) == ([], [], False)
    assert [rule.rule_id for rule in sliding.recut] == [REFERENCE]


def test_alerts_are_returned_by_id(scanned: Database) -> None:
    alerts = alerts_of(scanned)
    [alert] = alerts.all()
    assert alerts.get(alert.alert_id) == alert
    assert alerts.get("no such alert") is None
    assert list(alerts.batches()) == [[alert]]
    assert len(alerts.events(alert.alert_id)) == 10
    assert alerts.lineage(alert.alert_id).own.arns == [ANA]


def test_derivation_changes_nothing_where_no_window_has_changed(scanned: Database) -> None:
    rule_table = RuleTable(scanned, journal_of(scanned))
    rule_table.in_use = {rule.rule_id: rule for rule in rules()}
    segments = SegmentTable(scanned)
    windows = WindowTable(scanned, segments)
    derivation = AlertDerivation(
        scanned,
        HistoryTable(scanned),
        rule_table,
        segments,
        windows,
        Retention(scanned, segments),
        alerts_of(scanned),
        suppressions_of(scanned),
    )
    with scanned.transaction() as connection:
        windows.mark_rule(connection, REFERENCE)
    assert scanned.value("SELECT max(fresh) FROM segment") == 1
    assert derivation.derive() == AlertChanges()
    assert scanned.value("SELECT max(fresh) FROM segment") == 0


def test_context_is_complete_after_a_scan(scanned: Database) -> None:
    events = EventTable(scanned, SegmentTable(scanned))
    context = ContextTable(
        scanned,
        RuleTable(scanned, journal_of(scanned)),
        events,
        SignalTable(scanned, events),
        windows_of(scanned),
        alerts_of(scanned),
        suppressions_of(scanned),
    )
    [alert] = alerts_of(scanned).all()
    sequence, searches = context.pending_searches(0)
    assert (sequence, searches) == (1, [])
    assert context.refresh(load_risk_table()) == AlertChanges()
    assert (context.signals(alert.alert_id), len(context.nearby_events(alert.alert_id, 0))) == (
        {},
        10,
    )


def test_triage_writes_status_and_notes(scanned: Database) -> None:
    triage = TriageTable(scanned, journal_of(scanned), alerts_of(scanned), suppressions_of(scanned))
    [alert] = alerts_of(scanned).all()
    [closed] = triage.set_status([alert.alert_id], "closed")
    [note] = triage.add_notes([closed], NoteBody("seen"))
    [noted] = alerts_of(scanned).all()
    assert changed_alert(noted, handling=closed.handling) == closed
    assert triage.notes() == triage.notes_of(alert.alert_id) == [note]
    assert triage.edit_note(note.note_id, NoteBody("seen twice")).history[0].body == note.body


def test_suppressions_of_an_empty_state_are_none(database: Database) -> None:
    suppressions = suppressions_of(database)
    suppressions.record_expired()
    assert (suppressions.all(), suppressions.active(), suppressions.get([])) == ([], [], [])


def test_quarantine_releases_a_file(database: Database) -> None:
    put_file(database, BROKEN)
    quarantine = Quarantine(database, journal_of(database))
    assert quarantine.files() == [
        QuarantinedFile(BROKEN.path, "malformed", "line 1: cut short", 30)
    ]
    quarantine.ignore([BROKEN.path])
    assert quarantine.files() == []
    assert files_of(database).accounting().files_skipped == {"ignored": 1}


def test_completeness_without_digests_finds_nothing(scanned: Database) -> None:
    completeness = Completeness(scanned)
    assert not completeness.has_digests()
    assert completeness.findings(final=True) == []
    [volume] = completeness.volumes()
    assert (volume.files, volume.records) == (1, 10)


def test_integrity_alerts_follow_from_findings(scanned: Database) -> None:
    integrity_alerts = IntegrityAlerts(
        scanned,
        HistoryTable(scanned),
        Completeness(scanned),
        alerts_of(scanned),
        suppressions_of(scanned),
    )
    assert integrity_alerts.update(final=True) == AlertChanges()


def test_retention_keeps_what_is_new(scanned: Database) -> None:
    retention = Retention(scanned, SegmentTable(scanned))
    assert retention.evict(RETENTION) == (0, 0)
    result = retention.vacuum(RETENTION)
    assert (result.hits, result.events) == (0, 0)


def test_recovery_copies_the_tables_of_the_analyst(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with closing(Database.open(path, lambda: START)) as old:
        RuleTable(old, journal_of(old)).switch(["mine"], on=False)
    saved = Recovery(database).save(path)
    assert tuple(table.table for table in saved) == ANALYST_TABLES
    assert {table.table: table.rows for table in saved if table.rows} == {
        "rule_off": 1,
        "history": 1,
        "decision": 1,
        "decided": 1,
    }
    assert all(table.whole for table in saved)
    assert RuleTable(database, journal_of(database)).disabled() == {"mine"}
