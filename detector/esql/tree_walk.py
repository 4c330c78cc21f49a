"""Walk syntax trees and join conditions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from operator import attrgetter
from typing import Any

from detector.esql import ast
from detector.esql.errors import QUERY_START, Span

PartsReader = Callable[[Any], tuple[Any, ...]]


def walk(part: object) -> Iterator[ast.Node]:
    """Yield the nodes of a part of a tree in preorder, from left to right."""
    stack = [part]
    while stack:
        top = stack.pop()
        if isinstance(top, ast.Node):
            yield top
            stack.extend(_children_reader(type(top))(top))
        elif isinstance(top, tuple):
            stack.extend(reversed(top))


@cache
def node_classes() -> dict[str, Any]:
    """Return the node classes by name."""
    return {
        item.__name__: item
        for item in vars(ast).values()
        if isinstance(item, type) and issubclass(item, ast.Node)
    }


@cache
def part_names(kind: Any) -> tuple[str, ...]:
    """Return the names of a node class's fields, without the span."""
    return tuple(name for name in kind.__struct_fields__ if name != "span")


def parts_reader(names: Sequence[str]) -> PartsReader:
    """Return a function that reads these fields of a node as a tuple."""
    match names:
        case []:
            return lambda _: ()
        case [name]:
            return lambda node: (getattr(node, name),)
    return attrgetter(*names)


@cache
def _children_reader(kind: Any) -> PartsReader:
    """Return a function that reads a node's fields that may hold nodes, the last one first."""
    written: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        written |= vars(base).get("__annotations__", {})
    names = [name for name in part_names(kind) if _may_hold_nodes(written[name])]
    return parts_reader(names[::-1])


def _may_hold_nodes(annotation: str) -> bool:
    """Tell whether the annotation of a field names a node class."""
    return not node_classes().keys().isdisjoint(re.findall(r"\w+", annotation))


_OF_TIME = ("now", "tbucket")


def depends_on_time(part: ast.Node | str) -> bool:
    """Tell whether a node, or the ``repr`` of one, uses the current time."""
    if isinstance(part, str):
        return any(f"Call(name='{name}'" in part for name in _OF_TIME)
    return any(isinstance(node, ast.Call) and node.name in _OF_TIME for node in walk(part))


def join_conditions(
    operator: str, conditions: Sequence[ast.Expression], span: Span = QUERY_START
) -> ast.Expression:
    """Join conditions with ``and`` or ``or``.

    A single condition is returned unchanged; without any, ``and`` gives true, ``or`` false."""
    if not conditions:
        return ast.Literal(operator == "and", span=span)
    if len(conditions) == 1:
        return conditions[0]
    return ast.Logic(operator, tuple(conditions), span=span)
