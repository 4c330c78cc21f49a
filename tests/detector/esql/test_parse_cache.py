"""The cache of parsed queries returns what would be parsed."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from detector.esql import ast, kql, parse_cache
from detector.esql.errors import EsqlError, Span
from detector.esql.parse_cache import cached_tree
from detector.esql.parser import parse_query
from detector.rules.ruleset import load

QUERY = 'from logs-aws.cloudtrail-* | where event.action == "RunInstances" | keep source.ip'
HERE = Span(1, 1, 0, 0)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "trailhound"


def literal(value: object) -> ast.Literal:
    return ast.Literal(value, span=HERE)  # type: ignore[arg-type]


def test_text_is_parsed_once(cache: Path) -> None:
    trees = map(literal, ["first", "second", "third"])

    assert [cached_tree("x", text, lambda: next(trees)).value for text in ("a", "a", "b")] == [
        "first",
        "first",
        "second",
    ]
    assert cache.stat().st_mode & 0o777 == 0o700


def spans(node: object) -> list[Span]:
    if isinstance(node, tuple):
        return [span for part in node for span in spans(part)]
    if not isinstance(node, ast.Node):
        return []
    parts = [getattr(node, name) for name in node.__match_args__]
    return [node.span, *spans(tuple(parts))]


def test_cached_trees_equal_the_parsed_ones(cache: Path) -> None:
    for rule in load():
        parser = parse_query if rule.query_text.startswith("from ") else kql.parse_kql
        fresh, stored = parser(rule.query_text), parser(rule.query_text)
        assert stored == fresh
        assert repr(stored) == repr(fresh)
        assert spans(stored) == spans(fresh)
    assert list(cache.glob("esql-*.json")) and list(cache.glob("kql-*.json"))


@pytest.mark.parametrize(
    "value",
    [None, True, False, 0, 2**63 - 1, -1, 1e308, 0.1, "", "\ud800é\n", ("a", "b"), (1, 2.5)],
)
def test_literal_keeps_value_and_type(value: object) -> None:
    for _ in range(2):
        stored = cached_tree("x", "literal", lambda: literal(value)).value
        assert (stored, type(stored)) == (value, type(value))


@pytest.mark.parametrize(
    "content",
    [b"", b"no json", b"[]", b'["Path","/"]', b'["Tree"]', b'["Literal",[]]', pickle.dumps([1])],
)
def test_damaged_file_is_parsed_again(cache: Path, content: bytes) -> None:
    fresh = parse_query(QUERY)
    for path in cache.glob("esql-*"):
        path.write_bytes(content)

    assert parse_query(QUERY) == fresh


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return (pytest.fail, ("a cached file was run",))


def test_pickle_in_the_cache_is_not_run(cache: Path) -> None:
    fresh = parse_query(QUERY)
    for path in cache.glob("esql-*"):
        path.write_bytes(pickle.dumps(Bomb()))

    assert parse_query(QUERY) == fresh


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_file_of_another_user_is_not_read(cache: Path) -> None:
    assert cached_tree("x", "a", lambda: literal(1)).value == 1
    for path in cache.iterdir():
        os.chown(path, 65534, 65534)

    assert cached_tree("x", "a", lambda: literal(2)).value == 2


def test_files_are_private_and_whole(cache: Path) -> None:
    cached_tree("x", "a", lambda: literal(1))
    (path,) = cache.iterdir()  # no temporary file is left
    assert path.stat().st_mode & 0o777 == 0o600


def test_link_and_pipe_in_the_cache_are_not_read(cache: Path, tmp_path: Path) -> None:
    cached_tree("x", "a", lambda: literal(1))
    (path,) = cache.iterdir()
    target = tmp_path / "elsewhere"
    target.write_bytes(path.read_bytes())
    path.unlink()
    path.symlink_to(target)
    assert cached_tree("x", "a", lambda: literal(2)).value == 2
    assert not path.is_symlink()  # replaced, and what it led to is as it was

    path.unlink()
    os.mkfifo(path)
    assert cached_tree("x", "a", lambda: literal(3)).value == 3


def test_huge_file_in_the_cache_is_parsed_again(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parse_cache, "_LONGEST", 100)
    assert cached_tree("x", "a", lambda: literal("y" * 200)).value == "y" * 200
    assert not cache.exists()  # not kept either


@pytest.mark.parametrize(
    "content",
    [
        b'["Literal",[1,1,0,0],1,2]',
        b'["Literal",[1,1,0],1]',
        b'["Span",[1,1,0,0]]',
        b'["",["Literal",[1,1,0,0],1]]',
        b'{"a":1}',
    ],
)
def test_node_of_other_parts_is_parsed_again(cache: Path, content: bytes) -> None:
    cached_tree("x", "a", lambda: literal(1))
    (path,) = cache.iterdir()
    path.write_bytes(content)
    assert cached_tree("x", "a", lambda: literal(2)).value == 2


def test_invalid_query_raises_each_time() -> None:
    for _ in range(2):
        with pytest.raises(EsqlError):
            parse_query("from x | where")


def test_missing_cache_folder_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))

    assert cached_tree("x", "a", lambda: literal(3)).value == 3
