"""What is kept between runs is never anything else than what would be made."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from detector.esql.errors import EsqlError
from detector.esql.parse_cache import kept
from detector.esql.parser import parse

QUERY = 'from logs-aws.cloudtrail-* | where event.action == "RunInstances" | keep source.ip'


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "trailhound"


def test_it_is_made_once(cache: Path) -> None:
    made = iter(["first", "second", "third"])

    assert [kept("thing", text, lambda: next(made)) for text in ("a", "a", "b")] == [
        "first",
        "first",
        "second",
    ]
    assert cache.stat().st_mode & 0o777 == 0o700


def test_a_tree_from_the_cache_equals_the_parsed_one(cache: Path) -> None:
    fresh, again = parse(QUERY), parse(QUERY)

    assert list(cache.glob("query-*"))
    assert again == fresh
    assert repr(again) == repr(fresh)


@pytest.mark.parametrize("content", [b"", b"no pickle", b"\x80\x05."])
def test_what_cannot_be_read_is_made_again(cache: Path, content: bytes) -> None:
    fresh = parse(QUERY)
    for place in cache.glob("query-*"):
        place.write_bytes(content)

    assert parse(QUERY) == fresh


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_what_another_user_wrote_is_not_read(cache: Path) -> None:
    assert kept("thing", "a", lambda: 1) == 1
    for place in cache.iterdir():
        os.chown(place, 65534, 65534)

    assert kept("thing", "a", lambda: 2) == 2


def test_a_query_in_error_is_in_error_each_time() -> None:
    for _ in range(2):
        with pytest.raises(EsqlError):
            parse("from x | where")


def test_without_a_folder_to_keep_it_in_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))

    assert kept("thing", "a", lambda: 3) == 3
