"""Describe in words what a query searches for."""

from __future__ import annotations

from collections.abc import Sequence

from detector.esql import ast
from detector.esql.comparisons import FLIPPED
from detector.esql.plan.predicate_analysis import conjuncts
from detector.text.time import format_exact

_COMPARISONS = {
    ">=": "≥",
    ">": ">",
    "==": "exactly ",
    "<=": "≤",
    "<": "<",
    "!=": "not ",
}
_NOUNS = {
    "cloud.region": "regions",
    "event.action": "API calls",
    "event.provider": "services",
    "source.ip": "source IPs",
    "user_agent.original": "user agents",
    "cloud.account.id": "accounts",
    "aws.cloudtrail.user_identity.arn": "principals",
}
"""The noun for the distinct values of a field."""


def describe_alerts(
    shape: str, window: int | None, keys: Sequence[str], thresholds: Sequence[str], gap: int = 0
) -> str:
    """Describe the alerts of a rule; the arguments are attributes of Query and Rule."""
    by = ", ".join(keys)
    if shape == "terms":
        return f"the first event in {format_exact(window or 0)} of each {by}"
    if shape == "filter":
        if window is None:
            return "every event that matches its query"
        return (
            f"events that match its query; those of one {by or 'rule'} "
            f"within {format_exact(window)} of the first are one alert"
        )
    if shape == "sequence":
        of_one = f"of one {by or 'rule'}"
        return f"events {of_one} for the steps of its sequence within {format_exact(window or 0)}"
    if not window:
        where = "over all events"
    elif shape == "window":
        where = f"in windows of {format_exact(window)}"
    else:
        where = f"in any {format_exact(window)}"
    groups = by or "no key: all events together"
    conditions = " and ".join(thresholds) or "any event"
    text = f"{where} by {groups}: {conditions}"
    if gap:
        text += f"; alerts that begin within {format_exact(gap)} of the first are one alert"
    return text


def describe_thresholds(tree: ast.Tree) -> tuple[str, ...]:
    """Describe the conditions after STATS: ``("≥10 regions", …)``."""
    aggregates: dict[str, ast.Expression] | None = None
    descriptions: list[str] = []
    for command in tree.commands:
        match command:
            case ast.Stats(aggregations) | ast.InlineStats(aggregations):
                aggregates = {each.named.name: each.named.expression for each in aggregations}
            case ast.Eval(columns) if aggregates is not None:
                aggregates |= {each.name: each.expression for each in columns}
            case ast.Where(condition) if aggregates is not None:
                descriptions.extend(
                    _describe_condition(conjunct, aggregates) for conjunct in conjuncts(condition)
                )
    return tuple(descriptions)


def _describe_condition(node: ast.Expression, aggregates: dict[str, ast.Expression]) -> str:
    """Describe a condition; columns of STATS are named after what they count."""
    match node:
        case ast.Compare(operator, ast.Literal(number), right) if not isinstance(
            right, ast.Literal
        ):
            return _describe_comparison(FLIPPED.get(operator, operator), right, number, aggregates)
        case ast.Compare(operator, left, ast.Literal(number)):
            return _describe_comparison(operator, left, number, aggregates)
        case ast.Compare(operator, left, right):
            return (
                f"{_describe_value(left, aggregates)} {operator} "
                f"{_describe_value(right, aggregates)}"
            )
        case ast.Logic(operator, operands):
            conditions = [_describe_condition(operand, aggregates) for operand in operands]
            return f"({f' {operator} '.join(conditions)})"
        case ast.Not(ast.IsNull(operand)):
            return f"{_describe_value(operand, aggregates)} is known"
        case ast.IsNull(operand):
            return f"{_describe_value(operand, aggregates)} is unknown"
        case ast.Not(operand):
            return f"not {_describe_condition(operand, aggregates)}"
    return _describe_value(node, aggregates)


def _describe_comparison(
    operator: str, value: ast.Expression, number: object, aggregates: dict[str, ast.Expression]
) -> str:
    description = _describe_value(value, aggregates)
    if isinstance(number, int | float) and not isinstance(number, bool):
        return f"{_COMPARISONS[operator]}{number} {description}"
    sign = "" if operator == "==" else f"{operator} "
    return f"{description} is {sign}{number}"


def _describe_value(node: ast.Expression, aggregates: dict[str, ast.Expression]) -> str:
    """Describe what an expression counts; otherwise describe the expression itself."""
    match node:
        case ast.Column(name):
            return _describe_column(node, name, aggregates)
        case ast.Literal(value):
            return str(value)
        case ast.Call("count", (), _):
            return "events"
        case ast.Call("count", (ast.Column(name),), _):
            return f"values of {name}"
        case ast.Call("count_distinct", (ast.Column(name), *_), _):
            return _NOUNS.get(name, f"distinct {name}")
        case ast.Call(name, arguments, _):
            descriptions = [_describe_value(argument, aggregates) for argument in arguments]
            return f"{name}({', '.join(descriptions)})"
        case ast.Arithmetic(operator, left, right):
            return (
                f"{_describe_value(left, aggregates)} {operator} "
                f"{_describe_value(right, aggregates)}"
            )
    return "a condition of the query"


def _describe_column(node: ast.Column, name: str, aggregates: dict[str, ast.Expression]) -> str:
    """Describe a counting column by what it counts; return the name of any other column."""
    expression = aggregates.get(name)
    if expression is None or expression == node:
        return name
    match expression:
        case ast.Call("count" | "count_distinct"):
            return _describe_value(expression, aggregates)
        case ast.Call("date_diff", (ast.Literal(unit), *_)):
            return f"{unit} from first to last event"
    return name.removeprefix("Esql.").replace("_", " ")
