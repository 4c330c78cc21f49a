"""The state file: private, one that ingests, atomic commits."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from detector.rules.ruleset import load
from detector.store import Damaged, IngestHeld, StateError, Store
from detector.store.opening.connections import PAGE_SIZE
from detector.triage.note import NoteBody
from detector.triage.suppression import Suppression
from tests.detector.store.older_state import take_back
from tests.detector.trail import REFERENCE, call, outcome, scan, sweep, write

HOLDER = """
import sys
from pathlib import Path
from detector.store import Store
store = Store.open(Path(sys.argv[1]))
store.take_ingest()
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state with an alert."""
    path = tmp_path / "hunt.db"
    write(tmp_path / "logs", "a.json", sweep(10))
    store = Store.open(path)
    scan(tmp_path / "logs", store=store)
    store.close()
    return path


def test_decisions_are_made_while_another_process_ingests(state: Path) -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", HOLDER, state], **pipes) as holder:
        assert holder.stdout and holder.stdin
        assert holder.stdout.readline() == b"open\n"
        store = Store.open(state)
        assert (store.read_only, store.holder) == (False, f"trailhound (process {holder.pid})")
        (alert,) = store.alerts.all()
        body = NoteBody("seen")
        suppression = Suppression("principal", alert.principal, None, 0, 9e9, "T-1", "", "")
        ingesting: tuple[Callable[[], object], ...] = (
            lambda: store.commit([]),
            lambda: store.use(load()),
            lambda: store.retention.vacuum(0),
        )
        for ingest in ingesting:
            with pytest.raises(IngestHeld) as raised:
                ingest()
            assert str(holder.pid) in str(raised.value)
            assert "\n" not in str(raised.value)
        store.triage.set_status([alert.alert_id], "closed")
        store.triage.add_notes([alert], body)
        store.triage.suppress([suppression])
        store.close()
        holder.kill()  # which releases its lock
    with closing(Store.open(state)) as store:
        assert store.holder is None
        store.take_ingest()
        assert store.alerts.all()[0].status == "closed"
        assert [note.body for note in store.triage.notes()] == [body]
        assert [each.value for each in store.suppressions.all()] == [alert.principal]


def test_version_changes_by_commits_of_others_only(state: Path) -> None:
    with closing(Store.open(state)) as one, closing(Store.open(state)) as other:
        (alert,) = other.alerts.all()
        before = one.version(), other.version()
        one.triage.set_status([alert.alert_id], "acknowledged")
        assert one.version() == before[0]
        assert other.version() != before[1]
        assert other.alerts.all()[0].status == "acknowledged"


def test_version_is_told_during_a_transaction(state: Path) -> None:
    """The screen asks for it, and never waits."""
    with closing(Store.open(state)) as store, store.database.transaction():
        asked: list[int] = []
        asking = threading.Thread(target=lambda: asked.append(store.version()))
        asking.start()
        asking.join()
        assert asked


LOOK = """
import os, sys
from pathlib import Path
from detector.store import ReadOnly, Store
if not os.geteuid():
    os.setuid(65534)
store = Store.open(Path(sys.argv[1]))
alerts = store.alerts.all()
print(store.read_only, store.holder, *(alert.status for alert in alerts))
try:
    store.triage.set_status([alert.alert_id for alert in alerts], "open")
except ReadOnly as error:
    print(error)
"""


@pytest.mark.parametrize("is_closed", [True, False])
def test_looking_needs_no_right_to_write(is_closed: bool, state: Path) -> None:
    """Also where what stands in the write-ahead log has not reached the file."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with closing(Store.open(state)) as store:
            (alert,) = store.alerts.all()
            store.triage.set_status([alert.alert_id], "closed")
            if is_closed:
                store.close()
            for path in state.parent.glob("hunt.db*"):
                if not path.name.endswith(("-shm", ".lock")):
                    Path(shutil.copy(path, folder)).chmod(0o444)
        folder.chmod(0o555)
        before = {path: path.read_bytes() for path in folder.iterdir()}
        assert len(before) == (1 if is_closed else 2)
        looked = subprocess.run(
            [sys.executable, "-c", LOOK, folder / "hunt.db"],
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            check=True,
        )
        first, second = looked.stdout.splitlines()
        assert first == "True None closed"
        assert "read-only" in second
        assert {path: path.read_bytes() for path in folder.iterdir()} == before
        folder.chmod(0o755)


def test_state_is_readable_by_owner_only(state: Path) -> None:
    store = Store.open(state)
    files = [path for path in state.parent.iterdir() if path.is_file()]
    assert {path.name for path in files} >= {"hunt.db", "hunt.db-wal"}
    assert {
        path.name: path.stat().st_mode & 0o777 for path in files if path.name.startswith("hunt.db")
    } == dict.fromkeys((path.name for path in files if path.name.startswith("hunt.db")), 0o600)
    store.close()


def test_folder_of_state_is_private(tmp_path: Path) -> None:
    Store.open(tmp_path / "new" / "er" / "hunt.db").close()
    assert (tmp_path / "new" / "er").stat().st_mode & 0o777 == 0o700


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE theirs (x)")
        db.execute("INSERT INTO theirs VALUES (1)")
    db.close()


@pytest.mark.parametrize(
    "make",
    [
        foreign,
        lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 20),
        lambda path: path.write_bytes(b"[project]\nname = 'not a state'\n"),
        lambda path: path.write_bytes(b"x"),
        lambda path: path.mkdir(),
    ],
    ids=["of another program", "corrupt", "text", "one byte", "a folder"],
)
def test_foreign_file_is_left_alone(make: object, tmp_path: Path) -> None:
    path = tmp_path / "theirs"
    make(path)  # type: ignore[operator]
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StateError) as raised:
        Store.open(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert "--db" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert (path.read_bytes() if path.is_file() else None) == before
    if path.is_file():
        assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


def test_damaged_state_is_reported_in_one_line(state: Path) -> None:
    content = bytearray(state.read_bytes())
    content[100:] = os.urandom(len(content) - 100)
    state.write_bytes(content)
    with pytest.raises(StateError) as raised:
        Store.open(state)
    assert "\n" not in str(raised.value)
    assert state.read_bytes() == content


def test_damaged_signals_are_told_where_they_are_counted(state: Path, tmp_path: Path) -> None:
    near = call(20, eventName="CreateAccessKey", eventSource="iam.amazonaws.com", readOnly=False)
    write(tmp_path / "logs", "b.json", [near])
    with closing(Store.open(state)) as store:
        scan(tmp_path / "logs", store=store, by=load())
        assert store.rules.flag_counts()["access-key"] == 1
        with closing(sqlite3.connect(state)) as db:
            db.execute("UPDATE signal SET events = substr(events, 2)")
            db.commit()
        with pytest.raises(Damaged):
            store.rules.flag_counts()


def test_newer_state_is_left_alone(state: Path) -> None:
    db = sqlite3.connect(state)
    db.execute("PRAGMA user_version = 999")
    db.close()
    before = state.read_bytes()
    with pytest.raises(StateError, match="newer trailhound: update"):
        Store.open(state)
    assert state.read_bytes() == before


def test_state_of_version_5_reads_its_files_again(state: Path, tmp_path: Path) -> None:
    gone = write(tmp_path / "logs", "gone.json", [call(30, eventName="DescribeVolumes")])
    with closing(Store.open(state)) as store:
        scan(tmp_path / "logs", store=store)
    near = call(20, eventName="CreateAccessKey", eventSource="iam.amazonaws.com", readOnly=False)
    write(tmp_path / "logs", "b.json", [near])
    gone.unlink()
    take_back(state, 5)
    with closing(sqlite3.connect(state)) as db:
        # As version 5 had it; and all that is near the alert is asked for, what is gone too.
        db.execute("UPDATE chunk SET marks = ?", (msgspec.msgpack.encode({1: 10}),))
        db.execute("UPDATE alert SET searched = -1")
        db.commit()
    with closing(Store.open(state)) as store:
        before = store.alerts.all()
        run = scan(tmp_path / "logs", store=store, by=load())
        assert [alert.alert_id for alert in before] == [
            it.alert_id for it in run.alerts if it.rule.id == REFERENCE
        ]
        assert (run.accounting.records_seen, run.accounting.records_duplicate) == (12, 0)
        assert "access-key" in store.context.signals(before[0].alert_id)


def test_new_state_has_small_pages(tmp_path: Path) -> None:
    with closing(Store.open(tmp_path / "new.db")) as store:
        assert store.database.value("PRAGMA page_size") == PAGE_SIZE


def test_temporary_state_is_deleted_on_close() -> None:
    store = Store.open(None)
    (folder,) = {Path(row[2]).parent for row in store.database.rows("PRAGMA database_list")}
    assert folder.exists()
    store.close()
    store.close()
    assert not folder.exists()


def test_closed_store_raises_state_error() -> None:
    store = Store.open(None)
    store.close()
    with pytest.raises(StateError):
        store.alerts.all()


# commits


def test_failed_commit_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "logs", "a.json", sweep(10))
    store = Store.open(tmp_path / "hunt.db")
    empty = outcome(store)

    steps = (
        "retention.Retention.drop_expired",
        "event_table.EventTable.put",
        "segments.segment_table.SegmentTable.append",
        "baseline_table.BaselineTable.extend",
        "file_table.FileTable.advance_newest",
    )
    for step in steps:
        with monkeypatch.context() as patch:
            patch.setattr(f"detector.store.{step}", _die)
            with pytest.raises(_Killed):
                scan(tmp_path / "logs", store=store)
        assert (
            store.alerts.all(),
            store.files.all(),
            store.files.accounting(),
            store.files.newest_event_time(),
        ) == (
            [],
            [],
            empty.accounting,
            None,
        )
    run = scan(tmp_path / "logs", store=store)
    assert (run.facts, run.accounting) == (
        scan(tmp_path / "logs").facts,
        scan(tmp_path / "logs").accounting,
    )
    store.close()


def test_failed_derivation_is_made_up_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read stays read, its windows stay marked, and no alert is half there."""
    write(tmp_path / "logs", "a.json", [*sweep(10), *sweep(10, 60)])
    expected = scan(tmp_path / "logs")
    for step in (
        "derivation.touched_windows.TouchedWindows.add",
        "derivation.alert_derivation.derive",
        "derivation.alert_reconciliation.AlertReconciliation.add",
        "derivation.alert_reconciliation.AlertReconciliation.finish",
    ):
        with closing(Store.open(tmp_path / f"{step}.db")) as store:
            with monkeypatch.context() as patch:
                patch.setattr(f"detector.store.{step}", _die)
                with pytest.raises(_Killed):
                    scan(tmp_path / "logs", store=store)
            assert (store.alerts.all(), store.files.accounting()) == ([], expected.accounting)
            run = scan(tmp_path / "logs", store=store)
            assert (run.facts, run.accounting) == (expected.facts, expected.accounting)


class _Killed(BaseException):
    pass


def _die(*_: object) -> None:
    raise _Killed


KILLED = """
import os, sys
from pathlib import Path
from detector.ingest.pipeline import Pipeline
from detector.sources.directory import Directory
from detector.store import Store
from tests.detector.trail import rules

def die(*_):
    os.kill(os.getpid(), 9)

commits = int(sys.argv[3])
commit = Store.commit
def counted(self, *given):
    global commits
    if not commits:
        self.files.advance_newest = die
    commits -= 1
    return commit(self, *given)
Store.commit = counted
import detector.ingest.pipeline as pipeline
pipeline._COMMIT_FILES = 3
store, source = Store.open(Path(sys.argv[1])), Directory([Path(sys.argv[2])])
if commits < 0:
    import detector.store.derivation.touched_windows as touched_windows
    touched_windows.TouchedWindows.add = die
Pipeline(store, rules(), source, 1).scan(lambda update: None)
"""


def test_killed_process_loses_nothing(tmp_path: Path) -> None:
    """Killed in a commit or a derivation and run again, it gives the same."""
    logs = tmp_path / "logs"
    for number in range(10):
        write(logs, f"{number}.json", sweep(10, 60 * number))
    for commits, files in ((0, range(1)), (2, range(1, 10)), (-1, (10,))):
        # The last one is killed after its commits, as it derives alerts.
        killed = subprocess.run(
            [sys.executable, "-c", KILLED, tmp_path / "hunt.db", logs, str(commits)],
            cwd=Path(__file__).parents[3],
            check=False,
        )
        assert killed.returncode == -9
        with closing(Store.open(tmp_path / "hunt.db")) as store:
            assert store.files.accounting().files_read in files
            assert store.alerts.all() == []
    store = Store.open(tmp_path / "hunt.db")
    run, undisturbed = scan(logs, store=store), scan(logs)
    assert (run.facts, run.accounting) == (undisturbed.facts, undisturbed.accounting)
    assert {alert.revision for alert in run.alerts} == {
        alert.revision for alert in undisturbed.alerts
    }
    store.close()
