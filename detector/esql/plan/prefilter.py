"""Push conditions down to a record's head.

Most records are rejected by their head, before they are decoded completely.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from itertools import chain
from operator import attrgetter

import msgspec

from detector.cloudtrail.caller_view import CallerView
from detector.cloudtrail.record import EventSignature, Head
from detector.ecs.fields import Field, FieldTable
from detector.esql import ast
from detector.esql.expressions.compiler import Compiler
from detector.esql.expressions.scope import (
    RECORD,
    ColumnScope,
    ConstantFact,
    FieldFact,
    Getter,
    QueryOptions,
    RowLayout,
)
from detector.esql.plan.predicate_analysis import columns_in, conjuncts, known_fact
from detector.esql.tree_walk import depends_on_time

_PAIR_FIELDS = frozenset({"event_source", "event_name"})
_CALLER = frozenset({"user_identity"})
_HasField = Callable[[Field], bool]
_is_of_head: _HasField = attrgetter("of_head")
_is_of_caller: _HasField = attrgetter("of_caller")


class HeadCondition:
    """A condition on a head that reads only the head's fields ``reads``.

    It is compiled when it is first tested, because most rules never test a head."""

    def __init__(
        self,
        reads: frozenset[str],
        read_node: Callable[[], ast.Expression],
        fields: FieldTable,
        options: QueryOptions,
    ) -> None:
        self.reads = reads
        self._read_node = read_node
        self._fields = fields
        self._options = options

    @property
    def node(self) -> ast.Expression:
        return self._read_node()

    @property
    def context(self) -> tuple[FieldTable, QueryOptions]:
        """The fields and options with which the condition is compiled."""
        return self._fields, self._options

    def accepts(self, head: Head | EventSignature | CallerView) -> bool:
        """Tell whether the condition is true for a head.

        Raises NotInView if ``head`` is a caller view and the condition reads more of the record."""
        return self._value(head) is True

    def left_for(self, call: EventSignature, known: frozenset[str]) -> HeadCondition | bool:
        """Return the residual condition if a head's ``known`` fields equal those of a call.

        If they decide the condition, return its truth as a bool."""
        folded = self._fold(self.node, call, known)
        if isinstance(folded, bool):
            return folded
        left = self._part(folded)
        return left.accepts(call) if left.reads <= known else left

    def _fold(
        self, node: ast.Expression, call: EventSignature, known: frozenset[str]
    ) -> ast.Expression | bool:
        """Return the truth of a condition if the known fields decide it, or the residual one."""
        if isinstance(node, ast.Logic):
            return self._fold_logic(node, call, known)
        if isinstance(node, ast.Not):
            operand = self._fold(node.operand, call, known)
            if isinstance(operand, bool):
                return not operand
            return msgspec.structs.replace(node, operand=operand)
        part = self._part(node)
        value = part._value(call) if part.reads <= known else None
        return node if value is None else value

    def _fold_logic(
        self, node: ast.Logic, call: EventSignature, known: frozenset[str]
    ) -> ast.Expression | bool:
        deciding_value = node.operator == "or"
        operands = [self._fold(operand, call, known) for operand in node.operands]
        if deciding_value in operands:
            return deciding_value
        left = tuple(operand for operand in operands if not isinstance(operand, bool))
        return msgspec.structs.replace(node, operands=left) if left else not deciding_value

    def _part(self, node: ast.Expression) -> HeadCondition:
        reads = fields_read(node, self._fields)
        return HeadCondition(reads, lambda: node, self._fields, self._options)

    def _value(self, head: Head | EventSignature | CallerView) -> bool | None:
        layout, test = self._compiled
        row = layout.new_row()
        row[RECORD] = head
        value: bool | None = test(row)
        return value

    @cached_property
    def _compiled(self) -> tuple[RowLayout, Getter]:
        layout = RowLayout(self._options)
        return layout, Compiler(ColumnScope(layout, self._fields)).condition(self.node).read


def fields_read(node: ast.Expression, fields: FieldTable) -> frozenset[str]:
    """Return the fields of a head that a condition reads."""
    names = {column.name for column in columns_in(node)}
    return frozenset(chain.from_iterable(fields[name].head_fields for name in names))


class HeadConditions:
    """Conditions that are tested on a head together, each with the bits of the rules that have it.

    A field that several conditions read is read once, and a condition that several rules share is
    tested once. The conditions are compiled when a head is first tested."""

    def __init__(self, conditions: Iterable[tuple[HeadCondition, int]]) -> None:
        self._conditions = tuple(conditions)

    def refused(self, head: Head | EventSignature) -> int:
        """Return the bits of the conditions that are not true for a head."""
        bits = 0
        for layout, tests in self._compiled:
            row = layout.new_row()
            row[RECORD] = head
            for test, of_test in tests:
                if test(row) is not True:
                    bits |= of_test
        return bits

    @cached_property
    def _compiled(self) -> list[tuple[RowLayout, list[tuple[Getter, int]]]]:
        together: list[tuple[tuple[FieldTable, QueryOptions], dict[str, _SharedCondition]]] = []
        for condition, bits in self._conditions:
            context, node = condition.context, condition.node
            known = next((nodes for each, nodes in together if each == context), None)
            if known is None:
                known = {}
                together.append((context, known))
            shared = known.setdefault(repr(node), _SharedCondition(node))
            shared.bits |= bits
        return [_compile_all(context, nodes.values()) for context, nodes in together]


class _SharedCondition(msgspec.Struct):
    """A condition that rules share; ``bits`` are the bits of these rules."""

    node: ast.Expression
    bits: int = 0


def _compile_all(
    context: tuple[FieldTable, QueryOptions], conditions: Iterable[_SharedCondition]
) -> tuple[RowLayout, list[tuple[Getter, int]]]:
    """Compile conditions over a shared row; return its layout, and each test with its bits."""
    fields, options = context
    layout = RowLayout(options)
    compiler = Compiler(ColumnScope(layout, fields))
    return layout, [(compiler.condition(each.node).read, each.bits) for each in conditions]


class Prefilter(msgspec.Struct, frozen=True):
    """The conditions on a record's head that a filter implies; all must be true.

    ``pair``: those on provider and action alone; ``rest``: the others. ``is_exact``: a record
    whose head satisfies them passes the filter. ``caller``: conditions on the whole caller, of
    which a head has only a part."""

    pair: tuple[HeadCondition, ...]
    rest: tuple[HeadCondition, ...]
    is_exact: bool = False
    caller: tuple[HeadCondition, ...] = ()

    def accepts_pair(self, head: Head) -> bool:
        """Tell whether a record with this provider and action could pass."""
        return all(condition.accepts(head) for condition in self.pair)

    def accepts(self, head: Head) -> bool:
        """Tell whether a record could pass, given that its provider and action are accepted."""
        return all(condition.accepts(head) for condition in self.rest)


class PrefilterBuilder:
    """Builds a prefilter from the conditions before STATS."""

    def __init__(self, options: QueryOptions, fields: FieldTable) -> None:
        self._options = options
        self._fields = fields
        self._pair: list[HeadCondition] = []
        self._rest: list[HeadCondition] = []
        self._caller: list[HeadCondition] = []
        self._is_exact = True

    def add(self, condition: ast.Expression, scope: ColumnScope) -> None:
        """Add a condition on the columns of ``scope`` that must be true."""
        for conjunct in conjuncts(condition):
            implied = self._implied(conjunct, scope, _is_of_head)
            self._is_exact &= implied is conjunct
            if implied is not conjunct:
                of_caller = self._implied(conjunct, scope, _is_of_caller)
                if of_caller is not None:
                    self._caller.append(self._condition(of_caller, _CALLER))
            if implied is None:
                continue
            reads = fields_read(implied, self._fields)
            conditions = self._pair if reads <= _PAIR_FIELDS else self._rest
            conditions.append(self._condition(implied, reads))

    def _condition(self, node: ast.Expression, reads: frozenset[str]) -> HeadCondition:
        return HeadCondition(reads, lambda: node, self._fields, self._options)

    def build(self) -> Prefilter:
        return Prefilter(tuple(self._pair), tuple(self._rest), self._is_exact, tuple(self._caller))

    def _implied(
        self, node: ast.Expression, scope: ColumnScope, is_there: _HasField
    ) -> ast.Expression | None:
        """Return the condition that ``node`` implies on the available fields, if any."""
        if isinstance(node, ast.Logic):
            return self._implied_by_logic(node, scope, is_there)
        columns = list(columns_in(node))
        if not columns or depends_on_time(node):
            return None
        if all(self._has(column, scope, is_there) for column in columns):
            return node
        return None

    def _implied_by_logic(
        self, node: ast.Logic, scope: ColumnScope, is_there: _HasField
    ) -> ast.Expression | None:
        operands = [self._implied(operand, scope, is_there) for operand in node.operands]
        implied = tuple(operand for operand in operands if operand is not None)
        # An "and" implies what any operand implies, an "or" needs something from every operand.
        if not implied or (node.operator == "or" and len(implied) < len(operands)):
            return None
        if implied == node.operands:
            return node
        if len(implied) == 1:
            return implied[0]
        return msgspec.structs.replace(node, operands=implied)

    def _has(self, column: ast.Column, scope: ColumnScope, is_there: _HasField) -> bool:
        """Tell whether a column is an available field of the same name, or a constant field."""
        match known_fact(column, scope):
            case FieldFact(name):
                return name == column.name and is_there(self._fields[name])
            case ConstantFact():
                field = self._fields.get(column.name)
                return field is not None and field.constant is not None
        return False
