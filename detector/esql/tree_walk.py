"""Walk syntax trees, and put conditions together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from detector.esql import ast
from detector.esql.errors import QUERY_START, Span


def walk(part: object) -> Iterator[ast.Node]:
    """Yield the nodes of a part of a tree: each before those in it, from the left."""
    stack = [part]
    while stack:
        top = stack.pop()
        if isinstance(top, ast.Node):
            yield top
            kind: Any = type(top)
            stack.extend(getattr(top, name) for name in reversed(part_names(kind)))
        elif isinstance(top, tuple):
            stack.extend(reversed(top))


@cache
def part_names(kind: Any) -> tuple[str, ...]:
    """Return the names of the fields of a node's class that may hold other nodes."""
    return tuple(name for name in kind.__struct_fields__ if name != "span")


_OF_TIME = ("now", "tbucket")


def depends_on_time(part: ast.Node | str) -> bool:
    """Check whether a node, or its printed form, uses the current time."""
    if isinstance(part, str):
        return any(f"Call(name='{name}'" in part for name in _OF_TIME)
    return any(isinstance(node, ast.Call) and node.name in _OF_TIME for node in walk(part))


def join_conditions(
    operator: str, conditions: Sequence[ast.Expression], span: Span = QUERY_START
) -> ast.Expression:
    """Join conditions by ``and`` or ``or``: one stands by itself, none is what that is of none."""
    if not conditions:
        return ast.Literal(operator == "and", span=span)
    if len(conditions) == 1:
        return conditions[0]
    return ast.Logic(operator, tuple(conditions), span=span)
