"""What a query looks for, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from detector.esql import ast

_WORDS = {
    ">=": "at least",
    ">": "more than",
    "==": "exactly",
    "<=": "at most",
    "<": "fewer than",
    "!=": "not",
}
_OPPOSITE = {">=": "<=", "<=": ">=", ">": "<", "<": ">"}


def meaning(
    shape: str, window: int | None, keys: Sequence[str], wanted: Sequence[str], gap: int = 0
) -> str:
    """What a rule gives alerts for; the arguments are those of Query and Rule."""
    by = ", ".join(keys)
    if shape == "terms":
        return f"the first event in {span(window or 0)} of each {by}"
    if shape == "filter":
        return (
            "each event that its query lets through"
            if window is None
            else (
                f"events that its query lets through; those of one {by or 'rule'} less than {span(window)} apart are one"
            )
        )
    where = (
        f"in windows of {span(window)}"
        if shape == "window" and window
        else f"in any {span(window)}"
        if window
        else "over everything"
    )
    close = f"; alerts that begin less than {span(gap)} apart are one" if gap else ""
    return f"{where} by {by or 'nothing: all events together'}: {' and '.join(wanted) or 'any event'}{close}"


def span(seconds: int) -> str:
    """``90 s``, ``61 min``, ``24 h``, ``10 d``: in the largest unit that it is a whole number
    of."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size and seconds % size == 0 and (unit != "d" or seconds > size):
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def thresholds(tree: ast.Tree) -> tuple[str, ...]:
    """What WHERE wants of the groups that STATS made: ``("at least 10 distinct cloud.region",
    …)``."""
    made: dict[str, ast.Expression] | None = None
    found: list[str] = []
    for command in tree.commands:
        match command:
            case ast.Stats(aggregations):
                made = {each.named.name: each.named.expression for each in aggregations}
            case ast.Where(condition) if made is not None:
                found.extend(words(part, made) for part in _parts(condition))
    return tuple(found)


def _parts(condition: ast.Expression) -> Iterator[ast.Expression]:
    if isinstance(condition, ast.Logic) and condition.operator == "and":
        for operand in condition.operands:
            yield from _parts(operand)
    else:
        yield condition


def words(node: ast.Expression, made: dict[str, ast.Expression]) -> str:
    """A condition, columns that STATS ``made`` by what they count."""
    match node:
        case ast.Compare(operator, ast.Literal(number), right) if not isinstance(
            right, ast.Literal
        ):
            return _compared(_OPPOSITE.get(operator, operator), right, number, made)
        case ast.Compare(operator, left, ast.Literal(number)):
            return _compared(operator, left, number, made)
        case ast.Compare(operator, left, right):
            return f"{_thing(left, made)} {operator} {_thing(right, made)}"
        case ast.Logic(operator, operands):
            return f"({f' {operator} '.join(words(operand, made) for operand in operands)})"
        case ast.Not(ast.IsNull(operand)):
            return f"{_thing(operand, made)} is known"
        case ast.IsNull(operand):
            return f"{_thing(operand, made)} is unknown"
        case ast.Not(operand):
            return f"not {words(operand, made)}"
    return _thing(node, made)


def _compared(
    operator: str, value: ast.Expression, number: object, made: dict[str, ast.Expression]
) -> str:
    if isinstance(number, int | float) and not isinstance(number, bool):
        return f"{_WORDS[operator]} {number} {_thing(value, made)}"
    return f"{_thing(value, made)} is {'' if operator == '==' else operator + ' '}{number}"


def _thing(node: ast.Expression, made: dict[str, ast.Expression]) -> str:
    """What an expression counts or holds."""
    match node:
        case ast.Column(name) if name in made and made[name] != node:
            inner = made[name]
            return _thing(inner, made) if isinstance(inner, ast.Call) and _counts(inner) else name
        case ast.Column(name):
            return name
        case ast.Literal(value):
            return str(value)
        case ast.Call("count", (), _):
            return "events"
        case ast.Call("count", (ast.Column(name),), _):
            return f"values of {name}"
        case ast.Call("count_distinct", (ast.Column(name), *_), _):
            return f"distinct {name}"
        case ast.Call(name, arguments, _):
            return f"{name}({', '.join(_thing(each, made) for each in arguments)})"
        case ast.Arithmetic(operator, left, right):
            return f"{_thing(left, made)} {operator} {_thing(right, made)}"
    return "the condition of the query"


def _counts(call: ast.Call) -> bool:
    return call.name in ("count", "count_distinct")
