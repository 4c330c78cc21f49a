"""Encode syntax trees as lists, for files: without their places in the text.

What is decoded can be nothing but nodes, whatever the file says.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from detector.esql import ast
from detector.esql.errors import QUERY_START
from detector.esql.tree_walk import PartsReader, node_classes, part_names, parts_reader


def encode_node(value: Any) -> Any:
    """Encode a node as its class and fields, a tuple without class."""
    if isinstance(value, tuple):
        return ["", *map(encode_node, value)]
    if not isinstance(value, ast.Node):
        return value
    kind = type(value)
    return [kind.__name__, *map(encode_node, _all_parts(kind)(value))]


@cache
def _all_parts(kind: type[ast.Node]) -> PartsReader:
    """Return what reads all fields of a node of a class."""
    return parts_reader(part_names(kind))


def decode_node(value: Any) -> Any:
    """Decode a node. Raises ValueError or KeyError for what is none."""
    if type(value) is not list:
        return value
    name, *encoded = value
    parts = [decode_node(part) for part in encoded]
    if not name:
        return tuple(parts)
    kind = node_classes()[name]
    if len(parts) != len(part_names(kind)):
        raise ValueError(name)
    return kind(*parts, span=QUERY_START)
