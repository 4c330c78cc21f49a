"""Faults of writing a file are told, the former file stays, and writing works once they pass."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from detector.store import Store, find_damage
from detector.triage.note import NoteBody
from tests.commandline.cli import Cli, one_line
from tests.detector.store.test_look import leave_write_ahead_log
from tests.detector.trail import scan, sweep, write

ERRORS = [
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.EROFS,
    errno.EACCES,
    errno.EMFILE,
    errno.ESTALE,
    errno.ENOMEM,
]
CALLS: dict[str, tuple[Any, tuple[str, ...]]] = {
    "open": (tempfile, ("mkstemp", "mkdtemp")),
    "commit": (os, ("fsync",)),
    "rename": (os, ("replace", "rename", "link")),
}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / "state" / "hunt.db"
    write(tmp_path / "logs", "a.json", sweep(10))
    store = Store.open(path)
    (alert,) = scan(tmp_path / "logs", store=store).alerts
    store.triage.add_notes([alert], NoteBody("seen", "benign"))
    store.close()
    return path


def fail(patch: pytest.MonkeyPatch, fault: str, number: int) -> None:
    """Let all calls of a kind fail."""
    module, names = CALLS[fault]

    def failing(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    for name in names:
        patch.setattr(module, name, failing)


@pytest.mark.parametrize("number", ERRORS, ids=errno.errorcode.get)
@pytest.mark.parametrize("fault", CALLS)
def test_export_survives_fault(
    fault: str,
    number: int,
    cli: Cli,
    state: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "out" / "log.md"
    path.parent.mkdir()
    command = ("log", "export", "--db", state, "-o", path)
    assert cli(*command).status == 0
    former = path.read_bytes()
    store = Store.open(state)
    store.triage.add_notes(store.alerts.all(), NoteBody("later", "benign"))
    store.close()
    with monkeypatch.context() as patch:
        fail(patch, fault, number)
        one_line(cli(*command), 1, str(path), os.strerror(number))
    assert ([*path.parent.iterdir()], path.read_bytes()) == ([path], former)
    assert cli(*command).status == 0
    assert b"later" in path.read_bytes()


@pytest.mark.parametrize("number", ERRORS, ids=errno.errorcode.get)
@pytest.mark.parametrize("fault", ["rename"])
def test_case_survives_fault(
    fault: str,
    number: int,
    cli: Cli,
    state: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = Store.open(state)
    (alert,) = store.alerts.all()
    store.close()
    folder = tmp_path / "cases"
    folder.mkdir()
    command = ("case", alert.alert_id, "--db", state, "-o", folder / "case")
    with monkeypatch.context() as patch:
        fail(patch, fault, number)
        one_line(cli(*command), 1, os.strerror(number))
    assert not [*folder.iterdir()]
    assert cli(*command).status == 0
    assert (folder / "case" / "report.md").exists()


MAKE: dict[str, Callable[[Path], object]] = {
    "at rest": lambda state: None,
    "killed": leave_write_ahead_log,
}


@pytest.mark.parametrize("left", MAKE)
def test_state_that_cannot_be_written_beside_is_examined(
    left: str, cli: Cli, state: Path, tmp_path: Path
) -> None:
    MAKE[left](state)
    # SQLite cannot make its index of the write-ahead log, as in a folder that read-only.
    (state.parent / "hunt.db-shm").mkdir()
    assert find_damage(state) == []
    saved = tmp_path / "saved.db"
    assert cli("doctor", "--db", state, "--save", saved).status == 0
    store = Store.open(saved)
    notes = {note.body.text for note in store.triage.notes()}
    store.close()
    assert notes == {"seen", *(["later"] if left == "killed" else [])}
