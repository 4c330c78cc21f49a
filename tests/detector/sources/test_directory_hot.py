"""A tree that is too large to be swept every time is swept where it is hot, and still loses nothing."""

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
    """A tree that counts as too large, after its first whole sweep; all of it is old."""
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
    return {os.path.relpath(found.path, root) for found in source.sweep() if found.problem is None}


@pytest.mark.parametrize(
    "temporary", ["4.json.1a2B3c4D", "4.json123456789", "4.json.abcd.partial", ".s3cmd.1234.tmp"]
)
def test_every_writers_rename_into_an_old_folder(large: Directory, temporary: str) -> None:
    root = large.roots[0]
    (root / "a" / temporary).write_text("{}")
    assert "a/4.json" not in swept(large)
    os.rename(root / "a" / temporary, root / "a/4.json")
    os.utime(root / "a/4.json", (1, 1))  # as aws s3 sync sets it
    assert "a/4.json" in swept(large)


def test_new_folders_below_new_folders(large: Directory) -> None:
    root = large.roots[0]
    (root / "b/new/er").mkdir(parents=True)
    (root / "b/new/er/5.json").write_text("{}")
    assert "b/new/er/5.json" in swept(large)
    (root / "b/new/er/6.json").write_text("{}")
    assert "b/new/er/6.json" in swept(large)


def test_a_file_that_grows_is_looked_at_again(large: Directory) -> None:
    root = large.roots[0]
    (root / "b/grows.json").write_text("{}")
    assert "b/grows.json" in swept(large)
    with open(root / "b/grows.json", "a") as file:
        file.write("{}")
    assert "b/grows.json" in swept(large)


def test_a_change_event_names_an_old_file(large: Directory) -> None:
    path = str(large.roots[0] / "a/1.json")
    large._hints.add(path)
    assert swept(large) == {"a/1.json"}


def test_what_is_gone_is_only_told_of_folders_that_were_listed(large: Directory) -> None:
    root = large.roots[0]
    os.rename(root / "a/1.json", root / "a/9.json")
    swept(large)
    assert large.in_scope(str(root / "a/1.json"))
    assert not large.in_scope(str(root / "b/c/3.json"))


def test_a_renamed_file_is_no_link_and_a_link_is_one(large: Directory) -> None:
    root = large.roots[0]
    os.rename(root / "a/1.json", root / "a/9.json")
    os.link(root / "a/2.json", root / "a/link.json")
    found = {os.path.basename(each.path): each.problem for each in large.sweep()}
    assert found["9.json"] is None and found["2.json"] is None
    assert found["link.json"] is not None and found["link.json"][1] == "link"


def test_of_a_folder_that_goes_away_the_files_are_known_to_be_gone(large: Directory) -> None:
    shutil.rmtree(large.roots[0] / "b")
    swept(large)
    assert large.in_scope(str(large.roots[0] / "b/c/3.json"))


def test_what_is_not_hot_comes_round(large: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    old = large.roots[0] / "b/c/3.json"
    old.write_text("{}{}")
    os.utime(old, (1, 1))
    assert swept(large) == set()  # nothing speaks for it
    monkeypatch.setattr(large, "_slice", 10.0)
    os.link(old, large.roots[0] / "b/c/link.json")
    rounds = [swept(large) for _ in range(4)]
    assert {"b/c/3.json", "a/1.json", "a/2.json"} <= set().union(*rounds)
    assert "b/c/link.json" not in set().union(*rounds)  # in every round it is known to be a link


def test_waiting_ends_when_it_is_told_to(tmp_path: Path) -> None:
    source, stop = Directory([tmp_path, tmp_path / "later"]), threading.Event()
    stop.set()
    source.wait(stop, 60)
    source.close()


def test_patterns(tmp_path: Path) -> None:
    for name in ("a/1.json", "a/b/2.json", "a/b/3.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    source = Directory([tmp_path / "**/*.json"])
    assert sorted(os.path.basename(found.path) for found in source.sweep()) == ["1.json", "2.json"]
    (tmp_path / "a/b/4.json").write_text("{}")
    assert sorted(os.path.basename(found.path) for found in source.sweep()) == [
        "1.json",
        "2.json",
        "4.json",
    ]
    assert source.in_scope(str(tmp_path / "a/b/4.json")) and not source.in_scope(
        str(tmp_path / "a/b/3.txt")
    )


def test_a_folder_that_is_renamed_is_not_read_again(large: Directory) -> None:
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


def test_after_a_large_copy_what_is_new_does_not_wait_for_all_that_was_written(
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
    monkeypatch.setattr(
        directory, "_RECENT_SECONDS", 11
    )  # a look at the clock is a second: ten files
    rounds = [swept(large) for _ in range(5)]
    assert [len(found) for found in rounds] == [10] * 5
    assert len(set().union(*rounds)) == 50
