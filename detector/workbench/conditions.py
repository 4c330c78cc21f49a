"""Evaluates the conditions of a rule one by one, with the values that they test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from detector.cloudtrail.record import Record
from detector.ecs.fields import FieldTable
from detector.ecs.values import Value
from detector.esql import ast
from detector.esql.plan.planner import plan_tree
from detector.esql.plan.predicate_analysis import columns_in, conjuncts
from detector.esql.plan.query import Query
from detector.rules.rule import SIGMA_TYPES, Rule
from detector.sigma.fields import SIGMA_FIELDS

_LONGEST_VALUE = 160
_SIGNS = {">=": "≥", "<=": "≤", "==": "=", "!=": "≠"}


class ConditionAnswer(NamedTuple):
    """A condition, whether it holds (None: unknown), and the value that it tested."""

    text: str
    holds: bool | None
    value: str


class FilterConditions:
    """The conditions that an event must satisfy, each compiled separately.

    ``steps`` has a name and the conditions of each step of a sequence; other rules have one unnamed
    step."""

    def __init__(self, rule: Rule, fields: FieldTable) -> None:
        if rule.type in SIGMA_TYPES:
            fields = SIGMA_FIELDS
        self._fields = fields
        self._query = rule.query
        self.steps: list[tuple[str, list[tuple[str, ast.Expression, Query]]]] = []
        commands = rule.query.tree.commands
        last = commands[-1]
        sequence = next((each for each in commands if isinstance(each, ast.Sequence)), None)
        if sequence is None:
            self.steps.append(("", list(self._compiled(commands))))
            return
        for number, step in enumerate(sequence.steps, start=1):
            where = ast.Where(step.condition, span=last.span)
            before = commands[: commands.index(sequence)]
            name = f"step {number}"
            if sequence.until == number - 1:
                name = "until"
            elif number - 1 not in sequence.order:
                name = "missing"
            self.steps.append((name, list(self._compiled((*before, where)))))

    def _compiled(
        self, commands: tuple[ast.Command, ...]
    ) -> Iterator[tuple[str, ast.Expression, Query]]:
        """Yield each condition before STATS: its text, its node and a query with only it."""
        others: list[ast.Command] = []
        for command in commands:
            match command:
                case ast.Stats() | ast.InlineStats() | ast.Keep() | ast.Drop():
                    if isinstance(command, ast.Stats | ast.InlineStats):
                        return
                case ast.Where(condition):
                    for each in conjuncts(condition):
                        if each == ast.Literal(True, span=each.span):
                            continue
                        where = ast.Where(each, span=command.span)
                        tree = ast.Tree((*others, where), span=command.span)
                        yield condition_text(each), each, self._planned(tree)
                case ast.Sort() | ast.Limit():
                    continue
                case _:
                    others.append(command)

    def _planned(self, tree: ast.Tree) -> Query:
        return plan_tree(tree, "", self._fields, self._query.layout.options)

    def answers(self, record: Record, time: int) -> list[tuple[str, list[ConditionAnswer]]]:
        """Return the answers of the conditions for a record, by step."""
        return [
            (
                name,
                [
                    ConditionAnswer(text, query.accepts(record, time), self._value(node, record))
                    for text, node, query in conditions
                ],
            )
            for name, conditions in self.steps
        ]

    def _value(self, node: ast.Expression, record: Record) -> str:
        """Return the record's values of a condition's fields, as text."""
        names = dict.fromkeys(column.name for column in columns_in(node))
        known = [name for name in names if name in self._fields]
        texts = [_text(self._fields[name].read(record)) for name in known]
        if len(known) == 1:
            return texts[0]
        return ", ".join(f"{name}: {text}" for name, text in zip(known, texts, strict=True))


def threshold_answers(query: Query, columns: Mapping[str, Value] | None) -> list[ConditionAnswer]:
    """Return the answers of the conditions after STATS for a group's columns.

    If ``columns`` is None, every answer is unknown."""
    answers = []
    nodes = list(_threshold_nodes(query.tree))
    for index, node in enumerate(nodes):
        text = condition_text(node)
        if len(query.thresholds) == len(nodes):
            text = query.thresholds[index]
        value, holds = "", None
        if columns is not None:
            value, holds = _measured(node, columns), _truth(node, columns)
        answers.append(ConditionAnswer(text, holds, value))
    return answers


def _threshold_nodes(tree: ast.Tree) -> Iterator[ast.Expression]:
    is_after = False
    for command in tree.commands:
        if isinstance(command, ast.Stats | ast.InlineStats):
            is_after = True
        elif is_after and isinstance(command, ast.Where):
            yield from conjuncts(command.condition)


def _measured(node: ast.Expression, columns: Mapping[str, Value]) -> str:
    names = dict.fromkeys(column.name for column in columns_in(node))
    return ", ".join(_text(columns[name]) for name in names if name in columns)


def _truth(node: ast.Expression, columns: Mapping[str, Value]) -> bool | None:
    """Evaluate a condition on columns; None if the result is unknown."""
    match node:
        case ast.Logic(operator, operands):
            truths = [_truth(each, columns) for each in operands]
            if None in truths:
                return None
            return all(truths) if operator == "and" else any(truths)
        case ast.Not(operand):
            truth = _truth(operand, columns)
            return None if truth is None else not truth
        case ast.IsNull(ast.Column(name)) if name in columns:
            return columns[name] is None
        case ast.Compare(operator, left, right):
            return _compared(operator, _operand(left, columns), _operand(right, columns))
    return None


def _operand(node: ast.Expression, columns: Mapping[str, Value]) -> Any:
    match node:
        case ast.Literal(value):
            return value
        case ast.Column(name):
            return columns.get(name)
    return None


def _compared(operator: str, left: Any, right: Any) -> bool | None:
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    if not numbers and not (isinstance(left, str) and isinstance(right, str)):
        return None
    results = {
        ">=": left >= right,
        ">": left > right,
        "<=": left <= right,
        "<": left < right,
        "==": left == right,
        "!=": left != right,
    }
    return results.get(operator)


def condition_text(node: ast.Expression) -> str:
    """Format a condition of any query language as one line."""
    match node:
        case ast.Compare(operator, left, right):
            return f"{_operand_text(left)} {_SIGNS.get(operator, operator)} {_operand_text(right)}"
        case ast.Logic(operator, operands):
            return f" {operator} ".join(_bracketed(each) for each in operands)
        case ast.Not(ast.IsNull(operand)):
            return f"{_operand_text(operand)} is known"
        case ast.IsNull(operand):
            return f"{_operand_text(operand)} is missing"
        case ast.Not(operand):
            return f"not {_bracketed(operand)}"
        case ast.In(value, options):
            return f"{_operand_text(value)} in ({', '.join(map(_operand_text, options))})"
        case ast.Like(value, patterns) | ast.InsensitiveLike(value, patterns):
            return f"{_operand_text(value)} like {' or '.join(patterns)}"
        case ast.FieldMatch() | ast.ValueMatch():
            return _match_text(node)
        case ast.AnyValue(condition):
            return condition_text(condition)
    return _operand_text(node)


def _match_text(node: ast.FieldMatch | ast.ValueMatch) -> str:
    match node:
        case ast.FieldMatch(field, "exists", _):
            return f"{field.name} is known"
        case ast.FieldMatch(field, operator, value):
            return f"{field.name} {operator.replace('*', ':')} {value}"
        case ast.ValueMatch(field, "null"):
            return f"{field.name} is missing"
    return f"{node.field.name} {node.operator} {' or '.join(node.values)}"


def _bracketed(node: ast.Expression) -> str:
    text = condition_text(node)
    return f"({text})" if isinstance(node, ast.Logic) else text


def _operand_text(node: ast.Expression) -> str:
    match node:
        case ast.Column(name):
            return name
        case ast.Literal(value):
            return _text(value)
        case ast.Call(name, arguments):
            return f"{name}({', '.join(map(_operand_text, arguments))})"
        case ast.Arithmetic(operator, left, right):
            return f"{_operand_text(left)} {operator} {_operand_text(right)}"
    return "a condition on " + (", ".join(column.name for column in columns_in(node)) or "nothing")


def _text(value: Any) -> str:
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(_text, value))[:_LONGEST_VALUE]
    return str(value)[:_LONGEST_VALUE]
