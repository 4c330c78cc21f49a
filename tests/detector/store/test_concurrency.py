"""One state used by several processes and threads at once."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from detector.ingest.pipeline import Pipeline
from detector.sources.directory import Directory
from detector.store import Store
from detector.store.opening import connections
from detector.triage.note import NoteBody
from tests.commandline.cli import ONLY_REFERENCE, Cli, one_line
from tests.detector.trail import ANA, document, rules, scan, sweep, write

ROOT = Path(__file__).parents[3]


def start_tail(folder: Path) -> subprocess.Popen[bytes]:
    """``trailhound tail`` on the logs and the state of a folder."""
    command = [
        *(sys.executable, "-u", "-m", "tui", "tail"),
        *(folder / "logs", "--db", folder / "hunt.db", *ONLY_REFERENCE),
    ]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.fixture
def tail(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """``trailhound tail`` that has printed its first alert."""
    write(tmp_path / "logs", "first.json", sweep(10))
    with start_tail(tmp_path) as process:
        assert process.stdout
        assert json.loads(process.stdout.readline())["first_event"] == "2026-03-01T10:00:00Z"
        yield process
        process.kill()


def test_ingest_is_taken_over_when_its_process_is_killed(
    tail: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    """The next one goes on from the cursors, and prints what is new."""
    with start_tail(tmp_path) as heir:
        assert heir.stdout
        assert heir.stderr
        assert f"waiting: trailhound (process {tail.pid})".encode() in heir.stderr.readline()
        tail.kill()
        tail.wait()
        write(tmp_path / "logs", "second.part", document(sweep(10, 60))).rename(
            tmp_path / "logs" / "second.json"
        )
        assert json.loads(heir.stdout.readline())["first_event"] == "2026-03-01T10:01:00Z"
        with closing(Store.open(tmp_path / "hunt.db")) as store:
            assert store.holder == f"trailhound (process {heir.pid})"
            assert store.files.accounting().records_seen == 20
        heir.send_signal(signal.SIGTERM)
        assert heir.wait() == 0


def test_reader_sees_whole_commits_of_another_process(
    tail: subprocess.Popen[bytes], cli: Cli, tmp_path: Path
) -> None:
    """Decisions are made meanwhile; only ingest is exclusive."""
    db, logs = tmp_path / "hunt.db", tmp_path / "logs"
    suppress = ("suppress", "add", "--db", db, "--principal", ANA, "--ticket", "T-1")
    assert cli(*suppress).status == 0
    alert_counts = [1]
    for number in range(1, 31):
        write(logs, f"{number}.part", document(sweep(10, 60 * number))).rename(
            logs / f"{number}.json"
        )
        assert cli("log", "export", "--db", db, "--format", "jsonl").status == 0
        with closing(Store.open(db)) as store:
            assert store.holder == f"trailhound (process {tail.pid})"
            accounting, alerts = store.files.accounting(), store.alerts.all()
            assert accounting.records_seen % 10 == 0
            assert {alert.event_count for alert in alerts} == {10}
            alert_counts.append(len(alerts))
        if number % 10 == 0:
            one_line(cli("compact", "--db", db), 1, f"process {tail.pid}", "close it there")
    assert alert_counts == sorted(alert_counts)
    assert tail.stdout
    first_events: set[str] = set()
    while len(first_events) < 30:
        first_events.add(json.loads(tail.stdout.readline())["first_event"])
    tail.send_signal(signal.SIGTERM)
    assert tail.wait() == 0
    (listed,) = cli("suppress", "list", "--db", db, "--format", "jsonl").objects
    assert listed["hidden"] == 31
    with closing(Store.open(db)) as store:
        run, undisturbed = scan(logs, store=store), scan(logs)
        assert ([alert.alert_id for alert in run.alerts], run.accounting) == (
            [alert.alert_id for alert in undisturbed.alerts],
            undisturbed.accounting,
        )


OPENING = """
import sys
from pathlib import Path
from detector.store import Store
print("ready", flush=True)
sys.stdin.readline()
store = Store.open(Path(sys.argv[1]))
print(store.read_only, len(store.alerts.all()), flush=True)
sys.stdin.read()
"""


def test_two_processes_create_one_new_state(tmp_path: Path) -> None:
    """Both may decide on it."""
    for number in range(3):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        command = [sys.executable, "-c", OPENING, tmp_path / f"{number}.db"]
        processes = [subprocess.Popen(command, cwd=ROOT, **pipes) for _ in range(2)]  # type: ignore[call-overload]
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        assert [process.stdout.readline() for process in processes] == ["False 0\n"] * 2
        for process in processes:
            process.communicate()


def test_new_state_names_its_program_before_it_has_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that opens it then, or after a crash, takes it for a state."""
    path = tmp_path / "hunt.db"

    def die(_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(connections, "migrate", die)
        with pytest.raises(KeyboardInterrupt):
            Store.open(path)
    with closing(Store.open(path)) as store:
        assert not store.alerts.all()


def test_threads_read_decide_and_ingest_at_once(tmp_path: Path) -> None:
    """As in the app: a reading thread, decisions, and the pipeline."""
    logs, stop, errors = tmp_path / "logs", threading.Event(), []
    write(logs, "0.json", sweep(10))
    with closing(Store.open(tmp_path / "hunt.db")) as store:
        (alert,) = scan(logs, store=store).alerts

        def read() -> None:
            try:
                while not stop.is_set():
                    notes, suppressions = store.triage.notes(), store.suppressions.all()
                    assert all(note.body.text for note in notes)
                    assert len({note.note_id for note in notes}) == len(notes)
                    assert all(made.suppression_id for made in suppressions)
                    store.alerts.all()
            except BaseException as error:
                errors.append(error)

        def ingest() -> None:
            try:
                Pipeline(store, rules(), Directory([logs]), 1).run(stop, lambda update: None)
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=each) for each in (read, read, ingest)]
        for thread in threads:
            thread.start()
        for number in range(1, 41):
            write(logs, f"{number}.part", document(sweep(10, 60 * number))).rename(
                logs / f"{number}.json"
            )
            (note,) = store.triage.add_notes([alert], NoteBody(f"{number}"))
            store.triage.edit_note(note.note_id, NoteBody(f"{number}, edited"))
            store.triage.set_status(
                [alert.alert_id], ("open", "acknowledged", "closed")[number % 3]
            )  # type: ignore[arg-type]
        stop.set()
        for thread in threads:
            thread.join(60)
        assert errors == []
        assert sorted(
            int(note.body.text.partition(",")[0]) for note in store.triage.notes()
        ) == list(range(1, 41))
        run, undisturbed = scan(logs, store=store), scan(logs)
        assert ([each.alert_id for each in run.alerts], run.accounting) == (
            [each.alert_id for each in undisturbed.alerts],
            undisturbed.accounting,
        )
        assert store.alerts.get(alert.alert_id).status == "acknowledged"  # type: ignore[union-attr]
