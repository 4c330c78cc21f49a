"""What conditions imply, without looking at a record: who can pass a filter, how few hits can fire."""

from __future__ import annotations

from detector.rules import syntax
from detector.rules.errors import EsqlError
from detector.rules.scope import Fact, OfConstant, OfField, OfHits, Scope

Pair = tuple[str | None, str | None]
"""An (event.provider, event.action); None is any."""
Pairs = frozenset[Pair]

ANY: Pairs = frozenset({(None, None)})
_MOST = 4096


def pairs(condition: syntax.Expression, scope: Scope) -> Pairs:
    """Every record for which ``condition`` is true has one of these. None at all: it is never true."""
    match condition:
        case syntax.Logic("and", left, right):
            return both(pairs(left, scope), pairs(right, scope))
        case syntax.Logic("or", left, right):
            return _shortened(pairs(left, scope) | pairs(right, scope))
        case syntax.Compare("==", left, right):
            return _one_of(left, (right,), scope) or _one_of(right, (left,), scope) or ANY
        case syntax.In(value, options):
            return _one_of(value, options, scope) or ANY
    return ANY


def both(left: Pairs, right: Pairs) -> Pairs:
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
    return frozenset((provider, action) for provider, action in found
                     if not (provider is not None and action is not None
                             and ((provider, None) in found or (None, action) in found))
                     and ((provider, action) == (None, None) or (None, None) not in found))


def _one_of(value: syntax.Expression, options: tuple[syntax.Expression, ...], scope: Scope) -> Pairs | None:
    """None where ``value in options`` says nothing of provider and action; the empty set where it is never true."""
    texts = [option.value for option in options if isinstance(option, syntax.Literal)]
    if len(texts) < len(options):
        return None
    match fact(value, scope):
        case OfField("event.provider"):
            return frozenset((text, None) for text in texts if isinstance(text, str))
        case OfField("event.action"):
            return frozenset((None, text) for text in texts if isinstance(text, str))
        case OfConstant(constant):
            return ANY if constant in texts else frozenset()
    return None


def fact(node: syntax.Expression, scope: Scope) -> Fact:
    """What is known of the column that ``node`` is, if it is one."""
    if not isinstance(node, syntax.Column):
        return None
    try:
        return scope.find(node.name, node.at).fact
    except EsqlError:
        return None


def minimum(condition: syntax.Expression, scope: Scope) -> int:
    """No group of fewer hits than this makes ``condition`` true."""
    match condition:
        case syntax.Logic("and", left, right):
            return max(minimum(left, scope), minimum(right, scope))
        case syntax.Logic("or", left, right):
            return min(minimum(left, scope), minimum(right, scope))
        case syntax.Compare(operator, left, syntax.Literal(number)):
            return _least(operator, left, number, scope)
        case syntax.Compare(operator, syntax.Literal(number), right):
            return _least(operator.translate(str.maketrans("<>", "><")), right, number, scope)
    return 1


def _least(operator: str, value: syntax.Expression, number: object, scope: Scope) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or not isinstance(fact(value, scope), OfHits):
        return 1
    return max(1, {">=": number, "==": number, ">": number + 1}.get(operator, 1))
