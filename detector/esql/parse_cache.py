"""The user's private cache of parsed queries: trees as JSON.

Parsing a query takes longer than reading its tree. A file is known by the query's text and by the
code that builds trees; what cannot be read is parsed again. Files of another user are not read, and
no file can make anything but nodes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from detector.esql import ast
from detector.esql.errors import Span
from detector.text.private_files import replace_file

_Tree = TypeVar("_Tree", bound=ast.Node)
_SOURCES = (
    "esql.lark",
    "kql.lark",
    "transformer.py",
    "kql.py",
    "field_checks.py",
    "ast.py",
    "parse_cache.py",
)
_LONGEST = 1 << 24
"""Bytes of a tree: a longer one is parsed each time."""


def cached_tree(language: str, text: str, parse: Callable[[], _Tree]) -> _Tree:
    """Return the tree of a text, from the cache or by ``parse``.

    ``parse`` raises what it raises, and nothing is cached then.
    """
    path = _path(language, f"{_language_version()}{text}")
    with contextlib.suppress(Exception):  # none yet, or damaged
        stored: _Tree = _decode(_read(path))
        if isinstance(stored, ast.Tree if language == "esql" else ast.Expression):
            return stored
    tree = parse()
    with contextlib.suppress(RecursionError):  # nested too deeply for JSON
        _write(path, _encode(tree))
    return tree


def _path(kind: str, text: str) -> Path:
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:24]
    return _folder() / f"{kind}-{digest}.json"


def _read(path: Path) -> Any:
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if status.st_uid != os.getuid() or not stat.S_ISREG(status.st_mode):
            raise PermissionError(path)
        return msgspec.json.decode(file.read(_LONGEST + 1))


def _write(path: Path, value: Any) -> None:
    with contextlib.suppress(OSError, ValueError):  # no folder, or a text that is no Unicode
        content = msgspec.json.encode(value)
        if len(content) <= _LONGEST:
            replace_file(path, content, durable=False)  # what is lost is parsed again


def _encode(value: Any) -> Any:
    """Encode a node as class, span and fields, a tuple without class."""
    if isinstance(value, tuple):
        return ["", *map(_encode, value)]
    fields = _field_names().get(type(value).__name__)
    if fields is None:
        return value
    span = value.span
    place = [span.line, span.column, span.start, span.end]
    parts = [_encode(getattr(value, name)) for name in fields]
    return [type(value).__name__, place, *parts]


def _decode(value: Any) -> Any:
    """Decode a node. Raises whatever its class does for fields that are not its own."""
    if type(value) is not list:
        return value
    name = value[0]
    if not name:
        return tuple(map(_decode, value[1:]))
    line, column, start, end = value[1]
    parts = map(_decode, value[2:])
    if len(value) - 2 != len(_field_names()[name]):
        raise ValueError(name)
    return _classes()[name](*parts, span=Span(line, column, start, end))


@cache
def _classes() -> dict[str, Any]:
    """List the classes of nodes by name."""
    return {
        item.__name__: item
        for item in vars(ast).values()
        if isinstance(item, type) and issubclass(item, ast.Node)
    }


@cache
def _field_names() -> dict[str, tuple[str, ...]]:
    """Name the fields of each class, without the span."""
    return {name: ast.part_names(node) for name, node in _classes().items()}


def _folder() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("trailhound")


@cache
def _language_version() -> str:
    """Hash the grammars and the code that builds trees."""
    sources = b"".join(Path(__file__).with_name(name).read_bytes() for name in _SOURCES)
    return hashlib.sha256(sources).hexdigest()
