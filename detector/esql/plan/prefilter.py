"""What a filter says of a record's head: most records are turned away by it before they are decoded whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from detector.cloudtrail.record import Head
from detector.ecs.fields import FieldTable
from detector.esql import ast
from detector.esql.compiler import Compiler
from detector.esql.plan import predicate_analysis
from detector.esql.scope import RECORD, ConstantFact, FieldFact, Row, RowLayout, Scope

_PAIR = frozenset({"event.provider", "event.action"})


@dataclass(frozen=True, slots=True)
class Prefilter:
    """``pair``: conditions on provider and action alone; ``rest``: further ones on the head. All
    must be true."""

    layout: RowLayout
    pair: tuple[Callable[[Row], Any], ...]
    rest: tuple[Callable[[Row], Any], ...]

    def accepts_pair(self, head: Head) -> bool:
        """Whether some record with this provider and action could get through."""
        return self._holds(self.pair, head)

    def accepts(self, head: Head) -> bool:
        """Whether a record with this head, whose provider and action get through, could get
        through."""
        return not self.rest or self._holds(self.rest, head)

    def _holds(self, conditions: Sequence[Callable[[Row], Any]], head: Head) -> bool:
        row = self.layout.new_row()
        row[RECORD] = head
        for condition in conditions:  # noqa: SIM110 (a loop costs half, and this runs for every record)
            if condition(row) is not True:
                return False
        return True


class PrefilterBuilder:
    """Collects a gate from the conditions before STATS."""

    def __init__(self, layout: RowLayout, table: FieldTable) -> None:
        self._scope = Scope(layout, table)
        self._table = table
        self._pair: list[Callable[[Row], Any]] = []
        self._rest: list[Callable[[Row], Any]] = []

    def add(self, condition: ast.Expression, scope: Scope) -> None:
        """A condition that must be true where the columns of ``scope`` are in force."""
        for part in parts(condition):
            if (known := self._weakened(part, scope)) is None:
                continue
            test = Compiler(self._scope).condition(known).read
            of_pair = all(
                column.name in _PAIR or self._table[column.name].constant is not None
                for column in columns(known)
            )
            (self._pair if of_pair else self._rest).append(test)

    def build(self) -> Prefilter:
        return Prefilter(self._scope.layout, tuple(self._pair), tuple(self._rest))

    def _weakened(self, node: ast.Expression, scope: Scope) -> ast.Expression | None:
        """What the head tells of ``node``: true wherever that is. None where it tells nothing."""
        if isinstance(node, ast.Logic):
            parts = [self._weakened(operand, scope) for operand in node.operands]
            known = tuple(part for part in parts if part is not None)
            if not known or (node.operator == "or" and len(known) < len(parts)):
                return None
            return replace(node, operands=known) if len(known) > 1 else known[0]
        found = list(columns(node))
        if not found or ast.asks_time(node):
            return None
        return node if all(self._of_head(column, scope) for column in found) else None

    def _of_head(self, column: ast.Column, scope: Scope) -> bool:
        match predicate_analysis.known_fact(column, scope):
            case FieldFact(name):
                return name == column.name and self._table[name].of_head
            case ConstantFact():
                return column.name in self._table and self._table[column.name].constant is not None
        return False


def parts(condition: ast.Expression) -> Iterator[ast.Expression]:
    """The conditions that all must be true for ``condition`` to be."""
    if isinstance(condition, ast.Logic) and condition.operator == "and":
        for operand in condition.operands:
            yield from parts(operand)
    else:
        yield condition


def columns(node: object) -> Iterator[ast.Column]:
    """The columns that stand in a part of a query."""
    if isinstance(node, ast.Column):
        yield node
    elif isinstance(node, ast.Node):
        for part in fields(node):
            if part.name != "span":
                yield from columns(getattr(node, part.name))
    elif isinstance(node, tuple):
        for each in node:
            yield from columns(each)
