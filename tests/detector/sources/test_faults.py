"""Faults of files and input: each is told with its path, counted, and gone when it passes."""

from __future__ import annotations

import builtins
import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from detector.store import Store
from tests.commandline.cli import ONLY_REFERENCE, Cli, one_line
from tests.detector.formats import forms
from tests.detector.sources.test_named import Pipe
from tests.detector.trail import scan, sweep, watch, write

ERRORS = [
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.ESTALE,
    errno.ENAMETOOLONG,
    errno.ENOMEM,
    errno.ELOOP,
    errno.ETIMEDOUT,
    errno.EHOSTDOWN,
]
Failing = Callable[[pytest.MonkeyPatch, Path, int], None]


def fail_call(module: Any, name: str) -> Failing:
    """Let a call fail for one path."""

    def failing(patch: pytest.MonkeyPatch, path: Path, number: int) -> None:
        allowed = getattr(module, name)

        def called(target: Any, *args: Any, **named: Any) -> Any:
            if str(target) == str(path):
                raise OSError(number, os.strerror(number), str(path))
            return allowed(target, *args, **named)

        patch.setattr(module, name, called)

    return failing


def fail_read(patch: pytest.MonkeyPatch, path: Path, number: int) -> None:
    """Let reading what was opened fail."""
    really_open, really_read = os.open, os.read
    broken: set[int] = set()

    def opened(target: Any, *args: Any, **named: Any) -> int:
        descriptor = really_open(target, *args, **named)
        broken.discard(descriptor)
        if str(target) == str(path):
            broken.add(descriptor)
        return descriptor

    def read(descriptor: int, size: int) -> bytes:
        if descriptor in broken:
            raise OSError(number, os.strerror(number))
        return really_read(descriptor, size)

    patch.setattr(os, "open", opened)
    patch.setattr(os, "read", read)


OF_FILE = {"open": fail_call(os, "open"), "stat": fail_call(os, "stat"), "read": fail_read}
OF_FOLDER = {"list": fail_call(os, "scandir"), "stat": fail_call(os, "stat")}
FAULTS = [("logs/bad/b.json", name) for name in OF_FILE] + [
    ("logs/bad", name) for name in OF_FOLDER
]


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Path]:
    write(tmp_path, "logs/a.json", sweep(10))
    write(tmp_path, "logs/bad/b.json", sweep(10, 60))
    yield tmp_path / "logs"


def failing(place: str, name: str) -> Failing:
    return OF_FILE[name] if place.endswith(".json") else OF_FOLDER[name]


@pytest.mark.parametrize("number", ERRORS, ids=errno.errorcode.get)
@pytest.mark.parametrize(("place", "name"), FAULTS)
def test_fault_is_told_counted_and_passes(
    place: str, name: str, number: int, logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / place
    with closing(Store.open(None)) as store:
        with monkeypatch.context() as patch:
            failing(place, name)(patch, path, number)
            run = scan(logs, store=store)
        assert run.accounting.files_quarantined == {"unreadable": 1}
        (problem,) = run.problems
        assert problem.startswith(f"quarantined: {path}: {os.strerror(number)}: ")
        assert (run.accounting.files_read, len(run.alerts)) == (1, 1)
        after = scan(logs, store=store)
        assert (after.accounting.files_read, after.accounting.files_found) == (2, 2)
        assert (len(after.alerts), after.accounting.records_seen) == (2, 20)


@pytest.mark.parametrize(("place", "name"), FAULTS)
def test_fault_passes_live(
    place: str, name: str, logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    patch = pytest.MonkeyPatch()
    failing(place, name)(patch, tmp_path / place, errno.EIO)

    def later() -> None:
        now[0] += 31

    def mend() -> None:
        patch.undo()
        later()

    with closing(Store.open(None)) as store:
        run = watch(store, logs, later, mend, later, clock=lambda: now[0])
    sums = run.accounting
    assert (sums.files_read, sums.files_found, len(run.alerts)) == (2, 2, 2)
    assert len(run.problems) == 1


LINKS = ["nothing", "a.json/below", "../logs/none/at/all", "/nowhere"]


@pytest.mark.parametrize("target", LINKS)
def test_link_that_leads_nowhere_is_told_and_passes(
    target: str, logs: Path, tmp_path: Path
) -> None:
    link = logs / "c.json"
    link.symlink_to(target)
    with closing(Store.open(None)) as store:
        run = scan(logs, store=store)
        assert (run.accounting.files_read, run.accounting.files_quarantined) == (
            2,
            {"unreadable": 1},
        )
        (problem,) = run.problems
        assert problem.startswith(f"quarantined: {link}: ")
        assert problem.endswith("its link leads nowhere")
        link.unlink()
        link.symlink_to(write(tmp_path, "elsewhere.json", sweep(10, 120)))
        mended = scan(logs, store=store)
        assert (mended.accounting.files_read, len(mended.alerts)) == (3, 3)


def test_link_that_leads_nowhere_is_forgotten_when_removed(logs: Path) -> None:
    link = logs / "c.json"
    link.symlink_to("nothing")
    now = [0.0]

    def later() -> None:
        now[0] += 31

    def remove() -> None:
        link.unlink()
        later()

    with closing(Store.open(None)) as store:
        run = watch(store, logs, later, remove, later, clock=lambda: now[0])
    assert (run.accounting.files_read, run.accounting.files_found) == (2, 2)


# standard input


def test_standard_input_that_cannot_be_copied_is_one_line(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Pipe(forms.lines(forms.sweep()) * 1000))
    allowed = builtins.open

    class Full:
        def __init__(self, file: Any) -> None:
            self._file = file

        def write(self, _: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def flush(self) -> None:
            """Do nothing: nothing was written."""

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: object) -> None:
            self._file.close()

    def opened(target: Any, mode: str = "r", *args: Any, **named: Any) -> Any:
        file = allowed(target, mode, *args, **named)
        return Full(file) if str(target).endswith("stdin") and mode == "ab" else file

    monkeypatch.setattr(builtins, "open", opened)
    one_line(cli("scan", "-", *ONLY_REFERENCE), 1, "No space left on device", "TMPDIR")


def test_standard_input_without_a_temporary_folder_is_one_line(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "stdin", Pipe(b"{}"))
    monkeypatch.setattr("detector.sources.standard_input.tempfile.mkdtemp", fail_mkdtemp)
    one_line(cli("scan", "-", *ONLY_REFERENCE, "--db", tmp_path / "s.db"), 1, "TMPDIR")


def fail_mkdtemp(**_: object) -> str:
    raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")


def test_missing_standard_input_is_one_line(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    one_line(cli("scan", "-", *ONLY_REFERENCE), 1, "there is no standard input")


def test_pipe_without_writer_does_not_block(cli: Cli, logs: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    one_line(cli("scan", pipe, *ONLY_REFERENCE), 1, str(pipe), "name -")
    ran = cli("scan", pipe, logs, "--format", "jsonl", *ONLY_REFERENCE)
    assert (ran.status, len(ran.objects), "(not-a-file 1) quarantined" in ran.err) == (0, 2, True)
    os.mkfifo(logs / "pipe")
    assert "(not-a-file 1) skipped" in cli("scan", logs, *ONLY_REFERENCE).err


def test_full_standard_output_is_one_line(cli: Cli, logs: Path) -> None:
    with open("/dev/full", "wb") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "tui", "scan", logs, *ONLY_REFERENCE],
            cwd=Path(__file__).parents[3],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert (ran.returncode, ran.stderr.count(b"\n")) == (1, 1)
    assert b"standard output: No space left on device" in ran.stderr
