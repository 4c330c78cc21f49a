"""Encode syntax trees as lists for storage in files, without their spans.

Decoding can only create nodes and constants, whatever the file contains.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from detector.esql import ast
from detector.esql.errors import QUERY_START
from detector.esql.tree_walk import PartsReader, node_classes, part_names, parts_reader


def encode_node(value: Any) -> Any:
    """Encode a node as a list of its class name and fields; a tuple has an empty name."""
    if isinstance(value, tuple):
        return ["", *map(encode_node, value)]
    if not isinstance(value, ast.Node):
        return value
    kind = type(value)
    return [kind.__name__, *map(encode_node, _all_parts(kind)(value))]


@cache
def _all_parts(kind: type[ast.Node]) -> PartsReader:
    """Return a function that reads all fields of a class's node, except the span."""
    return parts_reader(part_names(kind))


def decode_node(value: Any) -> Any:
    """Decode a node. Raises ValueError or KeyError if it is invalid."""
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
