"""A query's tree -> Query: the commands one after the other, over the columns that each leaves to the next."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from detector.ecs.fields import Fields
from detector.esql import ast, parser
from detector.esql.aggregates import AGGREGATES
from detector.esql.compiler import Compiler
from detector.esql.errors import EsqlError, too_deep
from detector.esql.extract import dissect, grok
from detector.esql.plan import explain, predicate_analysis
from detector.esql.plan.accumulators import Aggregated
from detector.esql.plan.prefilter import Gatekeeper
from detector.esql.plan.query import Expand, Grouping, Ordering, Query, Shape, Stage
from detector.esql.scope import (
    AS_WRITTEN,
    GROUP,
    Code,
    Fact,
    Frame,
    OfHits,
    OfWindow,
    Reading,
    Scope,
    constant,
)

_INDEX = "logs-aws.cloudtrail-default"


def plan(
    text: str, fields: Fields, reading: Reading = AS_WRITTEN, keys: tuple[ast.Named, ...] = ()
) -> Query:
    """Raises EsqlError for a query that cannot be run as it stands.

    ``keys`` is what events of a query that does not group must have in common to belong together.
    """
    return planned(parser.parse(text), text, fields, reading, keys)


@dataclass
class _Part:
    """What a part of the pipeline (before STATS, or after) has come to."""

    scope: Scope
    stages: list[Stage] = field(default_factory=list)
    orders: tuple[Ordering, ...] = ()
    limited: ast.Limit | None = None

    def refuse_after_limit(self, command: ast.Command) -> None:
        if self.limited:
            name = type(command).__name__.lower()
            raise EsqlError(
                self.limited.span,
                f"limit before {name} is not supported: which rows it leaves depends on "
                "their order",
            )


def planned(
    tree: ast.Tree,
    text: str,
    fields: Fields,
    reading: Reading = AS_WRITTEN,
    keys: tuple[ast.Named, ...] = (),
) -> Query:
    """As ``plan``, of a query's tree."""
    try:
        return _planned(tree, text, fields, reading, keys)
    except RecursionError:
        raise too_deep() from None


def _planned(
    tree: ast.Tree, text: str, fields: Fields, reading: Reading, keys: tuple[ast.Named, ...]
) -> Query:
    first, *rest = tree.commands
    frame = Frame(reading)
    part = _Part(Scope(frame, fields))
    gatekeeper = Gatekeeper(Frame(reading), fields)
    _source(first, part.scope)
    dispatch, minimum, grouped = predicate_analysis.ANY, 1, None
    for command in rest:
        match command:
            case ast.Where(condition):
                part.refuse_after_limit(command)
                if grouped:
                    minimum = max(minimum, predicate_analysis.minimum(condition, part.scope))
                else:
                    dispatch = predicate_analysis.both(
                        dispatch, predicate_analysis.pairs(condition, part.scope)
                    )
                part.stages.append(Compiler(part.scope).condition(condition).read)
                if not grouped:
                    gatekeeper.add(condition, part.scope)
            case ast.Stats():
                if grouped:
                    raise EsqlError(command.span, "a second stats is not supported")
                part.refuse_after_limit(command)
                grouped = _grouped(command, part.scope)
                before, part = part, _Part(grouped.scope)
            case _:
                _step(command, part)
    limit = part.limited.rows if part.limited else None
    after = gatekeeper.gate(), dispatch
    if grouped is None:
        columns = {name: part.scope.find(name, first.span) for name in part.scope.names()}
        part.scope.columns.setdefault("event.id", Scope(frame, fields).find("event.id", first.span))
        by = {each.name: Compiler(part.scope).compile(each.expression) for each in keys}
        return Query(
            text,
            repr(tree),
            "filter",
            *after,
            None,
            None,
            tuple(by),
            1,
            columns,
            part.scope.open,
            frame,
            tuple(part.stages),
            tuple(by.values()),
            tuple(columns.values()),
            None,
            part.orders,
            limit,
            (),
        )
    grouping = Grouping(
        grouped.scope.frame,
        grouped.key_slots,
        grouped.window_slot,
        tuple(grouped.aggregated),
        tuple(part.stages),
    )
    shape: Shape = "lookback" if grouped.window is None else "window"
    return Query(
        text,
        repr(tree),
        shape,
        *after,
        grouped.window,
        grouped.window_column,
        tuple(grouped.keys),
        minimum,
        dict(part.scope.columns),
        False,
        frame,
        tuple(before.stages),
        tuple(grouped.keys.values()),
        tuple(grouped.inputs),
        grouping,
        part.orders,
        limit,
        explain.thresholds(tree),
    )


def _source(command: ast.Command, scope: Scope) -> None:
    if not isinstance(command, ast.From):
        raise EsqlError(command.span, "the query must begin with from")
    if not any(reads_cloudtrail(pattern) for pattern in command.patterns):
        raise EsqlError(
            command.span,
            f"reads {', '.join(command.patterns)}, which is not CloudTrail (logs-aws.cloudtrail-*)",
        )
    known: dict[str, Callable[[], Code]] = {
        "_id": lambda: scope.find("event.id", command.span),
        "_index": lambda: constant(_INDEX, "keyword"),
        "_version": lambda: constant(1, "long"),
    }
    for name in command.metadata:
        if name not in known:
            raise EsqlError(command.span, f"the metadata field {name} is not supported")
        scope.define(name, known[name]())


def reads_cloudtrail(pattern: str) -> bool:
    """Whether an index pattern covers the data stream of CloudTrail, in whatever namespace."""
    name = pattern.rpartition(":")[2]
    return fnmatch.fnmatchcase(_INDEX, name) or name.startswith("logs-aws.cloudtrail-")


def _step(command: ast.Command, part: _Part) -> None:
    """A command that works the same on either side of STATS."""
    scope = part.scope
    match command:
        case ast.Eval(columns):
            for named in columns:
                scope.define(
                    named.name, scope.frame.kept(Compiler(scope).compile(named.expression))
                )
        case ast.Keep(patterns):
            scope.keep((p.name, p.span) for p in patterns)
        case ast.Drop(patterns):
            scope.drop((p.name, p.span) for p in patterns)
        case ast.Rename(pairs):
            for old, new in pairs:
                scope.rename(old.name, new.name, old.span)
        case ast.MvExpand(column):
            code, slot = scope.find(column.name, column.span), scope.frame.slot()
            part.stages.append(Expand(code.read, slot))
            part.refuse_after_limit(command)
            scope.columns[column.name] = Code(lambda row: row[slot], code.type)
        case ast.Dissect():
            dissect(command, scope)
        case ast.Grok():
            grok(command, scope)
        case ast.Sort(orders):
            part.orders = tuple(_ordering(order, scope) for order in orders)
        case ast.Limit():
            part.limited = (
                command
                if part.limited is None or command.rows < part.limited.rows
                else part.limited
            )
        case _:
            name = type(command).__name__.upper()
            raise EsqlError(command.span, f"the command {name} is not supported")


def _ordering(order: ast.Order, scope: Scope) -> Ordering:
    code = Compiler(scope).compile(order.expression)
    return Ordering(code.read, code.type, order.descending, order.nulls_first)


@dataclass
class _Grouped:
    """STATS, compiled: what it takes from a row, and the columns that it gives."""

    scope: Scope
    source: Scope
    window: int | None = None
    window_column: str | None = None
    window_slot: int | None = None
    keys: dict[str, Code] = field(default_factory=dict)
    key_slots: tuple[int, ...] = ()
    inputs: list[Code] = field(default_factory=list)
    aggregated: list[Aggregated] = field(default_factory=list)
    taken: dict[str, int] = field(default_factory=dict)

    def input(self, node: ast.Expression, code: Code) -> int:
        """The place of an input; one that several aggregates take is taken once."""
        if (place := self.taken.setdefault(repr(node), len(self.inputs))) == len(self.inputs):
            self.inputs.append(code)
        return place


def _grouped(command: ast.Stats, source: Scope) -> _Grouped:
    grouped = _Grouped(Scope(Frame(source.frame.reading)), source)
    by: dict[str, Code] = {}
    for named in command.by:
        code = source.frame.kept(Compiler(source).compile(named.expression))
        source.define(named.name, code)
        slot = grouped.scope.frame.slot()
        if isinstance(code.fact, OfWindow) and grouped.window is None:
            grouped.window, grouped.window_column, grouped.window_slot = (
                code.fact.seconds,
                named.name,
                slot,
            )
        else:
            grouped.keys[named.name] = code
            grouped.key_slots += (slot,)
        by[named.name] = replace(_slotted(slot, code), fact=None)
    for aggregation in command.aggregations:
        named, condition = aggregation.named, None
        if aggregation.condition is not None:
            condition = grouped.input(
                aggregation.condition, Compiler(source).condition(aggregation.condition)
            )
        code = _Aggregating(grouped, condition, by).compile(named.expression)
        grouped.scope.define(named.name, grouped.scope.frame.kept(code))
    for name, code in by.items():
        grouped.scope.define(name, code)
    return grouped


def _slotted(slot: int, code: Code) -> Code:
    return Code(lambda row: row[slot], code.type)


class _Aggregating(Compiler):
    """Compiles an expression of STATS: aggregates are computed from rows, columns outside them are
    keys."""

    def __init__(self, grouped: _Grouped, condition: int | None, by: dict[str, Code]) -> None:
        keys = Scope(grouped.scope.frame)
        keys.columns = dict(by)
        super().__init__(keys)
        self._grouped, self._condition = grouped, condition

    def compile(self, node: ast.Expression) -> Code:
        if isinstance(node, ast.Column) and node.name not in self.scope.columns:
            self._grouped.source.find(node.name, node.span)
            raise EsqlError(
                node.span, f"{node.name} must stand in an aggregate such as values(), or in by"
            )
        return super().compile(node)

    def call(self, node: ast.Call) -> Code:
        if not (found := AGGREGATES.get(node.name)):
            return super().call(node)
        if node.on_rows and node.name != "count":
            raise EsqlError(node.span, f"{node.name} does not take *")
        rows = Compiler(self._grouped.source)
        codes = [rows.compile(argument) for argument in node.arguments]
        places = [argument.span for argument in node.arguments]
        kind = found.signature.check([code.type for code in codes], places, node.span)
        if "constants" in found.takes and not all(code.constant for code in codes[1:]):
            raise EsqlError(
                node.span, f"all arguments of {node.name} after the first must be constants"
            )
        pairs = enumerate(zip(node.arguments, codes, strict=True))
        arguments = tuple(
            self._grouped.input(argument, code)
            for place, (argument, code) in pairs
            if place == 0 or not code.constant
        )
        constants = tuple(code.value for code in codes[1:] if code.constant)
        place = len(self._grouped.aggregated)
        self._grouped.aggregated.append(
            Aggregated(
                found, tuple(code.type for code in codes), constants, arguments, self._condition
            )
        )
        return Code(
            lambda row: row[GROUP].value(place),
            kind,
            found.signature.many,
            fact=self._fact(node, codes),
        )

    def _fact(self, node: ast.Call, codes: list[Code]) -> Fact:
        """Counting rows, or distinct values of something that has one value a row, gives at most
        the rows."""
        counts = node.name in ("count", "count_distinct") and not any(code.many for code in codes)
        return OfHits() if counts else None
