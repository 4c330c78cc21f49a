"""States that fail: full disk, locked, read-only, newer or damaged.

One line says what to do, and nothing that was there is lost.
"""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from detector.store import Damaged, StateError, Store, find_damage
from detector.triage.note import NoteBody
from detector.triage.suppression import Suppression
from tests.detector.damage import damage, damage_pages_of, damage_table
from tests.detector.trail import outcome, scan, sweep, write


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state with an alert, a note on it, and a suppression."""
    path = tmp_path / "hunt.db"
    write(tmp_path / "logs", "a.json", sweep(10))
    store = Store.open(path)
    (alert,) = scan(tmp_path / "logs", store=store).alerts
    store.triage.add_notes([alert], NoteBody("seen", "benign", "T-1"))
    store.triage.suppress([Suppression("principal", alert.principal, None, 0, 9e9, "T-1", "", "")])
    store.close()
    return path


@pytest.fixture
def store(state: Path) -> Iterator[Store]:
    store = Store.open(state)
    yield store
    store.close()


def raises_line(action: Callable[[], object], *words: str) -> None:
    """Assert that an action raises a StateError line with these words."""
    with pytest.raises(StateError) as error:
        action()
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def writes(store: Store) -> list[Callable[[], object]]:
    (alert,) = store.alerts.all()
    (note,), (suppression,) = store.triage.notes(), store.suppressions.all()
    return [
        lambda: store.triage.set_status([alert.alert_id], "closed"),
        lambda: store.triage.add_notes([alert], NoteBody("x" * 9000)),
        lambda: store.triage.edit_note(note.note_id, NoteBody("y" * 9000)),
        lambda: store.triage.lift([suppression.suppression_id]),
        lambda: store.rules.switch(["a" * 9000], on=False),
    ]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_full_disk_is_reported_and_loses_nothing(store: Store, tmp_path: Path) -> None:
    assert store.database._writer is not None
    before = outcome(store), store.triage.notes(), store.suppressions.all()
    for number in range(60):
        write(tmp_path / "logs", f"b{number}.json", sweep(10, 60 * number + 60))
    store.database._writer.execute("VACUUM")
    (pages,) = store.database._writer.execute("PRAGMA page_count").fetchone()
    store.database._writer.execute(f"PRAGMA max_page_count = {pages}")
    raises_line(
        lambda: scan(tmp_path / "logs", store=store),
        "disk is full",
        "nothing was written",
        "free some space",
    )
    for write_it in writes(store)[1:3]:
        raises_line(write_it, "disk is full", "nothing was written")
    assert (outcome(store), store.triage.notes(), store.suppressions.all()) == before
    store.database._writer.execute("PRAGMA max_page_count = 1000000")  # there is space again
    run, undisturbed = scan(tmp_path / "logs", store=store), scan(tmp_path / "logs")
    assert (len(run.alerts), run.accounting) == (61, undisturbed.accounting)
    assert [alert.alert_id for alert in run.alerts] == [
        alert.alert_id for alert in undisturbed.alerts
    ]
    assert store.triage.add_notes([run.alerts[0]], NoteBody("x" * 9000))[0].body.text == "x" * 9000


LIMITED = """
import resource, signal, sys
from pathlib import Path
from detector.store import Store, StateError
from tests.detector.damage import damage, damage_pages_of, damage_table
from tests.detector.trail import scan
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
store = Store.open(path)
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, resource.RLIM_INFINITY))
try:
    scan(Path(sys.argv[2]), store=store)
except StateError as error:
    print(error)
store.close()
"""


def test_file_size_limit_is_reported(state: Path, tmp_path: Path) -> None:
    """A quota that the system enforces: what was committed stays."""
    for number in range(200):
        write(tmp_path / "logs", f"b{number}.json", sweep(10, 60 * number + 60))
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED, state, tmp_path / "logs"],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr, ran.stdout.count("\n")) == (0, "", 1), ran
    assert str(state) in ran.stdout
    assert "nothing was written" in ran.stdout
    store = Store.open(state)
    assert ([note.body.text for note in store.triage.notes()], len(store.suppressions.all())) == (
        ["seen"],
        1,
    )
    run, undisturbed = scan(tmp_path / "logs", store=store), scan(tmp_path / "logs")
    assert run.accounting == undisturbed.accounting
    assert [alert.alert_id for alert in run.alerts] == [
        alert.alert_id for alert in undisturbed.alerts
    ]
    store.close()


def test_locked_state_is_reported(store: Store, state: Path) -> None:
    assert store.database._writer is not None
    store.database._writer.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(state, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for write_it in writes(store):
        raises_line(write_it, "locked by another program", "nothing was written", "close it")
    other.execute("ROLLBACK")
    other.close()
    for write_it in writes(store):
        write_it()


def test_read_only_file_is_reported(store: Store) -> None:
    assert store.database._writer is not None
    store.database._writer.execute("PRAGMA query_only = 1")
    for write_it in writes(store):
        raises_line(write_it, "read-only", "--db FILE")


@pytest.mark.parametrize(
    ("refused", "words"),
    [("hunt.db", "read-only"), ("hunt.db.lock", "Permission denied")],
)
def test_unwritable_state_is_reported_on_ingest(
    refused: str, words: str, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digest(state)
    allowed = os.open

    def opened(path: Path, flags: int, *mode: int) -> int:
        if Path(path).name == refused and flags & os.O_RDWR:
            raise PermissionError(13, "Permission denied")
        return allowed(path, flags, *mode)

    monkeypatch.setattr(os, "open", opened)
    with closing(Store.open(state)) as store:
        assert store.read_only == (refused == "hunt.db")
        assert len(store.alerts.all()) == 1
        raises_line(store.take_ingest, words, "--db FILE")
    assert digest(state) == before


def test_state_that_cannot_be_created_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    raises_line(lambda: Store.open(tmp_path / "new.db"), "Permission denied", "--db FILE")


def test_newer_state_with_write_ahead_log_is_left_alone(state: Path) -> None:
    db = sqlite3.connect(state, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA user_version = 999")
    before = {path: digest(path) for path in (state, state.with_name("hunt.db-wal"))}
    raises_line(lambda: Store.open(state), "newer trailhound", "update", "--db FILE")
    assert {path: digest(path) for path in before} == before
    db.close()


def test_older_process_that_holds_the_state_is_reported(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = Store.open(state)
    older.take_ingest()
    monkeypatch.setattr("detector.store.database._SCHEMA_CHECKS", 1)
    monkeypatch.setattr("detector.store.database.SCHEMA_VERSION", 999)
    raises_line(lambda: Store.open(state), "an older one", "close that one")
    older.close()


def test_decision_on_tables_of_newer_process_is_refused(store: Store, state: Path) -> None:
    newer = sqlite3.connect(state)
    newer.execute("PRAGMA user_version = 999")
    newer.close()
    for write_it in writes(store):
        raises_line(write_it, "a newer trailhound", "nothing was written")


# damage


@pytest.mark.parametrize("seed", range(25))
def test_damage_is_reported_in_one_line_or_harmless(seed: int, state: Path, tmp_path: Path) -> None:
    damage(state, random.Random(seed))
    try:
        store = Store.open(state)
    except StateError as error:
        assert "doctor" in str(error)
        return
    for reading in (
        store.alerts.all,
        store.triage.notes,
        store.suppressions.all,
        store.files.all,
        store.files.accounting,
        store.completeness.freshness,
        lambda: scan(tmp_path / "logs", store=store),
    ):
        try:
            reading()
        except Damaged as error:
            assert str(error).count("\n") == 0
            assert "doctor" in str(error)
    store.close()


def test_save_copies_decisions_from_damaged_state(state: Path, tmp_path: Path) -> None:
    """They find their alerts, whose ids come from the logs."""
    store = Store.open(state)
    (alert,), notes, suppressions = (
        store.alerts.all(),
        store.triage.notes(),
        store.suppressions.all(),
    )
    history = store.history.entries(alert.alert_id)
    store.close()
    damage_table(state, "alert")
    before = digest(state)
    assert find_damage(state)
    new = Store.open(tmp_path / "new.db")
    saved = {each.table: (each.rows, each.whole) for each in new.recovery.save(state)}
    assert (saved["note"], saved["suppression"], saved["status"]) == (
        (1, True),
        (1, True),
        (0, True),
    )
    run = scan(tmp_path / "logs", store=new)
    assert ([each.alert_id for each in run.alerts], new.triage.notes()) == ([alert.alert_id], notes)
    assert (
        [each.suppression_id for each in new.suppressions.all()],
        run.alerts[0].suppressed_by,
    ) == (
        [suppressions[0].suppression_id],
        suppressions[0].suppression_id,
    )
    assert new.history.entries(alert.alert_id) == history
    new.close()
    assert digest(state) == before


@pytest.mark.parametrize(
    ("written", "damaged", "table"),
    [
        (b'"source_addresses"', b'"source_addressez"', "note"),
        (b'"text":"seen"', b'"text":"seen\x01', "note_words"),
        (b'"scope":', b'"scope";', "suppression"),
        (b"detail   TEXT", b"detaim   TEXT", "history"),
    ],
)
def test_save_leaves_out_what_cannot_be_decoded(
    written: bytes, damaged: bytes, table: str, state: Path, tmp_path: Path
) -> None:
    """SQLite finds nothing wrong with such a value, and the new state would be unreadable."""
    content = state.read_bytes()
    assert written in content
    state.write_bytes(content.replace(written, damaged))
    with closing(Store.open(tmp_path / "new.db")) as new:
        saved = {each.table: each for each in new.recovery.save(state)}
    assert not saved[table].whole or table == "note"  # which is restored from the index
    with closing(Store.open(tmp_path / "new.db")) as new:
        new.triage.notes()
        new.suppressions.all()
        assert len(scan(tmp_path / "logs", store=new).alerts) == 1


def test_save_copies_rows_around_damaged_page(state: Path, tmp_path: Path) -> None:
    store = Store.open(state)
    (alert,) = store.alerts.all()
    for number in range(200):
        store.triage.add_notes([alert], NoteBody(f"{number} " + "x" * 300))
    store.close()
    damage_pages_of(state, b'"100 xxx')
    new = Store.open(tmp_path / "new.db")
    saved = {each.table: each for each in new.recovery.save(state)}
    assert (saved["note"].rows, saved["note"].whole) == (201, True)
    assert not saved["note_words"].whole
    assert 180 < saved["note_words"].rows < 201
    assert [bool(note.body.text) for note in new.triage.notes()].count(False) == 201 - saved[
        "note_words"
    ].rows
    new.close()


@pytest.mark.parametrize("table", ["note", "note_words"])
@pytest.mark.parametrize("count", [3, 200])
def test_notes_are_restored_from_other_tables(
    table: str, count: int, state: Path, tmp_path: Path
) -> None:
    """A note is in its row, in its versions, in the journal and in an index."""
    store = Store.open(state)
    (alert,) = store.alerts.all()
    for number in range(count):
        (note,) = store.triage.add_notes([alert], NoteBody(f"{number} " + "x" * 300))
    store.triage.edit_note(note.note_id, NoteBody("edited"))
    store.triage.add_notes([alert], NoteBody("taken back"))
    store.undo()
    notes = {note.note_id: note for note in store.triage.notes()}
    store.close()
    damage_table(state, table)
    with closing(Store.open(tmp_path / "new.db")) as new:
        saved = {each.table: each for each in new.recovery.save(state)}
        assert (saved[table].rows, saved[table].whole) == (
            count + (4 if table == "note_words" else 2),
            True,
        )
        restored = {note.note_id: note for note in new.triage.notes()}
        assert restored.keys() == notes.keys()
        for note_id, note in restored.items():
            former = notes[note_id]
            assert (note.alert_id, note.author, note.body) == (
                former.alert_id,
                former.author,
                former.body,
            )
            assert [edit.body for edit in note.history] == [edit.body for edit in former.history]


@pytest.mark.parametrize("seed", range(8))
def test_truncated_write_ahead_log_is_read_again(seed: int, tmp_path: Path) -> None:
    """A loss of power may cost the end of the write-ahead log."""
    logs = tmp_path / "logs"
    store = Store.open(tmp_path / "hunt.db")
    for number in range(6):
        write(logs, f"{number}.json", sweep(10, 60 * number))
        scan(logs, store=store)
    for path in tmp_path.glob("hunt.db*"):
        shutil.copy(path, tmp_path / path.name.replace("hunt", "cut"))
    store.close()
    wal = tmp_path / "cut.db-wal"
    os.truncate(wal, random.Random(seed).randrange(wal.stat().st_size))
    (tmp_path / "cut.db-shm").unlink()
    store = Store.open(tmp_path / "cut.db")
    run, undisturbed = scan(logs, store=store), scan(logs)
    assert (run.facts, run.accounting) == (undisturbed.facts, undisturbed.accounting)
    store.close()
