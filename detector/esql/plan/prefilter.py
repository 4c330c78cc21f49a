"""Push conditions down to a record's head.

Most records are rejected by it, before they are decoded whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain

from detector.cloudtrail.record import Head
from detector.ecs.fields import FieldTable
from detector.esql import ast
from detector.esql.expressions.compiler import Compiler
from detector.esql.expressions.scope import (
    RECORD,
    ColumnScope,
    ConstantFact,
    FieldFact,
    Getter,
    RowLayout,
)
from detector.esql.plan.predicate_analysis import columns_in, conjuncts, known_fact

_PAIR_FIELDS = frozenset({"event_source", "event_name"})


@dataclass(frozen=True, slots=True)
class HeadCondition:
    """A condition on a head, which reads the fields ``reads`` of it and no more."""

    layout: RowLayout
    test: Getter
    reads: frozenset[str]

    def accepts(self, head: Head) -> bool:
        """Check whether the condition is true of a head."""
        row = self.layout.new_row()
        row[RECORD] = head
        return self.test(row) is True


@dataclass(frozen=True, slots=True)
class Prefilter:
    """The conditions on a record's head that a filter implies.

    All must be true. ``pair``: those on provider and action alone; ``rest``: the others.
    ``is_exact``: a record whose head fulfils them passes the filter."""

    pair: tuple[HeadCondition, ...]
    rest: tuple[HeadCondition, ...]
    is_exact: bool = False

    def accepts_pair(self, head: Head) -> bool:
        """Check whether a record with this provider and action could pass."""
        return all(condition.accepts(head) for condition in self.pair)

    def accepts(self, head: Head) -> bool:
        """Check whether a record could pass whose provider and action are accepted."""
        return all(condition.accepts(head) for condition in self.rest)


class PrefilterBuilder:
    """Builds a prefilter from the conditions before STATS."""

    def __init__(self, layout: RowLayout, fields: FieldTable) -> None:
        self._scope = ColumnScope(layout, fields)
        self._fields = fields
        self._pair: list[HeadCondition] = []
        self._rest: list[HeadCondition] = []
        self._is_exact = True

    def add(self, condition: ast.Expression, scope: ColumnScope) -> None:
        """Add a condition that must be true of the columns of ``scope``."""
        for conjunct in conjuncts(condition):
            implied = self._implied(conjunct, scope)
            self._is_exact &= implied is conjunct
            if implied is None:
                continue
            columns = list(columns_in(implied))
            test = Compiler(self._scope).condition(implied).read
            reads = frozenset(
                chain.from_iterable(self._fields[column.name].head_fields for column in columns)
            )
            is_of_pair = all(self._is_of_pair(column) for column in columns)
            conditions = self._pair if is_of_pair else self._rest
            conditions.append(HeadCondition(self._scope.layout, test, reads))

    def build(self) -> Prefilter:
        return Prefilter(tuple(self._pair), tuple(self._rest), self._is_exact)

    def _implied(self, node: ast.Expression, scope: ColumnScope) -> ast.Expression | None:
        """Return the condition on the head that ``node`` implies, if any."""
        if isinstance(node, ast.Logic):
            return self._implied_by_logic(node, scope)
        columns = list(columns_in(node))
        if not columns or ast.depends_on_time(node):
            return None
        if all(self._is_of_head(column, scope) for column in columns):
            return node
        return None

    def _implied_by_logic(self, node: ast.Logic, scope: ColumnScope) -> ast.Expression | None:
        operands = [self._implied(operand, scope) for operand in node.operands]
        implied = tuple(operand for operand in operands if operand is not None)
        # An "and" implies what any of its operands does, an "or" only what all of them do.
        if not implied or (node.operator == "or" and len(implied) < len(operands)):
            return None
        if implied == node.operands:
            return node
        if len(implied) == 1:
            return implied[0]
        return replace(node, operands=implied)

    def _is_of_head(self, column: ast.Column, scope: ColumnScope) -> bool:
        """Check whether the head has a column's value under its name."""
        match known_fact(column, scope):
            case FieldFact(name):
                return name == column.name and self._fields[name].of_head
            case ConstantFact():
                field = self._fields.get(column.name)
                return field is not None and field.constant is not None
        return False

    def _is_of_pair(self, column: ast.Column) -> bool:
        return _PAIR_FIELDS.issuperset(self._fields[column.name].head_fields)
