"""A query's thresholds in words."""

from __future__ import annotations

from collections.abc import Iterator

from detector.rules import syntax

_WORDS = {">=": "at least", ">": "more than", "==": "exactly", "<=": "at most", "<": "fewer than", "!=": "not"}
_OPPOSITE = {">=": "<=", "<=": ">=", ">": "<", "<": ">"}


def thresholds(tree: syntax.Tree) -> tuple[str, ...]:
    """What WHERE wants of the groups that STATS made: ``("at least 10 distinct cloud.region", …)``."""
    made: dict[str, syntax.Expression] | None = None
    found: list[str] = []
    for command in tree.commands:
        match command:
            case syntax.Stats(aggregations):
                made = {each.named.name: each.named.expression for each in aggregations}
            case syntax.Where(condition) if made is not None:
                found.extend(words(part, made) for part in _parts(condition))
    return tuple(found)


def _parts(condition: syntax.Expression) -> Iterator[syntax.Expression]:
    if isinstance(condition, syntax.Logic) and condition.operator == "and":
        yield from _parts(condition.left)
        yield from _parts(condition.right)
    else:
        yield condition


def words(node: syntax.Expression, made: dict[str, syntax.Expression]) -> str:
    """A condition, columns that STATS ``made`` by what they count."""
    match node:
        case syntax.Compare(operator, syntax.Literal(number), right) if not isinstance(right, syntax.Literal):
            return _compared(_OPPOSITE.get(operator, operator), right, number, made)
        case syntax.Compare(operator, left, syntax.Literal(number)):
            return _compared(operator, left, number, made)
        case syntax.Compare(operator, left, right):
            return f"{_thing(left, made)} {operator} {_thing(right, made)}"
        case syntax.Logic(operator, left, right):
            return f"({words(left, made)} {operator} {words(right, made)})"
        case syntax.Not(syntax.IsNull(operand)):
            return f"{_thing(operand, made)} is known"
        case syntax.IsNull(operand):
            return f"{_thing(operand, made)} is unknown"
        case syntax.Not(operand):
            return f"not {words(operand, made)}"
    return _thing(node, made)


def _compared(operator: str, value: syntax.Expression, number: object, made: dict[str, syntax.Expression]) -> str:
    if isinstance(number, int | float) and not isinstance(number, bool):
        return f"{_WORDS[operator]} {number} {_thing(value, made)}"
    return f"{_thing(value, made)} is {'' if operator == '==' else operator + ' '}{number}"


def _thing(node: syntax.Expression, made: dict[str, syntax.Expression]) -> str:
    """What an expression counts or holds."""
    match node:
        case syntax.Column(name) if name in made and made[name] != node:
            inner = made[name]
            return _thing(inner, made) if isinstance(inner, syntax.Call) and _counts(inner) else name
        case syntax.Column(name):
            return name
        case syntax.Literal(value):
            return str(value)
        case syntax.Call("count", (), _):
            return "events"
        case syntax.Call("count_distinct", (syntax.Column(name), *_), _):
            return f"distinct {name}"
        case syntax.Call(name, arguments, _):
            return f"{name}({', '.join(_thing(each, made) for each in arguments)})"
        case syntax.Arithmetic(operator, left, right):
            return f"{_thing(left, made)} {operator} {_thing(right, made)}"
    return "the condition of the query"


def _counts(call: syntax.Call) -> bool:
    return call.name in ("count", "count_distinct")
