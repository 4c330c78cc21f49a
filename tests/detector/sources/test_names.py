"""Whatever a file is called it is read, and read once however it is named."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from detector.ingest.pipeline import Pipeline
from detector.sources import settling
from detector.sources.open import open_sources
from detector.sources.patterns import expand_pattern
from detector.store import Store
from tests.commandline.cli import ONLY_REFERENCE, Cli
from tests.detector.trail import document, lines, rules, scan, sweep, watch, write

NAMES = [
    "trail.json.20260402",
    "trail.json.02042026",
    "trail.json.2026-04-02",
    "trail.json-20260402",
    "trail.json.20260402T1130",
    "trail.json.2Apr2026",
    "trail.json20260402",
    "trail.json.00000001",
    "trail.json.aaaaaaab",
    "trail.jsonaa",
    "trail.json01",
    "trail.json.deadbeef",
    "trail.jsonl.1",
    ".trail.json",
    ".trail.ndjson",
    ".hidden.backup",
    ".trail.json.Xy12Ab",
    "trail.json.tmp",
    "trail.json.part",
    "trail.json.partial",
    "trail.crdownload",
    "trail.json~",
    "trail.json (1)",
    "#trail.json#",
    "-",
    "*.json",
    "trail",
]


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Move the clock by which files settle; at first they were written just now."""
    now = [0.0]
    monkeypatch.setattr(
        settling, "time", type("", (), {"monotonic": lambda: now[0], "time_ns": lambda: 0})
    )

    def move(seconds: float) -> None:
        now[0] += seconds

    return move


@pytest.mark.parametrize("name", NAMES)
def test_named_file_is_read_whatever_it_is_called(name: str, tmp_path: Path, cli: Cli) -> None:
    path = write(tmp_path, name, lines(sweep(12)))
    ran = cli("scan", "--format", "jsonl", *ONLY_REFERENCE, path)
    assert [len(alert["event_ids"]) for alert in ran.objects] == [12]
    assert "1 found = 1 read" in ran.err


@pytest.mark.parametrize("name", NAMES)
def test_file_that_no_longer_changes_is_read_from_its_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settling, "SETTLE_SECONDS", -1.0)
    write(tmp_path, name, lines(sweep(12)))
    run = scan(tmp_path)
    assert (run.accounting.files_read, run.accounting.records_seen) == (1, 12)


@pytest.mark.parametrize("name", NAMES)
def test_live_file_of_any_name_is_read_once_it_has_settled(
    name: str, tmp_path: Path, later: Callable[[float], None]
) -> None:
    write(tmp_path, name, lines(sweep(12)))
    with closing(Store.open(None)) as store:
        run = watch(store, tmp_path, lambda: later(1), lambda: later(2), lambda: None)
        assert (run.accounting.files_read, run.accounting.records_seen) == (1, 12)
        assert store.files.waiting() == []


@pytest.mark.parametrize("name", NAMES)
def test_lines_written_before_a_rename_are_read(
    name: str, tmp_path: Path, later: Callable[[float], None]
) -> None:
    """Rotate a log to any name: what was appended since the last look is not lost."""
    log = write(tmp_path, "audit.log", lines(sweep(5)))

    def rotate() -> None:
        with log.open("ab") as file:
            file.write(lines(sweep(12)[5:]))
        log.rename(tmp_path / name)
        write(tmp_path, "audit.log", lines(sweep(3, 300)))

    with closing(Store.open(None)) as store:
        run = watch(store, tmp_path, rotate, lambda: None)
        sums = run.accounting
        assert (sums.files_read, sums.records_seen, sums.records_duplicate) == (2, 15, 0)
        assert [len(alert.event_ids) for alert in run.alerts] == [12]


def test_file_that_changes_waits_and_is_named(
    tmp_path: Path, later: Callable[[float], None]
) -> None:
    path = write(tmp_path, "trail.json.part", lines(sweep(2)))

    def grow() -> None:
        later(1.5)
        with path.open("ab") as file:
            file.write(lines(sweep(1, 60)))

    with closing(Store.open(None)) as store:
        run = watch(store, tmp_path, grow, grow, grow)
        assert (run.accounting.files_waiting, run.accounting.records_seen) == (1, 0)
        (waiting,) = store.files.waiting()
        assert (waiting.path, "still being written" in waiting.detail) == (str(path), True)


def test_waiting_file_is_named_by_every_command(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "logs", "trail.json.part", lines(sweep(2)))
    write(tmp_path / "logs", "other.json", sweep(10))
    monkeypatch.setattr(settling.Settling, "is_changing", lambda *_: _[1].endswith(".part"))
    monkeypatch.setattr("detector.ingest.pipeline.SETTLE_SECONDS", 0.0)
    state = tmp_path / "hunt.db"
    ran = cli("scan", tmp_path / "logs", "--db", state, "--strict", *ONLY_REFERENCE)
    line = f"{path}: still being written under a temporary name"
    assert (ran.status, f"waiting: {line}" in ran.err) == (3, True)
    assert f"waiting        {line}" in cli("status", "--db", state).out
    assert line in cli("doctor", "--db", state).out
    monkeypatch.undo()
    assert len(scan(tmp_path / "logs").alerts) == 1


# one file, many names


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "logs/x.json", document(sweep(12)))
    os.link(tmp_path / "logs/x.json", tmp_path / "hard.json")
    (tmp_path / "soft.json").symlink_to("logs/x.json")
    (tmp_path / "more").symlink_to("logs")
    (tmp_path / "list").write_text("logs/x.json\n./logs\nlogs/*.json\nlogs/x.json\n")
    return tmp_path


SAME = [
    ["logs/x.json", "logs/x.json"],
    ["logs/x.json", "./logs/x.json"],
    ["logs/x.json", "logs/../logs/x.json"],
    ["logs/x.json", "logs//x.json"],
    ["logs/x.json", "logs"],
    ["logs", "logs"],
    ["logs", "logs/"],
    ["logs", "logs/x.json", "logs/*.json", "logs/**"],
    ["logs/*.json", "logs/x*"],
    ["logs/**/*.json", "**/x.json"],
    ["logs/x.json", "hard.json"],
    ["hard.json", "soft.json"],
    ["soft.json", "logs/x.json"],
    ["more", "logs"],
    ["more/x.json", "logs/x.json"],
    ["file@list"],
    ["file@list", "file@list", "logs"],
    ["[l]ogs/x.json", "logs/x.json"],
]


@pytest.mark.parametrize("names", SAME, ids=" ".join)
def test_one_file_is_read_once_however_it_is_named(
    names: list[str], folder: Path, cli: Cli
) -> None:
    ran = cli("scan", "--format", "jsonl", *ONLY_REFERENCE, *names, folder / "logs")
    assert [len(alert["event_ids"]) for alert in ran.objects] == [12]
    assert "= 1 read" in ran.err and "records 12 seen" in ran.err


@pytest.mark.parametrize("names", SAME, ids=" ".join)
def test_one_file_is_read_once_live(names: list[str], folder: Path) -> None:
    """Also after a restart, and when the file has grown."""
    log = folder / "logs" / "x.json"
    log.write_bytes(lines(sweep(12)))
    source, state = open_sources(names, live=True), folder / "state" / "hunt.db"
    seen = []
    for added in (b"", b"", lines(sweep(12, 60))):
        with log.open("ab") as file:
            file.write(added)
        with closing(Store.open(state)) as store:
            Pipeline(store, rules(), source, 1).scan(lambda _: None)
            sums = store.files.accounting()
            seen.append((sums.files_read, sums.records_seen, sums.records_duplicate))
    source.close()
    assert seen == [(1, 12, 0), (1, 12, 0), (1, 24, 0)]


# patterns


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    for name in ("a/1.json", "a/b/2.json", "a/b/c/3.json", "d/4.txt", ".h/5.json", "a/.6.json"):
        write(tmp_path, name, b"{}")
    (tmp_path / "a/b/up").symlink_to(tmp_path)
    yield tmp_path


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*/*.json", ["a/1.json"]),
        ("**/*.json", ["a/1.json", "a/b/2.json", "a/b/c/3.json"]),
        ("a/**/?.json", ["a/1.json", "a/b/2.json", "a/b/c/3.json"]),
        ("**/c/*", ["a/b/c/3.json"]),
        ("[ad]/*", ["a/1.json", "a/b", "d/4.txt"]),
        (".*/*.json", [".h/5.json"]),
        ("a/.*", ["a/.6.json"]),
        ("a/b/../*.json", ["a/b/../1.json"]),
        ("*/none", []),
        ("none/*", []),
        ("**/4.*", ["d/4.txt"]),
    ],
)
def test_pattern_finds_what_shells_find(pattern: str, found: list[str], tree: Path) -> None:
    paths = {
        os.path.relpath(path, tree) if ".." not in path else path.removeprefix(f"{tree}/")
        for path in expand_pattern(f"{tree}/{pattern}", lambda *_: None)
        if "/up/" not in path
    }
    assert paths == set(found)


def test_pattern_tells_of_folders_that_cannot_be_listed(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = os.listdir

    def refused(path: str) -> list[str]:
        if path.endswith("/b"):
            raise PermissionError(13, "Permission denied", path)
        return listed(path)

    monkeypatch.setattr(os, "listdir", refused)
    run = scan(tree / "a" / "**" / "*.json")
    assert run.accounting.files_quarantined == {"unreadable": 1}
    told = f"quarantined: {tree}/a/b: Permission denied: allow reading it"
    assert told in run.problems
