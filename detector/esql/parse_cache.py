"""The user's cache of parsed queries: trees as JSON.

Parsing the built-in rules takes longer than reading their trees. What cannot be read is parsed
again. Files of another user are not read, and no file can make anything but nodes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from detector.esql import ast
from detector.esql.errors import Span

_Tree = TypeVar("_Tree", bound=ast.Node)
_SOURCES = ("esql.lark", "kql.lark", "transformer.py", "kql.py", "ast.py", "parse_cache.py")


def cached_tree(language: str, text: str, parse: Callable[[], _Tree]) -> _Tree:
    """Return the tree of a text, from the cache or by ``parse``.

    ``parse`` raises what it raises, and nothing is cached then.
    """
    digest = hashlib.sha256(f"{_language_version()}{text}".encode()).hexdigest()[:24]
    path = _folder() / f"{language}-{digest}.json"
    with contextlib.suppress(Exception):  # none yet, or damaged
        stored: _Tree = _read(path)
        if isinstance(stored, ast.Tree if language == "esql" else ast.Expression):
            return stored
    tree = parse()
    with contextlib.suppress(OSError, RecursionError):  # no folder, or nested too deeply for JSON
        _write(path, tree)
    return tree


def _read(path: Path) -> Any:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_uid != os.getuid():
            raise PermissionError(path)
        return _decode(json.load(file))


def _write(path: Path, tree: ast.Node) -> None:
    content = json.dumps(_encode(tree), separators=(",", ":"))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(content, encoding="ascii")
    temporary.replace(path)


def _encode(value: Any) -> Any:
    """Encode a node as class and fields, a tuple without class."""
    if isinstance(value, tuple):
        return ["", *map(_encode, value)]
    if dataclasses.is_dataclass(value):
        name = type(value).__name__
        return [name, *(_encode(getattr(value, field)) for field in _fields()[name])]
    return value


def _decode(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    name, *parts = value
    if not name:
        return tuple(map(_decode, parts))
    fields = zip(_fields()[name], map(_decode, parts), strict=True)
    return _classes()[name](**dict(fields))


@cache
def _classes() -> dict[str, Any]:
    """List the classes of nodes by name."""
    nodes = [
        item for item in vars(ast).values() if isinstance(item, type) and issubclass(item, ast.Node)
    ]
    return {node.__name__: node for node in [*nodes, Span]}


@cache
def _fields() -> dict[str, list[str]]:
    return {
        name: [field.name for field in dataclasses.fields(node)]
        for name, node in _classes().items()
    }


def _folder() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("trailhound")


@cache
def _language_version() -> str:
    """Hash the grammars and the code that builds trees."""
    sources = b"".join(Path(__file__).with_name(name).read_bytes() for name in _SOURCES)
    return hashlib.sha256(sources).hexdigest()
