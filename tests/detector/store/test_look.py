"""A state that is only looked at, and the lock that is not trailhound's."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from detector.store import IngestHeld, ReadOnly, StateError, Store
from detector.store.schema import MIGRATIONS
from detector.triage.note import NoteBody
from tests.commandline.cli import ONLY_REFERENCE, Cli, one_line
from tests.detector.trail import scan, sweep, write


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state with an alert and a note, alone in its folder."""
    path = tmp_path / "state" / "hunt.db"
    write(tmp_path / "logs", "a.json", sweep(10))
    store = Store.open(path)
    (alert,) = scan(tmp_path / "logs", store=store).alerts
    store.triage.add_notes([alert], NoteBody("seen", "benign"))
    store.close()
    return path


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def refuse_writing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing in a folder be opened to write, as on a read-only mount."""
    allowed = os.open

    def opened(path: str | Path, flags: int, *rest: int, **named: int) -> int:
        if Path(path).parent == folder and flags & (os.O_RDWR | os.O_WRONLY | os.O_CREAT):
            raise OSError(30, "Read-only file system", str(path))
        return allowed(path, flags, *rest, **named)

    monkeypatch.setattr(os, "open", opened)


def leave_write_ahead_log(state: Path) -> None:
    """Leave a state as a process does that is killed: its last words are in the log."""
    store = Store.open(state)
    store.triage.add_notes(store.alerts.all(), NoteBody("later", "benign"))
    for path in state.parent.iterdir():
        shutil.copy(path, path.with_suffix(path.suffix + ".kept"))
    store.close()
    for path in state.parent.glob("*.kept"):
        path.rename(path.with_suffix(""))
    (state.parent / "hunt.db-shm").unlink()


def make_older(state: Path) -> None:
    """Take a state back to the version before."""
    with contextlib.closing(sqlite3.connect(state, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) - 1}")


@pytest.mark.parametrize("command", [["status"], ["log", "export"], ["log", "export", "-o", "-"]])
def test_commands_that_look_write_nothing_beside_the_state(
    command: list[str], state: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (state.parent / "hunt.db.lock").unlink()
    before = content(state.parent)
    refuse_writing(state.parent, monkeypatch)
    ran = cli(*command, "--db", state)
    assert ran.status == 0, ran.err
    assert content(state.parent) == before


def test_look_reads_what_a_killed_process_left(state: Path) -> None:
    leave_write_ahead_log(state)
    store = Store.look(state)
    assert sorted(note.body.text for note in store.triage.notes()) == ["later", "seen"]
    store.close()


def test_look_beside_the_process_that_writes(state: Path) -> None:
    writing = Store.open(state)
    writing.take_ingest()
    writing.triage.add_notes(writing.alerts.all(), NoteBody("later", "benign"))
    looking = Store.look(state)
    assert (len(looking.triage.notes()), looking.read_only) == (2, True)
    assert looking.holder == f"trailhound (process {os.getpid()})"
    with pytest.raises(ReadOnly):
        looking.triage.add_notes(looking.alerts.all(), NoteBody("no"))
    looking.close()
    writing.close()


def test_look_leaves_the_version_of_an_older_state(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_older(state)
    before = content(state.parent)
    monkeypatch.setattr("detector.store.schema.MIGRATIONS", [*MIGRATIONS[:-1], ""])
    store = Store.look(state)
    assert len(store.triage.notes()) == 1
    store.close()
    assert content(state.parent) == before


FOREIGN: dict[str, Callable[[Path], object]] = {
    "text": lambda lock: lock.write_text("pid 12"),
    "binary": lambda lock: lock.write_bytes(bytes(range(256))),
    "beginning like ours": lambda lock: lock.write_text("trailhound (process 12) and more"),
    "ours within": lambda lock: lock.write_text("x trailhound (process 12)"),
    "a line": lambda lock: lock.write_text("trailhound (process 12)\n"),
    "long": lambda lock: lock.write_text("trailhound (process 12)" + " " * 200),
    "a link": lambda lock: lock.symlink_to(write(lock.parent, "precious", b"1")),
    "a link to ours": lambda lock: lock.symlink_to(
        write(lock.parent, "precious", b"trailhound (process 1)")
    ),
    "a link to nothing": lambda lock: lock.symlink_to(lock.parent / "nothing"),
    "a hard link": lambda lock: os.link(
        write(lock.parent, "precious", b"trailhound (process 1)"), lock
    ),
    "a folder": lambda lock: lock.mkdir(),
    "a pipe": os.mkfifo,
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_lock_of_another_program_is_left_alone(kind: str, tmp_path: Path, cli: Cli) -> None:
    write(tmp_path / "logs", "a.json", sweep(10))
    folder = tmp_path / "state"
    folder.mkdir()
    FOREIGN[kind](folder / "hunt.db.lock")
    before = content(folder), sorted(os.listdir(folder))
    ran = cli("scan", tmp_path / "logs", "--db", folder / "hunt.db", *ONLY_REFERENCE)
    one_line(ran, 1, "hunt.db.lock", "left as it is", "--db")
    assert (content(folder), sorted(os.listdir(folder))) == before


def test_empty_lock_is_held_but_not_written(tmp_path: Path) -> None:
    lock = write(tmp_path, "hunt.db.lock", b"")
    first, second = Store.open(tmp_path / "hunt.db"), Store.open(tmp_path / "hunt.db")
    first.take_ingest()
    with pytest.raises(IngestHeld):
        second.take_ingest()
    assert lock.read_bytes() == b""
    second.close()
    first.close()


@pytest.mark.parametrize("kind", ["pipe", "device", "folder"])
@pytest.mark.parametrize("command", [["status"], ["scan"], ["log", "export"]])
def test_state_that_is_no_file_is_refused(
    kind: str, command: list[str], tmp_path: Path, cli: Cli
) -> None:
    write(tmp_path / "logs", "a.json", sweep(10))
    state = tmp_path / "hunt.db"
    if kind == "pipe":
        os.mkfifo(state)
    elif kind == "device":
        state = Path("/dev/null")
    else:
        state.mkdir()
    sources = [tmp_path / "logs"] if command == ["scan"] else []
    ran = cli(*command, *sources, "--db", state)
    assert ran.status == 1
    assert ran.err == f"trailhound: {state}: no file: name another one with --db FILE\n"
    assert sorted(os.listdir(tmp_path)) in (["hunt.db", "logs"], ["logs"])


def test_state_error_of_temporary_folder_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    with pytest.raises(StateError, match="TMPDIR"):
        Store.open(None)
