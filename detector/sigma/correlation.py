"""Compile correlations: conditions on the hits of other rules within a timespan.

Source: the Sigma specification 2.1.0, "Sigma Correlation Rules". Each becomes a look-back over its
``timespan``, so that no window boundary separates related events.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from detector.esql import ast
from detector.esql.errors import EsqlError, Span
from detector.esql.expressions.timespan import LONGEST_WINDOW
from detector.esql.tree_walk import join_conditions
from detector.sigma.condition import Names, parse_condition
from detector.sigma.documents import Document, map_of, scalars_of, text_at, texts_by_key
from detector.sigma.fields import combined
from detector.sigma.yaml_reader import YamlMap, YamlScalar, plain_value
from detector.text.suggest import nearest
from detector.text.time import DAY, HOUR, MINUTE

TEMPORAL = ("temporal", "temporal_ordered")
_METRICS = {"value_sum": "sum", "value_avg": "avg", "value_median": "median"}
TYPES = ("event_count", "value_count", *_METRICS, "value_percentile", *TEMPORAL)
_OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "==", "neq": "!="}
_TIMESPAN = re.compile(r"([0-9]{1,9})([smhdwMy])")
_UNITS = {"s": 1, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY, "M": 2_629_746, "y": 31_556_952}
"""Seconds per unit, as in pySigma: months and years have their mean Gregorian length."""
_SOURCE = ("logs-aws.cloudtrail-*",)
_RULE = "rule"
"""The column with the base rules that a row matches."""


@dataclass(frozen=True, slots=True)
class BaseRule:
    """A rule to which a correlation refers as ``reference``.

    If the rule is itself a correlation, ``bases`` are its rules, and ``condition`` holds for an
    event of any of them."""

    reference: str
    document: Document
    condition: ast.Expression
    bases: tuple[BaseRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Correlation:
    """A correlation compiled to a syntax tree; ``timespan`` is in seconds."""

    tree: ast.Tree
    timespan: int

    @property
    def is_sequence(self) -> bool:
        return any(isinstance(command, ast.Sequence) for command in self.tree.commands)


def references_of(document: Document) -> tuple[YamlScalar, ...]:
    """Return a correlation's references to its rules. Raises EsqlError if there are none."""
    references = scalars_of(document.body.get("rules"), "rules")
    if not references:
        raise EsqlError(document.body.span, "the correlation names no rules")
    return references


def generates(document: Document) -> bool:
    """Tell whether a correlation's rules still give alerts of their own (``generate: true``)."""
    for place in (document.body, document.whole):
        node = place.get("generate")
        if isinstance(node, YamlScalar):
            return node.value is True
    return False


def timespan_of(document: Document) -> int:
    """Return a correlation's timespan in seconds. Raises EsqlError if missing or invalid."""
    node = document.body.get("timespan")
    if not isinstance(node, YamlScalar):
        raise EsqlError(document.body.span, "the timespan is missing: write it like 5m")
    match = _TIMESPAN.fullmatch(node.text.strip())
    if match is None or int(match[1]) == 0:
        raise EsqlError(node.span, f"no timespan {node.text}: write it like 30s, 5m, 1h, 7d")
    seconds = int(match[1]) * _UNITS[match[2]]
    check_timespan(seconds, node.span)
    return seconds


def check_timespan(seconds: int, span: Span) -> None:
    """Raise EsqlError for a timespan that would require keeping events too long."""
    if seconds > LONGEST_WINDOW:
        raise EsqlError(span, f"over {LONGEST_WINDOW // DAY} days are not supported")


def type_of(document: Document) -> str:
    """Return the type of a correlation. Raises EsqlError if it is unknown."""
    type = text_at(document.body, "type")
    if type not in TYPES:
        place = document.body.entries.get("type", document.body)
        raise EsqlError(
            place.span, f"no correlation type {type}{nearest(type, TYPES)}: {', '.join(TYPES)}"
        )
    return type


class Bound(NamedTuple):
    """A comparison with a correlation's count or metric, and its position in the file."""

    operator: str
    number: int | float
    span: Span


def bounds_of(condition: YamlMap) -> list[Bound]:
    """Read a condition's comparisons. Raises EsqlError if one is invalid or there are none."""
    bounds = []
    for key, value in condition.entries.items():
        if key in ("field", "percentile"):
            continue
        place = condition.keys[key].span
        if key not in _OPERATORS:
            raise EsqlError(place, f"no operator {key}: {', '.join(_OPERATORS)}")
        number = value.value if isinstance(value, YamlScalar) else None
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise EsqlError(value.span, f"{key} takes a number")
        bounds.append(Bound(_OPERATORS[key], number, place))
    if not bounds:
        raise EsqlError(condition.span, f"the condition compares nothing: {', '.join(_OPERATORS)}")
    return bounds


def value_fields_of(document: Document) -> tuple[YamlScalar, ...]:
    """Return the fields whose values a correlation counts."""
    condition = document.body.get("condition")
    if not isinstance(condition, YamlMap):
        return ()
    return scalars_of(condition.get("field"), "field")


def check_all_wanted(document: Document, count: int, what: str) -> None:
    """Raise EsqlError if a condition does not require all ``count`` rules."""
    node = document.body.get("condition")
    if node is None:
        return
    values = {}
    if isinstance(node, YamlMap):
        values = {key: plain_value(value) for key, value in node.entries.items()}
    if not values or any(
        (key, value) not in (("gte", count), ("eq", count), ("gt", count - 1))
        for key, value in values.items()
    ):
        raise EsqlError(node.span, f"{what} wants all of its rules: leave out the condition")


def read_correlation(document: Document, rules: Sequence[BaseRule]) -> Correlation:
    """Compile a correlation of these rules. Raises EsqlError with the position of the problem."""
    return _Reader(document, rules).read()


class _Reader:
    """Compiles a correlation to the commands of a query."""

    def __init__(self, document: Document, rules: Sequence[BaseRule]) -> None:
        self._document = document
        self._body = document.body
        self._span = document.whole.keys["correlation"].span
        self._rules = rules
        titles = [rule.document.title for rule in rules]
        self._titles = tuple(titles) if len(set(titles)) == len(titles) else self._references()
        self._group_by = scalars_of(self._body.get("group-by"), "group-by")
        self._aliases = self._read_aliases()

    def read(self) -> Correlation:
        type = type_of(self._document)
        timespan = timespan_of(self._document)
        commands: tuple[ast.Command, ...]
        if type == "temporal_ordered":
            commands = (self._sequence(timespan),)
        elif type == "temporal":
            commands = (*self._hits(), *self._temporal())
        else:
            commands = (*self._hits(), *self._counted(type))
        source = ast.From(_SOURCE, (), span=self._span)
        return Correlation(ast.Tree((source, *commands), span=self._span), timespan)

    def _read_aliases(self) -> Mapping[str, Mapping[str, YamlScalar]]:
        """Return the field that each alias means in each rule, by alias and rule reference."""
        if self._body.get("aliases") is None:
            return {}
        aliases = {}
        node = map_of(self._body, "aliases")
        for alias in node.entries:
            fields = texts_by_key(map_of(node, alias))
            for reference in fields:
                if not any(_is_named(rule, reference) for rule in self._rules):
                    place = node.keys[alias].span
                    raise EsqlError(place, f"the alias {alias} names {reference}, which is no rule")
            aliases[alias] = fields
        return aliases

    def _field_of(self, name: YamlScalar, rule: BaseRule) -> ast.Column:
        """Return the field that a name, which may be an alias, means in a rule's events."""
        fields = self._aliases.get(name.text)
        if fields is None:
            return ast.Column(name.text, span=name.span)
        for reference, field in fields.items():
            if _is_named(rule, reference):
                return ast.Column(field.text, span=field.span)
        raise EsqlError(name.span, f"the alias {name.text} has no field for {rule.reference}")

    # --- the counted rows

    def _uses_aliases(self) -> bool:
        names = {scalar.text for scalar in (*self._group_by, *value_fields_of(self._document))}
        return not names.isdisjoint(self._aliases)

    def _hits(self) -> Iterator[ast.Command]:
        """Yield the commands that keep the rules' hits and name the matched rules in a column.

        With aliases, an event becomes one row for each rule that it matches, and the aliases become
        columns with the values of that rule's fields."""
        conditions = tuple(rule.condition for rule in self._rules)
        yield ast.Where(join_conditions("or", conditions, self._span), span=self._span)
        matching = ast.Matching(self._titles, conditions, span=self._span)
        yield ast.Eval((ast.Named(_RULE, matching, span=self._span),), span=self._span)
        if not self._uses_aliases():
            return
        yield ast.MvExpand(self._column(_RULE), span=self._span)
        used = {
            scalar.text: scalar for scalar in (*self._group_by, *value_fields_of(self._document))
        }
        columns = [
            ast.Named(alias, self._alias_value(used[alias]), span=self._span)
            for alias in self._aliases
            if alias in used
        ]
        yield ast.Eval(tuple(columns), span=self._span)

    def _references(self) -> tuple[str, ...]:
        return tuple(rule.reference for rule in self._rules)

    def _alias_value(self, alias: YamlScalar) -> ast.Expression:
        """Build the value of an alias in a row: the field that belongs to the row's rule."""
        arguments: list[ast.Expression] = []
        for title, rule in zip(self._titles, self._rules, strict=True):
            arguments += [self._is_of(title), self._field_of(alias, rule)]
        return ast.Call("case", tuple(arguments), span=self._span)

    def _is_of(self, title: str) -> ast.Expression:
        """Build the condition that a row belongs to the rule with this title."""
        return ast.Compare("==", self._column(_RULE), self._literal(title), span=self._span)

    def _keys(self) -> tuple[ast.Named, ...]:
        return tuple(
            ast.Named(name.text, ast.Column(name.text, span=name.span), span=name.span)
            for name in self._group_by
        )

    # --- counts and metrics

    def _counted(self, type: str) -> Iterator[ast.Command]:
        condition = map_of(self._body, "condition")
        aggregations = [self._aggregation(type, self._aggregate(type, condition))]
        fields = value_fields_of(self._document)
        if type == "value_count" and len(fields) == 1:
            values = ast.Call("values", (self._value(),), span=self._span)
            aggregations.append(self._aggregation(f"{fields[0].text} values", values))
        yield ast.Stats(tuple(aggregations), self._keys(), span=self._span)
        yield ast.Where(self._thresholds(type, condition), span=self._span)

    def _aggregate(self, type: str, condition: YamlMap) -> ast.Call:
        if type == "event_count":
            if value_fields_of(self._document):
                raise EsqlError(condition.keys["field"].span, "event_count takes no field")
            return ast.Call("count", (), on_rows=True, span=self._span)
        if not value_fields_of(self._document):
            raise EsqlError(condition.span, f"{type} needs the field of which it takes the values")
        if type == "value_count":
            return ast.Call("count_distinct", (self._value(),), span=self._span)
        if len(value_fields_of(self._document)) > 1:
            raise EsqlError(condition.keys["field"].span, f"{type} takes one field")
        number = ast.Call("to_double", (self._value(),), span=self._span)
        if type in _METRICS:
            return ast.Call(_METRICS[type], (number,), span=self._span)
        percentile = condition.get("percentile")
        if not isinstance(percentile, YamlScalar) or not _is_percentile(percentile):
            place = percentile or condition
            raise EsqlError(place.span, "value_percentile needs percentile: a number from 0 to 100")
        share = ast.Literal(percentile.value, span=percentile.span)
        return ast.Call("percentile", (number, share), span=self._span)

    def _value(self) -> ast.Column:
        """Return the column whose values are counted; several fields are combined into one."""
        fields = value_fields_of(self._document)
        if len(fields) == 1:
            return ast.Column(fields[0].text, span=fields[0].span)
        names = [field.text for field in fields]
        if not set(names).isdisjoint(self._aliases):
            raise EsqlError(fields[0].span, "an alias cannot be one of several fields")
        return ast.Column(combined(names), span=fields[0].span)

    def _thresholds(self, column: str, condition: YamlMap) -> ast.Expression:
        """Build the condition that a column satisfies all of the comparisons."""
        comparisons = [
            ast.Compare(
                bound.operator,
                self._column(column),
                ast.Literal(bound.number, span=bound.span),
                span=bound.span,
            )
            for bound in bounds_of(condition)
        ]
        return join_conditions("and", comparisons, condition.span)

    # --- temporal

    def _temporal(self) -> Iterator[ast.Command]:
        """Yield the commands of a ``temporal`` correlation, whose rules match in any order."""
        count = ast.Call("count_distinct", (self._column(_RULE),), span=self._span)
        values = ast.Call("values", (self._column(_RULE),), span=self._span)
        aggregations = [self._aggregation("rules", count), self._aggregation("rule values", values)]
        node = self._body.get("condition")
        if isinstance(node, YamlScalar):
            condition, counts = self._expression(node)
            aggregations += counts
        elif isinstance(node, YamlMap):
            condition = self._thresholds("rules", node)
        else:
            condition = ast.Compare(
                ">=", self._column("rules"), self._literal(len(self._rules)), span=self._span
            )
        yield ast.Stats(tuple(aggregations), self._keys(), span=self._span)
        yield ast.Where(condition, span=self._span)

    def _expression(self, node: YamlScalar) -> tuple[ast.Expression, list[ast.Aggregation]]:
        """Parse a condition over rule names; also return the counts of hits that it compares."""
        counts: dict[str, ast.Aggregation] = {}

        def resolve(name: str, span: Span) -> ast.Expression:
            index = self._references().index(name)
            rule_is_hit = self._rules[index].condition
            if self._uses_aliases():
                rule_is_hit = self._is_of(self._titles[index])
            count = ast.Call("count", (), on_rows=True, span=self._span)
            named = ast.Named(f"{name} events", count, span=self._span)
            counts[name] = ast.Aggregation(named, rule_is_hit, span=self._span)
            column = ast.Column(f"{name} events", span=span)
            return ast.Compare(">", column, self._literal(0), span=span)

        names = Names(self._references(), resolve, "rule")
        condition = parse_condition(node, self._document.source, names)
        return condition, list(counts.values())

    def _sequence(self, timespan: int) -> ast.Command:
        """Build the sequence of the rules in their order.

        An event that matches two rules counts for both, as in a ``temporal`` correlation."""
        check_all_wanted(self._document, len(self._rules), "temporal_ordered")
        distinct = list(dict.fromkeys(rule.document.id for rule in self._rules))
        steps = []
        for id in distinct:
            rule = next(each for each in self._rules if each.document.id == id)
            by = tuple(self._field_of(name, rule) for name in self._group_by)
            steps.append(ast.Step(rule.condition, by, span=self._span))
        return ast.Sequence(
            steps=tuple(steps),
            order=tuple(distinct.index(rule.document.id) for rule in self._rules),
            until=None,
            key_names=tuple(name.text for name in self._group_by),
            width=timespan,
            reuse=True,
            span=self._span,
        )

    # --- parts

    def _column(self, name: str) -> ast.Column:
        return ast.Column(name, span=self._span)

    def _literal(self, value: str | int) -> ast.Literal:
        return ast.Literal(value, span=self._span)

    def _aggregation(self, name: str, expression: ast.Expression) -> ast.Aggregation:
        named = ast.Named(name, expression, span=self._span)
        return ast.Aggregation(named, None, span=self._span)


def _is_named(rule: BaseRule, reference: str) -> bool:
    document = rule.document
    return reference in (rule.reference, document.id, document.name, document.title)


def _is_percentile(scalar: YamlScalar) -> bool:
    value = scalar.value
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100
