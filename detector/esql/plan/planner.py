"""A query's tree -> Query: the commands one after the other, over the columns that each leaves to the next."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from detector.ecs.fields import FieldTable
from detector.esql import ast, parser
from detector.esql.aggregates import AGGREGATES
from detector.esql.compiler import Compiler
from detector.esql.errors import EsqlError, too_deep
from detector.esql.extract import dissect, grok
from detector.esql.plan import explain, predicate_analysis
from detector.esql.plan.accumulators import BoundAggregate
from detector.esql.plan.prefilter import PrefilterBuilder
from detector.esql.plan.query import Expand, Grouping, Ordering, Query, Shape, Stage
from detector.esql.scope import (
    DEFAULT_OPTIONS,
    GROUP,
    CompiledExpr,
    Fact,
    HitCountFact,
    QueryOptions,
    RowLayout,
    Scope,
    WindowFact,
    constant,
)

_INDEX = "logs-aws.cloudtrail-default"


def plan(
    text: str,
    fields: FieldTable,
    options: QueryOptions = DEFAULT_OPTIONS,
    keys: tuple[ast.Named, ...] = (),
) -> Query:
    """Raises EsqlError for a query that cannot be run as it stands.

    ``keys`` is what events of a query that does not group must have in common to belong together.
    """
    return plan_tree(parser.parse(text), text, fields, options, keys)


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


def plan_tree(
    tree: ast.Tree,
    text: str,
    fields: FieldTable,
    options: QueryOptions = DEFAULT_OPTIONS,
    keys: tuple[ast.Named, ...] = (),
) -> Query:
    """As ``plan``, of a query's tree."""
    try:
        return _plan_tree(tree, text, fields, options, keys)
    except RecursionError:
        raise too_deep() from None


def _plan_tree(
    tree: ast.Tree,
    text: str,
    fields: FieldTable,
    options: QueryOptions,
    keys: tuple[ast.Named, ...],
) -> Query:
    first, *rest = tree.commands
    layout = RowLayout(options)
    part = _Part(Scope(layout, fields))
    prefilter_builder = PrefilterBuilder(RowLayout(options), fields)
    _source(first, part.scope)
    required_pairs, min_hits, grouped = predicate_analysis.ANY_PAIR, 1, None
    for command in rest:
        match command:
            case ast.Where(condition):
                part.refuse_after_limit(command)
                if grouped:
                    min_hits = max(min_hits, predicate_analysis.min_hits(condition, part.scope))
                else:
                    required_pairs = predicate_analysis.intersect_pairs(
                        required_pairs, predicate_analysis.required_pairs(condition, part.scope)
                    )
                part.stages.append(Compiler(part.scope).condition(condition).read)
                if not grouped:
                    prefilter_builder.add(condition, part.scope)
            case ast.Stats():
                if grouped:
                    raise EsqlError(command.span, "a second stats is not supported")
                part.refuse_after_limit(command)
                grouped = _grouped(command, part.scope)
                before, part = part, _Part(grouped.scope)
            case _:
                _step(command, part)
    limit = part.limited.rows if part.limited else None
    after = prefilter_builder.build(), required_pairs
    if grouped is None:
        columns = {name: part.scope.find(name, first.span) for name in part.scope.names()}
        part.scope.columns.setdefault(
            "event.id", Scope(layout, fields).find("event.id", first.span)
        )
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
            layout,
            tuple(part.stages),
            tuple(by.values()),
            tuple(columns.values()),
            None,
            part.orders,
            limit,
            (),
        )
    grouping = Grouping(
        grouped.scope.layout,
        grouped.key_slots,
        grouped.window_slot,
        tuple(grouped.aggregates),
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
        min_hits,
        dict(part.scope.columns),
        False,
        layout,
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
    known: dict[str, Callable[[], CompiledExpr]] = {
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
                    named.name, scope.layout.cached(Compiler(scope).compile(named.expression))
                )
        case ast.Keep(patterns):
            scope.keep((p.name, p.span) for p in patterns)
        case ast.Drop(patterns):
            scope.drop((p.name, p.span) for p in patterns)
        case ast.Rename(pairs):
            for old, new in pairs:
                scope.rename(old.name, new.name, old.span)
        case ast.MvExpand(column):
            code, slot = scope.find(column.name, column.span), scope.layout.slot()
            part.stages.append(Expand(code.read, slot))
            part.refuse_after_limit(command)
            scope.columns[column.name] = CompiledExpr(lambda row: row[slot], code.type)
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
    keys: dict[str, CompiledExpr] = field(default_factory=dict)
    key_slots: tuple[int, ...] = ()
    inputs: list[CompiledExpr] = field(default_factory=list)
    aggregates: list[BoundAggregate] = field(default_factory=list)
    taken: dict[str, int] = field(default_factory=dict)

    def input(self, node: ast.Expression, code: CompiledExpr) -> int:
        """The place of an input; one that several aggregates take is taken once."""
        if (place := self.taken.setdefault(repr(node), len(self.inputs))) == len(self.inputs):
            self.inputs.append(code)
        return place


def _grouped(command: ast.Stats, source: Scope) -> _Grouped:
    grouped = _Grouped(Scope(RowLayout(source.layout.options)), source)
    by: dict[str, CompiledExpr] = {}
    for named in command.by:
        code = source.layout.cached(Compiler(source).compile(named.expression))
        source.define(named.name, code)
        slot = grouped.scope.layout.slot()
        if isinstance(code.fact, WindowFact) and grouped.window is None:
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
        grouped.scope.define(named.name, grouped.scope.layout.cached(code))
    for name, code in by.items():
        grouped.scope.define(name, code)
    return grouped


def _slotted(slot: int, code: CompiledExpr) -> CompiledExpr:
    return CompiledExpr(lambda row: row[slot], code.type)


class _Aggregating(Compiler):
    """Compiles an expression of STATS: aggregates are computed from rows, columns outside them are
    keys."""

    def __init__(
        self, grouped: _Grouped, condition: int | None, by: dict[str, CompiledExpr]
    ) -> None:
        keys = Scope(grouped.scope.layout)
        keys.columns = dict(by)
        super().__init__(keys)
        self._grouped, self._condition = grouped, condition

    def compile(self, node: ast.Expression) -> CompiledExpr:
        if isinstance(node, ast.Column) and node.name not in self.scope.columns:
            self._grouped.source.find(node.name, node.span)
            raise EsqlError(
                node.span, f"{node.name} must stand in an aggregate such as values(), or in by"
            )
        return super().compile(node)

    def call(self, node: ast.Call) -> CompiledExpr:
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
        place = len(self._grouped.aggregates)
        self._grouped.aggregates.append(
            BoundAggregate(
                found, tuple(code.type for code in codes), constants, arguments, self._condition
            )
        )
        return CompiledExpr(
            lambda row: row[GROUP].value(place),
            kind,
            found.signature.many,
            fact=self._fact(node, codes),
        )

    def _fact(self, node: ast.Call, codes: list[CompiledExpr]) -> Fact:
        """Counting rows, or distinct values of something that has one value a row, gives at most
        the rows."""
        counts = node.name in ("count", "count_distinct") and not any(code.many for code in codes)
        return HitCountFact() if counts else None
