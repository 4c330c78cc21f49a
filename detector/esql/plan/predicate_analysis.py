"""What conditions imply, without looking at a record: who can pass a filter, how few hits can fire."""

from __future__ import annotations

from functools import reduce

from detector.esql import ast
from detector.esql.errors import EsqlError
from detector.esql.scope import ConstantFact, Fact, FieldFact, HitCountFact, Scope

Pair = tuple[str | None, str | None]
"""An (event.provider, event.action); None is any."""
Pairs = frozenset[Pair]

ANY_PAIR: Pairs = frozenset({(None, None)})
_MOST = 4096


def required_pairs(condition: ast.Expression, scope: Scope) -> Pairs:
    """Every record for which ``condition`` is true has one of these. None at all: it is never
    true."""
    match condition:
        case ast.Logic("and", operands):
            return reduce(intersect_pairs, (required_pairs(operand, scope) for operand in operands))
        case ast.Logic("or", operands):
            return _shortened(
                frozenset().union(*(required_pairs(operand, scope) for operand in operands))
            )
        case ast.Compare("==", left, right):
            column, constant = (right, left) if isinstance(left, ast.Literal) else (left, right)
            return _one_of(column, (constant,), scope)
        case ast.In(value, options):
            return _one_of(value, options, scope)
        case ast.FieldMatch(field, ":", value):
            return _one_of(field, (ast.Literal(value, span=condition.span),), scope)
    return ANY_PAIR


def intersect_pairs(left: Pairs, right: Pairs) -> Pairs:
    """Those that are in ``left`` and in ``right``."""
    if len(left) * len(right) > _MOST:
        return min(left, right, key=len)
    met = set()
    for provider, action in left:
        for other_provider, other_action in right:
            if _agree(provider, other_provider) and _agree(action, other_action):
                met.add((provider or other_provider, action or other_action))
    return _shortened(frozenset(met))


def _agree(one: str | None, other: str | None) -> bool:
    return one is None or other is None or one == other


def _shortened(found: Pairs) -> Pairs:
    """Without those that a wider one covers."""
    return frozenset(
        (provider, action)
        for provider, action in found
        if not (
            provider is not None
            and action is not None
            and ((provider, None) in found or (None, action) in found)
        )
        and ((provider, action) == (None, None) or (None, None) not in found)
    )


def _one_of(value: ast.Expression, options: tuple[ast.Expression, ...], scope: Scope) -> Pairs:
    """What ``value in options`` requires."""
    texts = [option.value for option in options if isinstance(option, ast.Literal)]
    if len(texts) < len(options):
        return ANY_PAIR
    match known_fact(value, scope):
        case FieldFact("event.provider"):
            return frozenset((text, None) for text in texts if isinstance(text, str))
        case FieldFact("event.action"):
            return frozenset((None, text) for text in texts if isinstance(text, str))
        case ConstantFact(constant):
            return ANY_PAIR if constant in texts else frozenset()
    return ANY_PAIR


def known_fact(node: ast.Expression, scope: Scope) -> Fact:
    """What is known of the column that ``node`` is, if it is one."""
    if not isinstance(node, ast.Column):
        return None
    try:
        return scope.find(node.name, node.span).fact
    except EsqlError:
        return None


def find_multiplying_command(tree: ast.Tree) -> ast.Command | None:
    """The command that makes rows of one event that can meet in one group: MV_EXPAND, unless of a
    field that is a key.

    The values of a field differ, so that such rows go to different groups.
    """
    place = next(
        (place for place, each in enumerate(tree.commands) if isinstance(each, ast.Stats)), None
    )
    if place is None:
        return None
    stats, before = tree.commands[place], tree.commands[:place]
    keys = {
        key.expression.name
        for key in getattr(stats, "by", ())
        if isinstance(key.expression, ast.Column)
    }
    plain = all(
        isinstance(each, ast.From | ast.Where | ast.MvExpand | ast.Keep | ast.Drop)
        for each in before
    )
    return next(
        (
            each
            for each in before
            if isinstance(each, ast.MvExpand) and not (plain and each.column.name in keys)
        ),
        None,
    )


def min_hits(condition: ast.Expression, scope: Scope) -> int:
    """No group of fewer hits than this makes ``condition`` true."""
    match condition:
        case ast.Logic("and", operands):
            return max(min_hits(operand, scope) for operand in operands)
        case ast.Logic("or", operands):
            return min(min_hits(operand, scope) for operand in operands)
        case ast.Compare(operator, left, ast.Literal(number)):
            return _least(operator, left, number, scope)
        case ast.Compare(operator, ast.Literal(number), right):
            return _least(operator.translate(str.maketrans("<>", "><")), right, number, scope)
    return 1


def _least(operator: str, value: ast.Expression, number: object, scope: Scope) -> int:
    if (
        not isinstance(number, int)
        or isinstance(number, bool)
        or not isinstance(known_fact(value, scope), HitCountFact)
    ):
        return 1
    return max(1, {">=": number, "==": number, ">": number + 1}.get(operator, 1))
