"""Find the thresholds and windows of a rule in its file, in any query language."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from detector.eql.parser import parse_eql
from detector.esql import ast, parser
from detector.esql.comparisons import FLIPPED
from detector.esql.expressions.timespan import TemporalAmount
from detector.esql.plan.predicate_analysis import columns_in, conjuncts
from detector.esql.tree_walk import walk
from detector.rules.rule import Rule
from detector.text.time import DAY, HOUR, MINUTE, SECONDS_PER_UNIT, format_exact
from detector.workbench.candidates import (
    SIGMA_OPERATORS,
    NumberCandidate,
    ParameterKind,
    last_part,
    noun_of,
)
from detector.workbench.filter_numbers import filter_numbers, suppression_duration
from detector.workbench.rule_source import KeyPath, RuleSource, Splice

_SIGNS = {">=": "≥", "<=": "≤", "==": "=", "!=": "≠"}
_TRUNCATING = ("date_trunc", "bucket", "tbucket")
_SHORT = re.compile(r"([0-9]{1,9})(s|m|h|d|w)")
_MAXSPAN = re.compile(r"\bmaxspan\s*=\s*([0-9]+(?:s|m|h|d))\b")
_RUNS = re.compile(r"\bruns\s*=\s*([0-9]+)\b")


@dataclass(frozen=True, slots=True)
class RuleParameter:
    """A number of a rule that a variant may change.

    ``value`` is a count, or a duration in seconds; ``operator`` compares with it and is ``""`` for
    a duration. ``start`` and ``end`` are its offsets in the file's text. ``keeps_hits``: with
    another value, the same events pass the filter and are grouped by the same keys."""

    name: str
    kind: ParameterKind
    value: int
    operator: str
    written: Literal["number", "timespan", "short"]
    keeps_hits: bool
    start: int
    end: int

    @property
    def label(self) -> str:
        """The parameter and its value, in words: ``regions ≥ 10``, ``window 30 s``."""
        return self.labelled(self.value)

    def labelled(self, value: int) -> str:
        """Return the label for another value."""
        if self.kind == "duration":
            return f"{self.name} {format_exact(value)}"
        return f"{self.name} {_SIGNS.get(self.operator, self.operator)} {value}"

    def text_of(self, value: int) -> str:
        """Format a value in the notation of the file."""
        if self.written == "number":
            return str(value)
        for size, unit, letter in ((DAY, "day", "d"), (HOUR, "hour", "h"), (MINUTE, "minute", "m")):
            # In ES|QL a day is a calendar unit, so write durations in hours there.
            if value % size == 0 and value >= size and not (unit == "day" and self.is_timespan):
                return self._timespan(value // size, unit, letter)
        return self._timespan(value, "second", "s")

    @property
    def is_timespan(self) -> bool:
        return self.written == "timespan"

    def _timespan(self, amount: int, unit: str, letter: str) -> str:
        if not self.is_timespan:
            return f"{amount}{letter}"
        return f"{amount} {unit}" + ("s" if amount != 1 else "")


class Parameters(NamedTuple):
    """The parameters of a rule, and notes on numbers that cannot be changed."""

    found: tuple[RuleParameter, ...]
    notes: tuple[str, ...]


def find_parameters(rule: Rule, text: RuleSource) -> Parameters:
    """Return the parameters of a rule, located in its text; thresholds come first."""
    found: list[RuleParameter] = []
    notes: list[str] = []
    for candidate in _distinct_names(_candidates(rule, text)):
        place = text.locate(candidate.path, candidate.splice)
        if place is None:
            notes.append(f"{candidate.name} cannot be changed here: its place is not in the file")
            continue
        found.append(
            RuleParameter(
                candidate.name,
                candidate.kind,
                candidate.value,
                candidate.operator,
                candidate.written,
                candidate.keeps_hits,
                *place,
            )
        )
    return Parameters(tuple(found), tuple(notes))


def _distinct_names(candidates: Iterator[NumberCandidate]) -> Iterator[NumberCandidate]:
    """Number the candidates that share a name: ``events``, ``events-2``."""
    seen: Counter[str] = Counter()
    for candidate in sorted(candidates, key=lambda each: each.kind):
        seen[candidate.name] += 1
        number = seen[candidate.name]
        if number > 1:
            candidate = candidate._replace(name=f"{candidate.name}-{number}")
        yield candidate


def _candidates(rule: Rule, text: RuleSource) -> Iterator[NumberCandidate]:
    match rule.type:
        case "esql":
            yield from _of_esql(rule, text)
        case "eql":
            yield from _of_eql(rule, text)
        case "threshold":
            yield from _of_threshold(rule, text)
        case "new_terms":
            yield from _of_new_terms(rule, text)
        case "sigma correlation":
            yield from _of_correlation(text)
    yield from filter_numbers(rule, text)
    yield from suppression_duration(rule, text)
    if rule.query.shape in ("lookback", "sequence") and not rule.type.startswith("sigma"):
        is_own = rule.type == "eql" and "maxspan" in rule.query_text
        if not is_own:
            yield from _look_back(text)


# --- ES|QL


def _of_esql(rule: Rule, text: RuleSource) -> Iterator[NumberCandidate]:
    tree = parser.parse_query(rule.query_text)
    stats = [
        index
        for index, command in enumerate(tree.commands)
        if isinstance(command, ast.Stats | ast.InlineStats)
    ]
    if not stats:
        yield from _comparisons(tree.commands, {}, False, rule, text)
        return
    first = stats[0]
    yield from _comparisons(tree.commands[:first], {}, False, rule, text)
    is_single = len(stats) == 1 and isinstance(tree.commands[first], ast.Stats)
    yield from _comparisons(tree.commands[first:], {}, is_single, rule, text)
    yield from _truncations(rule, tree, first, is_single, text)


def _comparisons(
    commands: Sequence[ast.Command],
    columns: dict[str, ast.Expression],
    keeps_hits: bool,
    rule: Rule,
    text: RuleSource,
) -> Iterator[NumberCandidate]:
    """Yield the numbers with which the conditions of commands compare."""
    for command in commands:
        match command:
            case ast.Stats(aggregations) | ast.InlineStats(aggregations):
                columns |= {each.named.name: each.named.expression for each in aggregations}
            case ast.Eval(named):
                columns |= {each.name: each.expression for each in named}
            case ast.Where(condition):
                for conjunct in conjuncts(condition):
                    for node in walk(conjunct):
                        if isinstance(node, ast.Compare):
                            yield from _comparison(node, columns, keeps_hits, rule, text)


def _comparison(
    node: ast.Compare,
    columns: dict[str, ast.Expression],
    keeps_hits: bool,
    rule: Rule,
    text: RuleSource,
) -> Iterator[NumberCandidate]:
    operator, value, literal = node.operator, node.left, node.right
    if isinstance(value, ast.Literal):
        operator, value, literal = FLIPPED.get(operator, operator), literal, value
    if not isinstance(literal, ast.Literal) or type(literal.value) is not int:
        return
    if rule.query_text[literal.span.start : literal.span.end] != str(literal.value):
        return
    yield NumberCandidate(
        _name_of(value, columns),
        "count",
        literal.value,
        operator,
        "number",
        keeps_hits,
        (*text.rule_path, "query"),
        Splice(literal.span.start, literal.span.end),
    )


def _name_of(node: ast.Expression, columns: dict[str, ast.Expression]) -> str:
    """Name a value after what it counts, otherwise after its column."""
    if isinstance(node, ast.Column) and node.name in columns and columns[node.name] != node:
        named = columns[node.name]
        if isinstance(named, ast.Call) and named.name in ("count", "count_distinct"):
            return _name_of(named, {})
    match node:
        case ast.Call("count"):
            return "events"
        case ast.Call("count_distinct", (ast.Column(name), *_)):
            return noun_of(name)
        case ast.Call(name, arguments):
            return last_part(next((column.name for column in columns_in(arguments)), name))
        case ast.Column(name):
            return last_part(name)
    return "number"


def _truncations(
    rule: Rule, tree: ast.Tree, first_stats: int, is_single: bool, text: RuleSource
) -> Iterator[NumberCandidate]:
    """Yield the width of the query's window, if it has one."""
    for call in walk(tree.commands[: first_stats + 1]):
        if not isinstance(call, ast.Call) or call.name not in _TRUNCATING:
            continue
        for argument in call.arguments:
            if not isinstance(argument, ast.Timespan):
                continue
            seconds = TemporalAmount.of(argument.amount, argument.unit).window
            if seconds is None or seconds != rule.query.window:
                continue
            yield NumberCandidate(
                "window",
                "duration",
                seconds,
                "",
                "timespan",
                is_single and _only_groups(tree, first_stats, call),
                (*text.rule_path, "query"),
                Splice(argument.span.start, argument.span.end),
            )
            return


def _only_groups(tree: ast.Tree, first_stats: int, call: ast.Call) -> bool:
    """Tell whether a truncated time is used only as a key of STATS."""
    stats = tree.commands[first_stats]
    assert isinstance(stats, ast.Stats)
    names = {
        named.name
        for command in tree.commands[:first_stats]
        if isinstance(command, ast.Eval)
        for named in command.columns
        if named.expression == call
    }
    allowed = [named.expression for named in stats.by]
    parts: list[object] = list(stats.aggregations)
    for command in tree.commands[:first_stats]:
        match command:
            case ast.From() | ast.Keep():
                continue
            case ast.Eval(columns):
                parts += [each.expression for each in columns if each.expression != call]
            case _:
                parts.append(command)
    is_read = any(column.name in names for column in columns_in(tuple(parts)))
    is_inline = any(node == call for part in parts for node in walk(part))
    is_key = call in allowed or any(
        isinstance(each, ast.Column) and each.name in names for each in allowed
    )
    return is_key and not is_read and not is_inline


# --- the other languages


def _of_eql(rule: Rule, text: RuleSource) -> Iterator[NumberCandidate]:
    tree = parse_eql(rule.query_text, rule.event_category_override)
    command = tree.commands[-1]
    path = (*text.rule_path, "query")
    yield from _comparisons([command], {}, False, rule, text)
    if not isinstance(command, ast.Sequence):
        return
    for match in _RUNS.finditer(rule.query_text):
        place = Splice(*match.span(1))
        yield NumberCandidate("runs", "count", int(match[1]), "=", "number", True, path, place)
    maxspan = _MAXSPAN.search(rule.query_text)
    if maxspan and command.width:
        place = Splice(*maxspan.span(1))
        yield NumberCandidate(
            "window", "duration", command.width - 1, "", "short", True, path, place
        )


def _of_threshold(rule: Rule, text: RuleSource) -> Iterator[NumberCandidate]:
    threshold = rule.threshold
    assert threshold is not None
    path = (*text.rule_path, "threshold")
    for index, each in enumerate(threshold.cardinality):
        place = (*path, "cardinality", index, "value")
        name = noun_of(each.field)
        yield NumberCandidate(name, "count", each.value, ">=", "number", True, place)
    place = (*path, "value")
    yield NumberCandidate("events", "count", threshold.value, ">=", "number", True, place)


def _of_new_terms(rule: Rule, text: RuleSource) -> Iterator[NumberCandidate]:
    path: KeyPath = (*text.rule_path, "history_window_start")
    if rule.new_terms is not None:
        path = (*text.rule_path, "new_terms", "history_window_start", 0, "value")
    yield from _date_math(text, path, "history")


def _look_back(text: RuleSource) -> Iterator[NumberCandidate]:
    yield from _date_math(text, (*text.rule_path, "from"), "window")


def _date_math(text: RuleSource, path: KeyPath, name: str) -> Iterator[NumberCandidate]:
    """Yield the duration in a date math value such as ``now-6m``."""
    value = text.value_at(path)
    if isinstance(value, str):
        match = _SHORT.fullmatch(value.removeprefix("now-"))
        if match:
            seconds = int(match[1]) * SECONDS_PER_UNIT[match[2]]
            place = Splice(len("now-"), len(value))
            yield NumberCandidate(name, "duration", seconds, "", "short", True, path, place)


def _of_correlation(text: RuleSource) -> Iterator[NumberCandidate]:
    path = (*text.rule_path, "correlation")
    correlation = text.value_at(path)
    if not isinstance(correlation, dict):
        return
    condition = correlation.get("condition")
    if isinstance(condition, dict):
        name = _correlation_noun(str(correlation.get("type")), condition.get("field"))
        for key, operator in SIGMA_OPERATORS.items():
            number = condition.get(key)
            if type(number) is int:
                place = (*path, "condition", key)
                yield NumberCandidate(name, "count", number, operator, "number", True, place)
    timespan = correlation.get("timespan")
    match = _SHORT.fullmatch(timespan) if isinstance(timespan, str) else None
    if match:
        seconds = int(match[1]) * SECONDS_PER_UNIT[match[2]]
        place = (*path, "timespan")
        yield NumberCandidate("window", "duration", seconds, "", "short", True, place)


def _correlation_noun(type: str, field: object) -> str:
    """Return a one-word noun for what a correlation counts."""
    if type == "event_count":
        return "events"
    if type.startswith("temporal"):
        return "rules"
    name = field[0] if isinstance(field, list) and field else field
    if type == "value_count":
        return noun_of(str(name))
    return last_part(f"{type.removeprefix('value_')}-{name}")
