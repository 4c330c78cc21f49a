"""Finds the effects that fields which are always null here have on a rule.

Conditions are evaluated in three-valued logic with such a field null and all else unknown: can a
condition be true at all, and can it be anything else?
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from detector.ecs.fields import FieldTable
from detector.esql import ast
from detector.esql.comparisons import COMPARISONS
from detector.esql.errors import Span
from detector.esql.plan.predicate_analysis import columns_in, conjuncts

Truth = bool | None
_ANY: Final[frozenset[Truth]] = frozenset({True, False, None})
_OPPOSITES: Final[dict[Truth, Truth]] = {True: False, False: True, None: None}
_COUNTS = ("count", "count_distinct")
_NULL_SAFE = ("case", "coalesce")
"""Functions that may return a value for a null argument."""


class _Unknown:
    __slots__ = ()


_UNKNOWN: Final = _Unknown()


def absent_fields(tree: ast.Node, fields: FieldTable) -> dict[str, tuple[Span, str]]:
    """Return the fields of a query that are always null here: the last use of each and the
    reason."""
    absent: dict[str, tuple[Span, str]] = {}
    for column in columns_in(tree):
        field = fields.get(column.name)
        if field is not None and field.absent:
            absent[column.name] = column.span, field.absent
        elif field is None and isinstance(column, ast.OptionalColumn):
            absent[column.name] = column.span, "CloudTrail has no such field"
    return absent


def null_effects(tree: ast.Tree, fields: FieldTable, intended: bool) -> Iterator[tuple[Span, str]]:
    """Yield a place and a sentence for each field of a query that is always null here.

    ``intended``: negated conditions are true for missing fields."""
    for name, (span, reason) in absent_fields(tree, fields).items():
        judge = _Judge(name, intended)
        judge.walk(tree.commands)
        because = f"{name} is always null here: {reason}"
        if judge.never:
            yield span, f"the rule can never fire here, since {because}"
        elif judge.true_atoms:
            yield (
                judge.true_atoms[0].span,
                "the rule fires more often here than in Elastic: this condition holds back "
                f"nothing, since {because}",
            )
        elif judge.false_atoms:
            yield (
                judge.false_atoms[0].span,
                f"this condition is never true here, since {because}; the others still find events",
            )
        elif judge.is_null(name):
            yield span, f"the column {name} stays empty here: {reason}"


class _Judge:
    """Evaluates a query's conditions with one field null.

    ``never``: some condition cannot be true. ``true_atoms`` and ``false_atoms``: the parts with the
    field that are always or never true, taking the ``not`` around them into account."""

    def __init__(self, name: str, intended: bool) -> None:
        self._known: dict[str, Any] = {name: None}
        self._intended = intended
        self.never = False
        self.true_atoms: list[ast.Expression] = []
        self.false_atoms: list[ast.Expression] = []

    def walk(self, commands: tuple[ast.Command, ...]) -> None:
        for command in commands:
            match command:
                case ast.Where(condition):
                    self._add(condition)
                case ast.Eval(columns):
                    self._define(columns)
                case ast.Stats(aggregations, by) | ast.InlineStats(aggregations, by):
                    self._define(tuple(each.named for each in aggregations))
                    self._define(by)
                case ast.Rename(pairs):
                    for old, new in pairs:
                        self._known[new.name] = self._known.get(old.name, _UNKNOWN)
                case ast.Enrich(fields=tuple(added)) if added:
                    self._known |= {each.name: _UNKNOWN for each in added}
                case ast.Enrich() | ast.LookupJoin() | ast.Dissect() | ast.Grok():
                    self._known.clear()  # they may define any column
                case ast.Sequence(steps, order):
                    for index in dict.fromkeys(order):
                        self._add(steps[index].condition)

    def is_null(self, name: str) -> bool:
        """Return whether a column is still null after the last command."""
        return self._known.get(name, _UNKNOWN) is None

    def _define(self, columns: tuple[ast.Named, ...]) -> None:
        self._known |= {each.name: self._value(each.expression) for each in columns}

    def _add(self, condition: ast.Expression) -> None:
        for conjunct in conjuncts(condition):
            self.never |= True not in self._truths(conjunct)
            self._sort(conjunct)

    def _sort(self, node: ast.Expression, negated: bool = False) -> None:
        """Collect the parts with known columns that are always true or never true in their
        place."""
        match node:
            case ast.Logic(_, operands):
                for operand in operands:
                    self._sort(operand, negated)
                return
            case ast.Not(operand):
                self._sort(operand, not negated)
                return
        names = {column.name for column in columns_in(node)}
        if all(self._known.get(name, _UNKNOWN) is _UNKNOWN for name in names):
            return
        truths = self._truths(node)
        if negated:
            truths = self._negated(truths)
        if truths == {True}:
            self.true_atoms.append(node)
        elif True not in truths:
            self.false_atoms.append(node)

    # The truth values that a condition can have

    def _truths(self, node: ast.Expression) -> frozenset[Truth]:
        match node:
            case ast.Logic(operator, operands):
                return self._joined(operator, [self._truths(operand) for operand in operands])
            case ast.Not(operand):
                return self._negated(self._truths(operand))
            case ast.AnyValue(condition):
                return frozenset(truth is True for truth in self._truths(condition))
            case ast.FieldMatch(field):
                if self._value(field) is None:
                    return frozenset({False})
                return frozenset({True, False})
            case ast.IsNull(operand):
                value = self._value(operand)
                if value is not _UNKNOWN:
                    return frozenset({value is None})
                return _ANY - {None}
            case ast.Compare():
                return self._compared(node)
            case ast.In(value) | ast.Like(value) | ast.InsensitiveLike(value):
                if self._value(value) is None:
                    return frozenset({None})
                return _ANY
        value = self._value(node)
        if value is _UNKNOWN:
            return _ANY
        return frozenset({value})

    def _compared(self, node: ast.Compare) -> frozenset[Truth]:
        left, right = self._value(node.left), self._value(node.right)
        if left is None or right is None:
            if self._intended and node.operator == "!=":
                return frozenset({True})
            return frozenset({None})
        if isinstance(left, int) and isinstance(right, int):
            return frozenset({bool(COMPARISONS[node.operator](left, right))})
        return _ANY

    def _negated(self, truths: frozenset[Truth]) -> frozenset[Truth]:
        if self._intended:
            return frozenset(truth is not True for truth in truths)
        return frozenset(_OPPOSITES[truth] for truth in truths)

    def _joined(self, operator: str, parts: list[frozenset[Truth]]) -> frozenset[Truth]:
        """Return the possible truth values of a conjunction or disjunction of ``parts``."""
        deciding = operator == "or"
        joined = parts[0]
        for part in parts[1:]:
            joined = frozenset(_join(deciding, a, b) for a in joined for b in part)
        return joined

    def _value(self, node: ast.Expression) -> Any:
        """Return the value of an expression; ``_UNKNOWN`` if it is not known."""
        match node:
            case ast.Literal(value):
                return value
            case ast.Column(name):
                return self._known.get(name, _UNKNOWN)
            case ast.Call(name, arguments) if name in _COUNTS and arguments:
                if self._value(arguments[0]) is None:
                    return 0
            case ast.Call(name, arguments) if name not in _NULL_SAFE:
                return _null_if(any(self._value(argument) is None for argument in arguments))
            case ast.Arithmetic(_, left, right):
                return _null_if(self._value(left) is None or self._value(right) is None)
            case ast.Cast(operand) | ast.Negate(operand):
                return _null_if(self._value(operand) is None)
        return _UNKNOWN


def _null_if(is_null: bool) -> Any:
    if is_null:
        return None
    return _UNKNOWN


def _join(deciding: bool, left: Truth, right: Truth) -> Truth:
    if deciding in (left, right):
        return deciding
    if None in (left, right):
        return None
    return not deciding
