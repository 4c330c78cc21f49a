"""A large tree is swept where it is hot, and loses nothing."""

from __future__ import annotations

import itertools
import os
import shutil
import threading
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from detector.sources import directory
from detector.sources.directory import Directory
from detector.store import Store
from tests.detector.trail import sweep, watch, write


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Directory:
    """Return a swept tree of old files that counts as large."""
    monkeypatch.setattr(directory, "_FULL_SWEEP_SECONDS", -1.0)
    monkeypatch.setattr(directory, "_ROUND_SWEEPS", 10**12)
    monkeypatch.setattr(directory, "_RACY_NS", 0)
    for name in ("a/1.json", "a/2.json", "b/c/3.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
        os.utime(path, (1, 1))
    source = Directory([tmp_path])
    assert len(list(source.sweep())) == 3
    assert list(source.sweep()) == []
    return source


def swept(source: Directory) -> set[str]:
    root = str(source.roots[0])
    return {os.path.relpath(file.path, root) for file in source.sweep() if file.problem is None}


@pytest.mark.parametrize(
    "temporary", ["4.json.1a2B3c4D", "4.json123456789", "4.json.abcd.partial", ".s3cmd.1234.tmp"]
)
def test_sweep_finds_rename_into_old_folder(large: Directory, temporary: str) -> None:
    root = large.roots[0]
    (root / "a" / temporary).write_text("{}")
    assert "a/4.json" not in swept(large)
    os.rename(root / "a" / temporary, root / "a/4.json")
    os.utime(root / "a/4.json", (1, 1))  # as aws s3 sync sets it
    assert "a/4.json" in swept(large)


def test_sweep_finds_files_in_nested_new_folders(large: Directory) -> None:
    root = large.roots[0]
    (root / "b/new/er").mkdir(parents=True)
    (root / "b/new/er/5.json").write_text("{}")
    assert "b/new/er/5.json" in swept(large)
    (root / "b/new/er/6.json").write_text("{}")
    assert "b/new/er/6.json" in swept(large)


def test_sweep_finds_growing_file_again(large: Directory) -> None:
    root = large.roots[0]
    (root / "b/grows.json").write_text("{}")
    assert "b/grows.json" in swept(large)
    with open(root / "b/grows.json", "a") as file:
        file.write("{}")
    assert "b/grows.json" in swept(large)


def test_sweep_finds_hinted_old_file(large: Directory) -> None:
    path = str(large.roots[0] / "a/1.json")
    large._hints.add(path)
    assert swept(large) == {"a/1.json"}


def test_in_scope_covers_listed_folders_only(large: Directory) -> None:
    root = large.roots[0]
    os.rename(root / "a/1.json", root / "a/9.json")
    swept(large)
    assert large.in_scope(str(root / "a/1.json"))
    assert not large.in_scope(str(root / "b/c/3.json"))


def test_sweep_tells_renamed_file_from_link(large: Directory) -> None:
    root = large.roots[0]
    os.rename(root / "a/1.json", root / "a/9.json")
    os.link(root / "a/2.json", root / "a/link.json")
    problems = {os.path.basename(file.path): file.problem for file in large.sweep()}
    assert problems["9.json"] is None and problems["2.json"] is None
    assert problems["link.json"] is not None and problems["link.json"][1] == "link"


def test_in_scope_covers_removed_folder(large: Directory) -> None:
    shutil.rmtree(large.roots[0] / "b")
    swept(large)
    assert large.in_scope(str(large.roots[0] / "b/c/3.json"))


def test_sweep_slices_reach_cold_files(large: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    old = large.roots[0] / "b/c/3.json"
    old.write_text("{}{}")
    os.utime(old, (1, 1))
    assert swept(large) == set()  # not hot, and not hinted at
    monkeypatch.setattr(large, "_slice_seconds", 10.0)
    os.link(old, large.roots[0] / "b/c/link.json")
    rounds = [swept(large) for _ in range(4)]
    assert {"b/c/3.json", "a/1.json", "a/2.json"} <= set().union(*rounds)
    assert "b/c/link.json" not in set().union(*rounds)  # known to be a link in every round


def test_wait_returns_on_stop(tmp_path: Path) -> None:
    source, stop = Directory([tmp_path, tmp_path / "later"]), threading.Event()
    stop.set()
    source.wait(stop, 60)
    source.close()


def test_sweep_finds_files_of_pattern(tmp_path: Path) -> None:
    for name in ("a/1.json", "a/b/2.json", "a/b/3.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    source = Directory([tmp_path / "**/*.json"])
    assert sorted(os.path.basename(file.path) for file in source.sweep()) == ["1.json", "2.json"]
    (tmp_path / "a/b/4.json").write_text("{}")
    assert sorted(os.path.basename(file.path) for file in source.sweep()) == [
        "1.json",
        "2.json",
        "4.json",
    ]
    assert source.in_scope(str(tmp_path / "a/b/4.json")) and not source.in_scope(
        str(tmp_path / "a/b/3.txt")
    )


def test_pipeline_reads_renamed_folder_once(large: Directory) -> None:
    root = large.roots[0]
    write(root, "a/sweep.json", sweep())
    with closing(Store.open(None)) as store:
        watch(store, root, lambda: os.rename(root / "a", root / "z"))
        sums = store.files.accounting()
        assert (sums.records_seen, sums.records_duplicate) == (10, 0)
        assert {os.path.relpath(row.path, root) for row in store.files.all()} == {
            "b/c/3.json",
            "z/1.json",
            "z/2.json",
            "z/sweep.json",
        }


def test_sweep_spreads_recent_files_over_sweeps(
    large: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = large.roots[0]
    for number in range(50):
        (root / "a" / f"copied-{number}.json").write_text("{}")
    assert len(swept(large)) >= 50  # their folder has changed
    ticks = itertools.count()
    monkeypatch.setattr(
        directory, "time", SimpleNamespace(monotonic=lambda: next(ticks), time_ns=time.time_ns)
    )
    # The clock ticks a second at each look: ten files fit.
    monkeypatch.setattr(directory, "_RECENT_SECONDS", 11)
    rounds = [swept(large) for _ in range(5)]
    assert [len(paths) for paths in rounds] == [10] * 5
    assert len(set().union(*rounds)) == 50
