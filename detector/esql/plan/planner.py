"""Plan a query: compile its commands, in order.

Each command works on the columns that the one before it leaves.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from detector.ecs.fields import FieldTable
from detector.esql import ast, parser
from detector.esql.errors import EsqlError, too_deep
from detector.esql.expressions.compiler import Compiler
from detector.esql.expressions.scope import (
    DEFAULT_OPTIONS,
    ColumnScope,
    CompiledExpr,
    QueryOptions,
    RowLayout,
    constant,
)
from detector.esql.plan.explain import describe_thresholds
from detector.esql.plan.extract import dissect, grok
from detector.esql.plan.predicate_analysis import (
    ANY_PAIR,
    Pairs,
    intersect_pairs,
    min_hits,
    required_pairs,
)
from detector.esql.plan.prefilter import PrefilterBuilder
from detector.esql.plan.query import Expand, Grouping, Query, Shape, SortKey, Stage
from detector.esql.plan.sequence import CompiledSequence, compile_sequence
from detector.esql.plan.stats import CompiledStats, compile_stats

_INDEX = "logs-aws.cloudtrail-default"


def plan(
    text: str,
    fields: FieldTable,
    options: QueryOptions = DEFAULT_OPTIONS,
    keys: tuple[ast.Named, ...] = (),
) -> Query:
    """Plan a query from its text. Raises EsqlError.

    ``keys``: what the events of a query without STATS must agree in to belong together."""
    return plan_tree(parser.parse_query(text), text, fields, options, keys)


def plan_tree(
    tree: ast.Tree,
    text: str,
    fields: FieldTable,
    options: QueryOptions = DEFAULT_OPTIONS,
    keys: tuple[ast.Named, ...] = (),
) -> Query:
    """Plan a query from its tree, as ``plan`` does from its text."""
    try:
        planner = _Planner(tree, fields, options)
        planner.plan_commands()
        if planner.sequence is not None:
            return planner.sequence_query(text, planner.sequence)
        if planner.stats is None:
            return planner.filter_query(text, keys)
        return planner.grouping_query(text, planner.stats)
    except RecursionError:
        raise too_deep() from None


def reads_cloudtrail(pattern: str) -> bool:
    """Check whether an index pattern covers CloudTrail's data stream, in any namespace."""
    name = pattern.rpartition(":")[2]
    return fnmatch.fnmatchcase(_INDEX, name) or name.startswith("logs-aws.cloudtrail-")


@dataclass
class _Pipeline:
    """The commands on one side of STATS, compiled."""

    scope: ColumnScope
    stages: list[Stage] = field(default_factory=list)
    orders: tuple[SortKey, ...] = ()
    limit: ast.Limit | None = None

    def refuse_after_limit(self, command: ast.Command) -> None:
        if self.limit:
            name = type(command).__name__.lower()
            raise EsqlError(
                self.limit.span,
                f"limit before {name} is not supported: which rows it leaves depends on "
                "their order",
            )


class _Planner:
    """Compiles the commands of one query.

    ``pipeline`` is the side of STATS that the current command is on; ``before`` is the other one
    once ``stats`` is there."""

    def __init__(self, tree: ast.Tree, fields: FieldTable, options: QueryOptions) -> None:
        self._tree = tree
        self._fields = fields
        self._layout = RowLayout(options)
        self._pipeline = _Pipeline(ColumnScope(self._layout, fields))
        self._before = self._pipeline
        self._prefilter = PrefilterBuilder(RowLayout(options), fields)
        self._required_pairs: Pairs = ANY_PAIR
        self._min_hits = 1
        self.stats: CompiledStats | None = None
        self.sequence: tuple[ast.Sequence, CompiledSequence] | None = None

    def plan_commands(self) -> None:
        first, *rest = self._tree.commands
        _plan_from(first, self._pipeline.scope)
        for command in rest:
            match command:
                case ast.Where():
                    self._plan_where(command)
                case ast.Stats():
                    self._plan_stats(command)
                case ast.Sequence():
                    self._plan_sequence(command)
                case _:
                    _plan_common_command(command, self._pipeline)

    def _plan_where(self, command: ast.Where) -> None:
        condition, scope = command.condition, self._pipeline.scope
        self._pipeline.refuse_after_limit(command)
        if self.stats:
            self._min_hits = max(self._min_hits, min_hits(condition, scope))
        else:
            pairs = required_pairs(condition, scope)
            self._required_pairs = intersect_pairs(self._required_pairs, pairs)
        self._pipeline.stages.append(Compiler(scope).condition(condition).read)
        if not self.stats:
            self._prefilter.add(condition, scope)

    def _plan_stats(self, command: ast.Stats) -> None:
        if self.stats:
            raise EsqlError(command.span, "a second stats is not supported")
        self._pipeline.refuse_after_limit(command)
        self.stats = compile_stats(command, self._pipeline.scope)
        self._pipeline = _Pipeline(self.stats.scope)

    def _plan_sequence(self, command: ast.Sequence) -> None:
        """Plan a sequence, before which all steps are one filter."""
        conditions = tuple(step.condition for step in command.steps)
        any_step = ast.Logic("or", conditions, span=command.span)
        self._plan_where(ast.Where(any_step, span=command.span))
        self.sequence = command, compile_sequence(command, self._pipeline.scope)

    def sequence_query(self, text: str, sequence: tuple[ast.Sequence, CompiledSequence]) -> Query:
        """Return a query of a sequence."""
        node, compiled = sequence
        return replace(
            self.filter_query(text, ()),
            shape="sequence",
            window=node.width,
            key_names=node.key_names,
            keys=compiled.steps[0].keys,
            min_hits=compiled.min_hits,
            sequence=compiled,
        )

    def filter_query(self, text: str, keys: tuple[ast.Named, ...]) -> Query:
        """Return a query without STATS."""
        scope = self._pipeline.scope
        span = self._tree.commands[0].span
        names = [name for name in scope.names() if self._is_column(name)]
        columns = {name: scope.find(name, span) for name in names}
        # Keys may name the event's id even where KEEP or DROP has removed it.
        event_id = ColumnScope(self._layout, self._fields).find("event.id", span)
        scope.columns.setdefault("event.id", event_id)
        key_columns = {key.name: Compiler(scope).compile(key.expression) for key in keys}
        return Query(
            text=text,
            canonical=repr(self._tree),
            shape="filter",
            prefilter=self._prefilter.build(),
            required_pairs=self._required_pairs,
            window=None,
            window_column=None,
            calendar_span=None,
            key_names=tuple(key_columns),
            min_hits=1,
            columns=columns,
            sparse=scope.open,
            layout=self._layout,
            stages=tuple(self._pipeline.stages),
            keys=tuple(key_columns.values()),
            inputs=tuple(columns.values()),
            grouping=None,
            orders=self._pipeline.orders,
            limit=self._limit(),
            thresholds=(),
        )

    def _is_column(self, name: str) -> bool:
        """Tell whether a result has a column: it costs little, or the query names it."""
        field = self._fields.get(name)
        return field is None or not field.on_demand or name in self._pipeline.scope.columns

    def grouping_query(self, text: str, stats: CompiledStats) -> Query:
        """Return a query with STATS."""
        shape: Shape = "lookback" if stats.window is None else "window"
        grouping = Grouping(
            layout=stats.scope.layout,
            key_slots=stats.key_slots,
            window_slot=stats.window_slot,
            aggregates=tuple(stats.aggregates),
            stages=tuple(self._pipeline.stages),
        )
        return Query(
            text=text,
            canonical=repr(self._tree),
            shape=shape,
            prefilter=self._prefilter.build(),
            required_pairs=self._required_pairs,
            window=stats.window,
            window_column=stats.window_column,
            calendar_span=None if stats.window else stats.calendar_span,
            key_names=tuple(stats.keys),
            min_hits=self._min_hits,
            columns=dict(self._pipeline.scope.columns),
            sparse=False,
            layout=self._layout,
            stages=tuple(self._before.stages),
            keys=tuple(stats.keys.values()),
            inputs=tuple(stats.inputs),
            grouping=grouping,
            orders=self._pipeline.orders,
            limit=self._limit(),
            thresholds=describe_thresholds(self._tree),
        )

    def _limit(self) -> int | None:
        return self._pipeline.limit.rows if self._pipeline.limit else None


def _plan_from(command: ast.Command, scope: ColumnScope) -> None:
    if not isinstance(command, ast.From):
        raise EsqlError(command.span, "the query must begin with from")
    if not any(reads_cloudtrail(pattern) for pattern in command.patterns):
        raise EsqlError(
            command.span,
            f"reads {', '.join(command.patterns)}, which is not CloudTrail (logs-aws.cloudtrail-*)",
        )
    metadata: dict[str, Callable[[], CompiledExpr]] = {
        "_id": lambda: scope.find("event.id", command.span),
        "_index": lambda: constant(_INDEX, "keyword"),
        "_version": lambda: constant(1, "long"),
    }
    for name in command.metadata:
        if name not in metadata:
            raise EsqlError(command.span, f"the metadata field {name} is not supported")
        scope.define(name, metadata[name]())


def _plan_common_command(command: ast.Command, pipeline: _Pipeline) -> None:
    """Compile a command that works the same before and after STATS."""
    scope = pipeline.scope
    match command:
        case ast.Eval(columns):
            for named in columns:
                expr = Compiler(scope).compile(named.expression)
                scope.define(named.name, scope.layout.cached(expr))
        case ast.Keep() | ast.Drop() | ast.Rename():
            _plan_projection(command, scope)
        case ast.MvExpand():
            _plan_mv_expand(command, pipeline)
        case ast.Dissect():
            dissect(command, scope)
        case ast.Grok():
            grok(command, scope)
        case ast.Sort(orders):
            pipeline.orders = tuple(_plan_order(order, scope) for order in orders)
        case ast.Limit():
            if pipeline.limit is None or command.rows < pipeline.limit.rows:
                pipeline.limit = command
        case _:
            name = type(command).__name__.upper()
            raise EsqlError(command.span, f"the command {name} is not supported")


def _plan_projection(command: ast.Keep | ast.Drop | ast.Rename, scope: ColumnScope) -> None:
    match command:
        case ast.Keep(patterns):
            scope.keep((pattern.name, pattern.span) for pattern in patterns)
        case ast.Drop(patterns):
            scope.drop((pattern.name, pattern.span) for pattern in patterns)
        case ast.Rename(pairs):
            for old, new in pairs:
                scope.rename(old.name, new.name, old.span)


def _plan_mv_expand(command: ast.MvExpand, pipeline: _Pipeline) -> None:
    scope, column = pipeline.scope, command.column
    expr = scope.find(column.name, column.span)
    slot = scope.layout.slot()
    pipeline.stages.append(Expand(expr.read, slot))
    pipeline.refuse_after_limit(command)
    scope.columns[column.name] = CompiledExpr(lambda row: row[slot], expr.type)


def _plan_order(order: ast.Order, scope: ColumnScope) -> SortKey:
    expr = Compiler(scope).compile(order.expression)
    return SortKey(expr.read, expr.type, order.descending, order.nulls_first)
