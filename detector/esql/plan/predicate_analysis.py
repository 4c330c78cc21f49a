"""Infer from conditions which records and which groups can pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import reduce
from typing import NamedTuple

from detector.esql import ast
from detector.esql.comparisons import FLIPPED
from detector.esql.errors import EsqlError
from detector.esql.expressions.scope import (
    ColumnFact,
    ColumnScope,
    ConstantFact,
    FieldFact,
    HitCountFact,
    TimeSpanFact,
)
from detector.esql.tree_walk import walk
from detector.text.fold import fold

Pair = tuple[str | None, str | None]
"""An (event.provider, event.action); None means any. Pairs from case-insensitive conditions are
case-folded and stand for every spelling."""
Pairs = frozenset[Pair]

ANY_PAIR: Pairs = frozenset({(None, None)})
_MAX_PRODUCT = 4096


def conjuncts(condition: ast.Expression) -> Iterator[ast.Expression]:
    """Yield the conditions that must all be true for ``condition`` to be true."""
    if isinstance(condition, ast.Logic) and condition.operator == "and":
        for operand in condition.operands:
            yield from conjuncts(operand)
    else:
        yield condition


def columns_in(part: object) -> Iterator[ast.Column]:
    """Yield the columns that a part of a query references."""
    return (node for node in walk(part) if isinstance(node, ast.Column))


def required_pairs(condition: ast.Expression, scope: ColumnScope) -> Pairs:
    """Return a set of pairs such that every record passing ``condition`` has one of them.

    The empty set means that no record passes."""
    match condition:
        case ast.Logic("and", operands):
            return reduce(intersect_pairs, (required_pairs(operand, scope) for operand in operands))
        case ast.Logic("or", operands):
            union: Pairs = frozenset().union(
                *(required_pairs(operand, scope) for operand in operands)
            )
            return _without_covered(union)
        case ast.AnyValue(inner):
            return required_pairs(inner, scope)
        case ast.Compare("==", ast.Literal() as literal, column):
            return _pairs_of_in(column, (literal,), scope)
        case ast.Compare("==", column, value):
            return _pairs_of_in(column, (value,), scope)
        case ast.In(value, options):
            return _pairs_of_in(value, options, scope)
        case ast.FieldMatch(field, ":", value):
            return _pairs_of_in(field, (ast.Literal(value, span=condition.span),), scope)
        case ast.ValueMatch(field, "equal", values):
            return _pairs_of_texts(field, values, scope)
    return ANY_PAIR


def intersect_pairs(left: Pairs, right: Pairs) -> Pairs:
    """Return the pairs covered by both ``left`` and ``right``.

    If there would be too many combinations, return the smaller set, which is a superset."""
    if len(left) * len(right) > _MAX_PRODUCT:
        return min(left, right, key=len)
    common = set()
    for provider, action in left:
        for other_provider, other_action in right:
            if _agree(provider, other_provider) and _agree(action, other_action):
                common.add((provider or other_provider, action or other_action))
    return _without_covered(frozenset(common))


def _agree(left: str | None, right: str | None) -> bool:
    return left is None or right is None or left == right


def _without_covered(pairs: Pairs) -> Pairs:
    """Drop the pairs that a wider pair covers."""
    return frozenset(pair for pair in pairs if not _is_covered(pair, pairs))


def _is_covered(pair: Pair, pairs: Pairs) -> bool:
    provider, action = pair
    wider: set[Pair] = {(provider, None), (None, action), (None, None)} - {pair}
    return not wider.isdisjoint(pairs)


def _pairs_of_in(
    value: ast.Expression, options: tuple[ast.Expression, ...], scope: ColumnScope
) -> Pairs:
    """Return the pairs that ``value in options`` requires."""
    constants = [option.value for option in options if isinstance(option, ast.Literal)]
    if len(constants) < len(options):
        return ANY_PAIR
    match known_fact(value, scope):
        case FieldFact("event.provider"):
            return frozenset((text, None) for text in constants if isinstance(text, str))
        case FieldFact("event.action"):
            return frozenset((None, text) for text in constants if isinstance(text, str))
        case ConstantFact(constant):
            return ANY_PAIR if constant in constants else frozenset()
    return ANY_PAIR


def _pairs_of_texts(column: ast.Column, texts: tuple[str, ...], scope: ColumnScope) -> Pairs:
    """Return the pairs required by a raw field that must equal one of the texts in any case."""
    match known_fact(column, scope):
        case FieldFact("eventSource"):
            return frozenset((fold(text), None) for text in texts)
        case FieldFact("eventName"):
            return frozenset((None, fold(text)) for text in texts)
    return ANY_PAIR


def known_fact(node: ast.Expression, scope: ColumnScope) -> ColumnFact:
    """Return the fact of a column; None for any other expression."""
    if not isinstance(node, ast.Column):
        return None
    try:
        return scope.find(node.name, node.span).fact
    except EsqlError:
        return None


def find_multiplying_command(tree: ast.Tree) -> ast.Command | None:
    """Return the first MV_EXPAND that could make an event count several times, or None.

    An MV_EXPAND of a field that is a key is harmless: the field's values are distinct, so its rows
    go to different groups."""
    for index, command in enumerate(tree.commands):
        if isinstance(command, ast.Stats | ast.InlineStats):
            return _multiplying_command_before(command, tree.commands[:index])
    return None


def _multiplying_command_before(
    stats: ast.Stats | ast.InlineStats, commands: tuple[ast.Command, ...]
) -> ast.Command | None:
    keys = {key.expression.name for key in stats.by if isinstance(key.expression, ast.Column)}
    keys_are_fields = all(
        isinstance(command, ast.From | ast.Where | ast.MvExpand | ast.Keep | ast.Drop)
        for command in commands
    )
    for command in commands:
        if isinstance(command, ast.MvExpand):
            is_key = keys_are_fields and command.column.name in keys
            if not is_key:
                return command
    return None


def min_hits(condition: ast.Expression, scope: ColumnScope) -> int:
    """Return the minimum number of hits that can make ``condition`` true."""
    match condition:
        case ast.Logic("and", operands):
            return max(min_hits(operand, scope) for operand in operands)
        case ast.Logic("or", operands):
            return min(min_hits(operand, scope) for operand in operands)
        case ast.Compare(operator, left, ast.Literal(number)):
            return _min_hits_of_comparison(operator, left, number, scope)
        case ast.Compare(operator, ast.Literal(number), right):
            return _min_hits_of_comparison(FLIPPED.get(operator, operator), right, number, scope)
    return 1


def _min_hits_of_comparison(
    operator: str, value: ast.Expression, number: object, scope: ColumnScope
) -> int:
    least = _least(operator, number)
    if least is None or not isinstance(known_fact(value, scope), HitCountFact):
        return 1
    return max(1, least)


def _least(operator: str, number: object) -> int | None:
    """Return the smallest integer that passes a comparison with ``number``, or None."""
    if not isinstance(number, int) or isinstance(number, bool):
        return None
    return {">=": number, "==": number, ">": number + 1}.get(operator)


def min_distinct(condition: ast.Expression, scope: ColumnScope) -> dict[int, int]:
    """Return the minimum numbers of distinct values that ``condition`` needs, by input index.

    Only comparisons that must all be true are considered, none inside an ``or``."""
    least: dict[int, int] = {}
    for conjunct in conjuncts(condition):
        if not isinstance(conjunct, ast.Compare):
            continue
        for side in (conjunct.left, conjunct.right):
            fact = known_fact(side, scope)
            if isinstance(fact, HitCountFact) and fact.distinct is not None:
                number = min_hits(conjunct, scope)
                least[fact.distinct] = max(number, least.get(fact.distinct, 1))
    return least


class MinSpan(NamedTuple):
    """A lower bound on a measure of the first and last time (ms) of a group's rows."""

    measure: Callable[[int, int], int]
    least: int

    def has(self, first: int, last: int) -> bool:
        """Tell whether rows from ``first`` to ``last`` (epoch seconds) can reach the bound."""
        return self.measure(first * 1000, last * 1000) >= self.least


def min_spans(condition: ast.Expression, scope: ColumnScope) -> Iterator[MinSpan]:
    """Yield the lower bounds that ``condition`` sets on the time between a group's rows.

    Only comparisons that must all be true are considered."""
    for conjunct in conjuncts(condition):
        match conjunct:
            case ast.Compare(operator, ast.Column() as column, ast.Literal(number)):
                least = _least(operator, number)
            case ast.Compare(operator, ast.Literal(number), ast.Column() as column):
                least = _least(FLIPPED.get(operator, operator), number)
            case _:
                continue
        fact = known_fact(column, scope)
        if isinstance(fact, TimeSpanFact) and least is not None:
            yield MinSpan(fact.measure, least)
