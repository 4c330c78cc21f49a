"""What a sweep of folders must not overlook: what it may not list, and what changes meanwhile."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from detector.sources import directory
from detector.sources.directory import Directory
from detector.sources.source import SourceFile
from detector.store import Store
from tests.detector.trail import START, scan, sweep, watch, write


def found(source: Directory) -> dict[str, SourceFile]:
    root = str(source.roots[0])
    return {os.path.relpath(file.path, root): file for file in source.sweep()}


# what may not be listed


class Forbidden:
    """Paths that only another user may list or look at."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.paths: set[str] = set()
        for name in ("stat", "scandir"):
            monkeypatch.setattr(directory.os, name, self._guarded(getattr(os, name), name))

    def add(self, operation: str, path: Path) -> None:
        self.paths.add(f"{operation} {path}")

    def _guarded(self, really: Any, name: str) -> Any:
        def call(path: Any, *given: Any, **named: Any) -> Any:
            if f"{name} {path}" in self.paths:
                raise PermissionError(13, "Permission denied", str(path))
            return really(path, *given, **named)

        return call


@pytest.fixture
def forbidden(monkeypatch: pytest.MonkeyPatch) -> Forbidden:
    return Forbidden(monkeypatch)


@pytest.mark.parametrize(
    ("operation", "name"), [("scandir", "closed"), ("stat", "closed"), ("stat", "a.json")]
)
def test_path_that_may_not_be_listed_is_found_quarantined(
    operation: str, name: str, forbidden: Forbidden, tmp_path: Path
) -> None:
    write(tmp_path, "a.json", sweep(10))
    write(tmp_path, "b.json", sweep(10, 60))
    write(tmp_path / "closed", "c.json", sweep(10, 120))
    forbidden.add(operation, tmp_path / name)
    problem = ("quarantined", "unreadable", "Permission denied: allow reading it")
    files = found(Directory([tmp_path]))
    assert {path for path, file in files.items() if file.problem == problem} == {name}
    assert {path for path, file in files.items() if file.problem is None} == {
        "a.json",
        "b.json",
        "closed/c.json",
    } - {name, f"{name}/c.json"}
    run = scan(tmp_path)
    assert run.accounting.files_quarantined == {"unreadable": 1}
    assert run.problems == [f"quarantined: {tmp_path / name}: {problem[2]}"]
    assert len(run.alerts) == 2


def test_folder_is_read_once_it_may_be_listed(forbidden: Forbidden, tmp_path: Path) -> None:
    write(tmp_path / "closed", "a.json", sweep(10))
    forbidden.add("scandir", tmp_path / "closed")
    with closing(Store.open(None)) as store:
        before: list[int] = []
        run = watch(
            store,
            tmp_path,
            lambda: before.append(sum(store.files.accounting().files_quarantined.values())),
            forbidden.paths.clear,
        )
    assert before == [1]
    sums = run.accounting
    assert (sums.files_read, sums.files_quarantined, len(run.alerts)) == (1, {}, 1)


def test_new_folder_that_may_not_be_listed_is_found_where_only_hot_ones_are(
    forbidden: Forbidden, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(directory, "_FULL_SWEEP_SECONDS", -1.0)
    source = Directory([tmp_path])
    found(source)
    (tmp_path / "closed").mkdir()
    forbidden.add("scandir", tmp_path / "closed")
    assert [(path, file.problem and file.problem[1]) for path, file in found(source).items()] == [
        ("closed", "unreadable")
    ]


# what changes meanwhile


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Directory:
    """Return a swept tree of which only the hot folders are swept again."""
    monkeypatch.setattr(directory, "_FULL_SWEEP_SECONDS", -1.0)
    monkeypatch.setattr(directory, "_ROUND_SWEEPS", 10**12)
    write(tmp_path / "a", "1.json", b"{}")
    source = Directory([tmp_path])
    assert len(found(source)) == 1
    return source


@pytest.mark.parametrize(
    ("age_ns", "is_found"), [(0, True), (10**9, True), (2_999_999_999, True), (3 * 10**9, False)]
)
def test_folder_that_changed_lately_is_listed_again(
    age_ns: int,
    is_found: bool,
    large: Directory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A second change within the clock's granularity leaves the modification time as it is."""
    folder = tmp_path / "a"
    now = START * 10**9
    clock = SimpleNamespace(time_ns=lambda: now, monotonic=time.monotonic)
    monkeypatch.setattr(directory, "time", clock)
    changed = now - age_ns
    os.utime(folder, ns=(changed, changed))
    found(large)
    write(folder, "2.json", b"{}")
    os.utime(folder / "2.json", (1, 1))
    os.utime(folder, ns=(changed, changed))
    assert ("a/2.json" in found(large)) is is_found


class FakeWatch:
    """Gives these change events, one set for each time that a watch is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *changes: set[tuple[object, str]]) -> None:
        self.left = list(changes)
        monkeypatch.setattr(directory, "_watch", self._watch)

    def _watch(self, *_: object) -> Iterator[set[tuple[object, str]]]:
        while True:
            yield self.left.pop(0)


def test_first_wait_returns_at_once_for_what_the_new_watch_missed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Setting it up over a large tree takes a while, in which no change is noticed."""
    changed = {("added", str(tmp_path / "b.json"))}
    fake = FakeWatch(monkeypatch, set(), set(), set(), changed, set())
    source, stop = Directory([tmp_path]), threading.Event()
    source.wait(stop, 3600.0)
    assert len(fake.left) == 4, "nothing was waited for"
    source.wait(stop, 3600.0)
    assert fake.left == [set()], "from then on there must be a change"
    assert source._hints == {str(tmp_path / "b.json")}


def test_wait_returns_at_once_where_the_watched_roots_are_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A root that appeared later is watched from then on, and may have changed before."""
    later = tmp_path / "later"
    changed = {("added", str(tmp_path / "b.json"))}
    fake = FakeWatch(monkeypatch, set(), changed, set(), changed)
    source, stop = Directory([tmp_path, later]), threading.Event()
    source.wait(stop, 3600.0)
    source.wait(stop, 3600.0)
    assert len(fake.left) == 2
    later.mkdir()
    source.wait(stop, 3600.0)
    assert len(fake.left) == 1
