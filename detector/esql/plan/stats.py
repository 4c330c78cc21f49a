"""Compile STATS: keys, inputs, aggregates and resulting columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from detector.esql import ast
from detector.esql.errors import EsqlError
from detector.esql.expressions.compiler import Compiler
from detector.esql.expressions.scope import (
    GROUP,
    CalendarFact,
    ColumnFact,
    ColumnScope,
    CompiledExpr,
    EventFact,
    EventTimeFact,
    FieldFact,
    Getter,
    HitCountFact,
    RowLayout,
    WindowFact,
)
from detector.esql.functions.aggregates import AGGREGATES, refuse_constant
from detector.esql.plan.accumulators import BoundAggregate
from detector.text.time import DAY

_LONGEST_PERIOD = 366 * DAY


class CompiledStats(msgspec.Struct):
    """A compiled STATS.

    ``source``: the columns before it; ``scope``: those after it. The window is the first key that
    truncates ``@timestamp`` to spans of fixed length. The other keys are in ``keys``;
    ``calendar_span`` is the maximum length in seconds of a calendar period among them."""

    scope: ColumnScope
    source: ColumnScope
    window: int | None = None
    window_column: str | None = None
    window_slot: int | None = None
    calendar_span: int | None = None
    keys: dict[str, CompiledExpr] = msgspec.field(default_factory=dict)
    key_slots: tuple[int, ...] = ()
    key_nodes: list[ast.Expression] = msgspec.field(default_factory=list)
    """The expressions of ``keys``."""
    inputs: list[CompiledExpr] = msgspec.field(default_factory=list)
    input_nodes: list[ast.Expression] = msgspec.field(default_factory=list)
    aggregates: list[BoundAggregate] = msgspec.field(default_factory=list)
    group_slot: int = GROUP
    _input_indexes: dict[str, int] = msgspec.field(default_factory=dict)

    def add_input(self, node: ast.Expression, expr: CompiledExpr) -> int:
        """Return the index of an input; equal inputs share one."""
        index = self._input_indexes.setdefault(repr(node), len(self.inputs))
        if index == len(self.inputs):
            self.inputs.append(expr)
            self.input_nodes.append(node)
        return index


def compile_stats(command: ast.Stats, source: ColumnScope) -> CompiledStats:
    """Compile a STATS command over the columns of ``source``."""
    stats = CompiledStats(ColumnScope(RowLayout(source.layout.options)), source)
    key_columns = {named.name: _add_key(stats, named) for named in command.by}
    _define_aggregations(stats, command.aggregations, key_columns)
    for name, expr in key_columns.items():
        stats.scope.define(name, expr)
    return stats


def compile_level(
    command: ast.Stats | ast.InlineStats, source: ColumnScope, keys: Mapping[str, CompiledExpr]
) -> CompiledStats:
    """Compile one of several grouping commands; ``keys`` are columns of ``source``.

    INLINE STATS keeps the existing columns and adds its own."""
    if isinstance(command, ast.InlineStats):
        stats = CompiledStats(source, source, group_slot=source.layout.slot())
        _define_aggregations(stats, command.aggregations, keys)
        return stats
    stats = CompiledStats(ColumnScope(RowLayout(source.layout.options)), source)
    key_columns = {}
    for name, key in keys.items():
        slot = stats.scope.layout.slot()
        stats.key_slots += (slot,)
        fact = key.fact if isinstance(key.fact, EventFact) else None
        key_columns[name] = CompiledExpr(slot_getter(slot), key.type, fact=fact)
    _define_aggregations(stats, command.aggregations, key_columns)
    for name, column in key_columns.items():
        stats.scope.define(name, column)
    return stats


def slot_getter(slot: int) -> Getter:
    """Return a getter of a row's slot."""
    return lambda row: row[slot]


def _define_aggregations(
    stats: CompiledStats,
    aggregations: Sequence[ast.Aggregation],
    key_columns: Mapping[str, CompiledExpr],
) -> None:
    """Define the columns of the aggregations, which cannot reference each other."""
    columns = {}
    for aggregation in aggregations:
        condition = None
        if aggregation.condition is not None:
            condition = stats.add_input(
                aggregation.condition, Compiler(stats.source).condition(aggregation.condition)
            )
        compiler = _StatsCompiler(stats, condition, key_columns)
        expr = compiler.column_value(aggregation.named.expression)
        columns[aggregation.named.name] = stats.scope.layout.cached(expr)
    for name, column in columns.items():
        stats.scope.define(name, column)


def _add_key(stats: CompiledStats, named: ast.Named) -> CompiledExpr:
    """Add a key of BY and return its column after STATS."""
    expr = stats.source.layout.cached(Compiler(stats.source).column_value(named.expression))
    stats.source.define(named.name, expr)
    slot = stats.scope.layout.slot()
    if isinstance(expr.fact, WindowFact) and stats.window is None:
        stats.window = expr.fact.seconds
        stats.window_column = named.name
        stats.window_slot = slot
    else:
        if isinstance(expr.fact, CalendarFact):
            check_period(named, expr.fact)
            stats.calendar_span = min(expr.fact.longest, stats.calendar_span or expr.fact.longest)
        stats.keys[named.name] = expr
        stats.key_nodes.append(named.expression)
        stats.key_slots += (slot,)
    return CompiledExpr(lambda row: row[slot], expr.type)


def check_period(named: ast.Named, fact: CalendarFact) -> None:
    """Raise EsqlError for a calendar period of over a year."""
    if fact.longest > _LONGEST_PERIOD:
        raise EsqlError(named.expression.span, "a window of over a year is not supported")


class _StatsCompiler(Compiler):
    """Compiles the expressions of STATS, over aggregates of rows and keys."""

    def __init__(
        self, stats: CompiledStats, condition: int | None, key_columns: Mapping[str, CompiledExpr]
    ) -> None:
        keys = ColumnScope(stats.scope.layout)
        keys.columns = dict(key_columns)
        super().__init__(keys)
        self._stats = stats
        self._condition = condition

    def compile(self, node: ast.Expression) -> CompiledExpr:
        if isinstance(node, ast.Column) and node.name not in self.scope.columns:
            self._stats.source.find(node.name, node.span)  # raises where there is no such column
            raise EsqlError(
                node.span, f"{node.name} must stand in an aggregate such as values(), or in by"
            )
        return super().compile(node)

    def call(self, node: ast.Call) -> CompiledExpr:
        aggregate = AGGREGATES.get(node.name)
        if aggregate is None:
            return super().call(node)
        if node.on_rows and node.name != "count":
            raise EsqlError(node.span, f"{node.name} does not take *")
        row_compiler = Compiler(self._stats.source)
        exprs = [row_compiler.compile(argument) for argument in node.arguments]
        types = tuple(expr.type for expr in exprs)
        type = aggregate.signature.check(
            types, [argument.span for argument in node.arguments], node.span
        )
        if "constants" in aggregate.takes and not all(expr.constant for expr in exprs[1:]):
            raise EsqlError(
                node.span, f"all arguments of {node.name} after the first must be constants"
            )
        arguments = [
            self._stats.add_input(argument, expr)
            for argument, expr in zip(node.arguments[:1], exprs[:1], strict=True)
        ]
        constants = []
        for position, (argument, expr) in enumerate(zip(node.arguments, exprs, strict=True)):
            if position and expr.constant and aggregate.drops_constant(position):
                _check_constant(node, argument, expr)
                constants.append(expr.value)
            elif position:
                arguments.append(self._stats.add_input(argument, expr))
        index = len(self._stats.aggregates)
        self._stats.aggregates.append(
            BoundAggregate(aggregate, types, tuple(constants), tuple(arguments), self._condition)
        )
        group_slot = self._stats.group_slot
        return CompiledExpr(
            lambda row: row[group_slot].value(index),
            type,
            aggregate.signature.many or (aggregate.signature.many_as_first and exprs[0].many),
            fact=_fact_of_aggregate(node, exprs, arguments),
        )


def _check_constant(node: ast.Call, argument: ast.Expression, expr: CompiledExpr) -> None:
    """Raise EsqlError for a constant that would make an aggregate null or misleading."""
    reason = refuse_constant(node.name, expr.type, expr.value)
    if reason is not None:
        raise EsqlError(argument.span, reason)


def _fact_of_aggregate(
    node: ast.Call, arguments: list[CompiledExpr], inputs: Sequence[int]
) -> ColumnFact:
    """Return the fact of a count, or of the minimum or maximum of ``@timestamp``.

    A count of a multivalued column has none: it may exceed the number of rows."""
    if node.name in ("min", "max") and arguments[0].fact == FieldFact("@timestamp"):
        return EventTimeFact()
    if node.name not in ("count", "count_distinct"):
        return None
    if any(argument.many for argument in arguments):
        return None
    if node.name == "count_distinct":
        return HitCountFact(inputs[0])
    return HitCountFact()
