"""Encode syntax trees as lists, for files: without their places in the text.

What is decoded can be nothing but nodes, whatever the file says.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from detector.esql import ast
from detector.esql.errors import QUERY_START
from detector.esql.tree_walk import part_names


def encode_node(value: Any) -> Any:
    """Encode a node as its class and fields, a tuple without class."""
    if isinstance(value, tuple):
        return ["", *map(encode_node, value)]
    fields = _field_names().get(type(value).__name__)
    if fields is None:
        return value
    return [type(value).__name__, *[encode_node(getattr(value, name)) for name in fields]]


def decode_node(value: Any) -> Any:
    """Decode a node. Raises ValueError or KeyError for what is none."""
    if type(value) is not list:
        return value
    name, *encoded = value
    parts = [decode_node(part) for part in encoded]
    if not name:
        return tuple(parts)
    if len(parts) != len(_field_names()[name]):
        raise ValueError(name)
    return _classes()[name](*parts, span=QUERY_START)


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
    return {name: part_names(node) for name, node in _classes().items()}
