"""Plan a query: compile its commands in order.

Each command works on the columns that result from the previous one.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from dataclasses import replace

from detector.ecs.fields import FieldTable
from detector.esql import ast, parser
from detector.esql.errors import QUERY_START, EsqlError, too_deep
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
from detector.esql.plan.grouping import Expand, Grouping
from detector.esql.plan.lookups import lookup_digests
from detector.esql.plan.pipeline import CommandPipeline, plan_common_command
from detector.esql.plan.predicate_analysis import (
    ANY_PAIR,
    MinSpan,
    Pairs,
    intersect_pairs,
    min_distinct,
    min_hits,
    min_spans,
    required_pairs,
)
from detector.esql.plan.prefilter import PrefilterBuilder
from detector.esql.plan.program_builder import ProgramBuilder
from detector.esql.plan.query import Query, Shape
from detector.esql.plan.sequence import CompiledSequence, compile_sequence, with_correlated
from detector.esql.plan.shared_inputs import SharedInputs
from detector.esql.plan.stats import CompiledStats, compile_stats
from detector.esql.plan.time_dependence import TimeDependence
from detector.esql.tree_walk import depends_on_time

_INDEX = "logs-aws.cloudtrail-default"


def plan(
    text: str,
    fields: FieldTable,
    options: QueryOptions = DEFAULT_OPTIONS,
    keys: tuple[ast.Named, ...] = (),
) -> Query:
    """Plan a query from its text. Raises EsqlError.

    ``keys`` are the expressions by which the events of a query without STATS are grouped."""
    return plan_tree(parser.parse_query(text), text, fields, options, keys, separate=False)


def plan_tree(
    tree: ast.Tree,
    text: str,
    fields: FieldTable,
    options: QueryOptions = DEFAULT_OPTIONS,
    keys: tuple[ast.Named, ...] = (),
    separate: bool = True,
) -> Query:
    """Plan a query from its tree, as ``plan`` does from its text. Raises EsqlError.

    ``separate`` plans it as a rule: with several grouping commands, hits that none of them combines
    form separate groups and thus alerts; and an event is one hit of a group even if MV_EXPAND makes
    several rows of it."""
    try:
        planner = _Planner(tree, fields, options, separate)
        planner.plan_commands()
        query = planner.query(text, keys)
        if separate and any(isinstance(stage, Expand) for stage in query.stages):
            return replace(query, unites_rows=True)
        return query
    except RecursionError:
        raise too_deep() from None


def reads_cloudtrail(pattern: str) -> bool:
    """Tell whether an index pattern covers CloudTrail's data stream in any namespace."""
    name = pattern.rpartition(":")[2]
    return fnmatch.fnmatchcase(_INDEX, name) or name.startswith("logs-aws.cloudtrail-")


class _Planner:
    """Compiles the commands of one query.

    ``_pipeline`` is the side of STATS that the current command is on, ``_before`` the side before
    STATS."""

    def __init__(
        self, tree: ast.Tree, fields: FieldTable, options: QueryOptions, separate: bool
    ) -> None:
        self._tree = tree
        self._fields = fields
        self._separate = separate
        self._canonical = repr(tree)
        self._layout = RowLayout(options)
        self._pipeline = CommandPipeline(ColumnScope(self._layout, fields))
        self._before = self._pipeline
        self._prefilter = PrefilterBuilder(options, fields)
        self._required_pairs: Pairs = ANY_PAIR
        self._min_hits = 1
        self._min_distinct: dict[int, int] = {}
        self._min_spans: list[MinSpan] = []
        self._time = TimeDependence()
        self.stats: CompiledStats | None = None
        groups = [each for each in tree.commands if isinstance(each, ast.Stats | ast.InlineStats)]
        self._is_program = len(groups) > 1 or any(isinstance(e, ast.InlineStats) for e in groups)
        self.program: ProgramBuilder | None = None
        self.sequence: tuple[ast.Sequence, CompiledSequence] | None = None

    def plan_commands(self) -> None:
        first, *rest = self._tree.commands
        _plan_from(first, self._pipeline.scope)
        for command in rest:
            if not self.stats:
                self._time.add(command)
            match command:
                case ast.Where():
                    self._plan_where(command)
                case ast.Stats() if not self._is_program:
                    self._plan_stats(command)
                case ast.Stats() | ast.InlineStats():
                    self._plan_level(command)
                case ast.Sequence():
                    self._plan_sequence(command)
                case _:
                    plan_common_command(command, self._pipeline)
        self._canonical += lookup_digests(self._tree, self._layout.options)

    def query(self, text: str, keys: tuple[ast.Named, ...]) -> Query:
        """Build the query from the planned commands."""
        if self.program is not None:
            return self.program_query(text, self.program)
        if self.sequence is not None:
            return self.sequence_query(text, self.sequence)
        if self.stats is not None:
            return self.grouping_query(text, self.stats)
        return self.filter_query(text, keys)

    def _plan_where(self, command: ast.Where) -> None:
        condition, scope = command.condition, self._pipeline.scope
        self._pipeline.refuse_after_limit(command)
        is_filter = self.stats is None and self.program is None
        if self.stats and not self._expands():
            self._min_hits = max(self._min_hits, min_hits(condition, scope))
            for index, least in min_distinct(condition, scope).items():
                self._min_distinct[index] = max(least, self._min_distinct.get(index, 1))
            self._min_spans += min_spans(condition, scope)
        elif is_filter:
            pairs = required_pairs(condition, scope)
            self._required_pairs = intersect_pairs(self._required_pairs, pairs)
        self._pipeline.stages.append(Compiler(scope).condition(condition).read)
        if is_filter:
            self._prefilter.add(condition, scope)

    def _expands(self) -> bool:
        """Tell whether an event may become several rows, which then count as one hit."""
        return any(isinstance(stage, Expand) for stage in self._before.stages)

    def _refuse_multiplied_events(self) -> None:
        """Raise EsqlError for a join that multiplies events before they are counted."""
        join = self._before.multiplying
        if self._separate and join is not None:
            raise EsqlError(
                join.span,
                f"several rows of the lookup {join.table} agree in what is joined, and stats would "
                "count an event several times: leave one of them, or use enrich",
            )

    def _plan_stats(self, command: ast.Stats) -> None:
        self._pipeline.refuse_after_limit(command)
        self._refuse_multiplied_events()
        self.stats = compile_stats(command, self._pipeline.scope)
        self._pipeline = CommandPipeline(self.stats.scope)

    def _plan_level(self, command: ast.Stats | ast.InlineStats) -> None:
        """Plan one of several grouping commands."""
        self._pipeline.refuse_after_limit(command)
        self._refuse_multiplied_events()
        if self.program is None:
            self.program = ProgramBuilder(self._pipeline.scope)
        self._pipeline = self.program.add(command, self._pipeline)

    def _plan_sequence(self, command: ast.Sequence) -> None:
        """Plan a sequence; the disjunction of its steps becomes the filter before it."""
        conditions = tuple(step.condition for step in command.steps)
        any_step = ast.Logic("or", conditions, span=command.span)
        self._plan_where(ast.Where(any_step, span=command.span))
        self.sequence = command, compile_sequence(command, self._pipeline.scope)

    def sequence_query(self, text: str, sequence: tuple[ast.Sequence, CompiledSequence]) -> Query:
        """Build the query of a sequence."""
        node, compiled = sequence
        query = self.filter_query(text, ())
        compiled = with_correlated(compiled, node, list(query.columns))
        return replace(
            query,
            shape="sequence",
            window=node.width,
            key_names=node.key_names,
            keys=compiled.steps[0].keys,
            min_hits=compiled.min_hits,
            time_inputs=None,
            sequence=compiled,
        )

    def filter_query(self, text: str, keys: tuple[ast.Named, ...]) -> Query:
        """Build a query without STATS."""
        scope = self._pipeline.scope
        columns = scope.output()
        # Keys may name the event's id even if KEEP or DROP has removed it.
        event_id = ColumnScope(self._layout, self._fields).find("event.id", QUERY_START)
        scope.columns.setdefault("event.id", event_id)
        key_columns = {key.name: Compiler(scope).compile(key.expression) for key in keys}
        time_inputs = None
        if not self._time.decides(key.expression for key in keys):
            time_inputs = self._time.time_inputs((name, expr) for name, expr in columns.items())
        return Query(
            text=text,
            tree=self._tree,
            key_nodes=keys,
            canonical=self._canonical,
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
            time_inputs=time_inputs,
            shared_inputs=SharedInputs.of(list(columns.values()), self._fields),
        )

    def grouping_query(self, text: str, stats: CompiledStats) -> Query:
        """Build a query with STATS."""
        shape: Shape = "lookback" if stats.window is None else "window"
        grouping = Grouping(
            layout=stats.scope.layout,
            key_slots=stats.key_slots,
            window_slot=stats.window_slot,
            aggregates=tuple(stats.aggregates),
            stages=tuple(self._pipeline.stages),
        )
        time_inputs = None
        if not self._time.decides(stats.key_nodes):
            time_inputs = self._time.time_inputs(
                list(zip(stats.input_nodes, stats.inputs, strict=True))
            )
        return Query(
            text=text,
            tree=self._tree,
            key_nodes=(),
            canonical=self._canonical,
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
            time_inputs=time_inputs,
            shared_inputs=SharedInputs.of(stats.inputs, self._fields),
            min_distinct=tuple(self._min_distinct.items()),
            min_spans=tuple(self._min_spans),
        )

    def program_query(self, text: str, program: ProgramBuilder) -> Query:
        """Build a query with several grouping commands."""
        scope = self._pipeline.scope
        columns = scope.output()
        plan = program.build(self._separate, depends_on_time(self._tree))
        return Query(
            text=text,
            tree=self._tree,
            key_nodes=(),
            canonical=self._canonical,
            shape="lookback" if plan.window is None else "window",
            prefilter=self._prefilter.build(),
            required_pairs=self._required_pairs,
            window=plan.window,
            window_column=plan.window_column,
            calendar_span=None if plan.window else plan.calendar_span,
            key_names=tuple(plan.keys),
            min_hits=1,
            columns=columns,
            sparse=scope.open,
            layout=self._layout,
            stages=tuple(self._before.stages),
            keys=tuple(plan.keys.values()),
            inputs=plan.inputs,
            grouping=plan.program,
            orders=self._pipeline.orders,
            limit=self._limit(),
            thresholds=describe_thresholds(self._tree),
            time_inputs=None,
        )

    def _limit(self) -> int | None:
        return self._pipeline.limit.rows if self._pipeline.limit else None


def _plan_from(command: ast.Command, scope: ColumnScope) -> None:
    if not isinstance(command, ast.From):
        raise EsqlError(command.span, "the query must begin with from")
    if not any(reads_cloudtrail(pattern) for pattern in command.patterns):
        raise EsqlError(
            command.span,
            f"reads {', '.join(command.patterns)}: trailhound holds CloudTrail only "
            "(logs-aws.cloudtrail-*)",
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
