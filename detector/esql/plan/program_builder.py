"""Plan queries with several grouping commands: a second STATS, or INLINE STATS."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from detector.esql import ast
from detector.esql.errors import QUERY_START, EsqlError, Span
from detector.esql.expressions.compiler import Compiler
from detector.esql.expressions.scope import (
    CalendarFact,
    ColumnScope,
    CompiledExpr,
    EventFact,
    Getter,
    RowLayout,
    WindowFact,
)
from detector.esql.plan.pipeline import CommandPipeline
from detector.esql.plan.program import TableLevel, TableProgram
from detector.esql.plan.stats import CompiledStats, check_period, compile_level, slot_getter


class _HitScope(ColumnScope):
    """The columns of a table of hits; a column becomes an input of the hits when it is used."""

    def __init__(self, source: ColumnScope) -> None:
        super().__init__(RowLayout(source.layout.options))
        self._source: ColumnScope | None = source
        self.inputs: list[CompiledExpr] = []
        self.slots: list[int] = []

    @property
    def open(self) -> bool:
        return self._source is not None and self._source.open

    def names(self) -> list[str]:
        if self._source is None:
            return super().names()
        candidates = {**dict.fromkeys(self._source.names()), **self.columns}
        return [name for name in candidates if name not in self._dropped]

    def output(self) -> dict[str, CompiledExpr]:
        shown = self._source.output() if self._source is not None else {}
        return {
            name: self.find(name, QUERY_START)
            for name in self.names()
            if name in self.columns or name in shown
        }

    def keep_whole(self, name: str, expr: CompiledExpr) -> None:
        """Add an expression over events as a column of the hits."""
        self.columns[name] = self._input(expr)

    def keep(self, patterns: Iterable[tuple[str, Span]]) -> None:
        super().keep(patterns)
        self._source = None

    def _find_field(self, name: str) -> CompiledExpr | None:
        if self._source is None or name in self._dropped:
            return None
        try:
            expr = self._source.find(name, QUERY_START)
        except EsqlError:
            return None
        column = self.columns[name] = self._input(expr)
        return column

    def _input(self, expr: CompiledExpr) -> CompiledExpr:
        if expr.constant:
            return expr
        slot = self.layout.slot()
        self.inputs.append(expr)
        self.slots.append(slot)
        return CompiledExpr(lambda row: row[slot], expr.type, expr.many, fact=EventFact(expr))


class _LevelPlan(msgspec.Struct, frozen=True):
    """A grouping command and the pipeline after it.

    ``keys`` are the keys as expressions over events, None for other keys."""

    command: ast.Stats | ast.InlineStats
    stats: CompiledStats
    keys: dict[str, CompiledExpr | None]
    getters: tuple[Getter, ...]
    pipeline: CommandPipeline


class ProgramPlan(msgspec.Struct, frozen=True):
    """A program, the inputs of its hits, and the keys and window that a group's hits share."""

    program: TableProgram
    inputs: tuple[CompiledExpr, ...]
    keys: dict[str, CompiledExpr]
    window: int | None
    window_column: str | None
    calendar_span: int | None


class ProgramBuilder:
    """Builds a program over the columns of ``source``, command by command."""

    def __init__(self, source: ColumnScope) -> None:
        self._levels: list[_LevelPlan] = []
        self._first_slots: dict[str, int] = {}
        """The slots of the first command's keys in the hits' rows."""
        self._source = source
        self._hits = _HitScope(source)

    def add(
        self, command: ast.Stats | ast.InlineStats, pipeline: CommandPipeline
    ) -> CommandPipeline:
        """Add a grouping command and return the pipeline after it."""
        if self._levels:
            scope = pipeline.scope
            keys = _later_keys(command, scope)
        else:
            scope = self._hits
            keys = self._first_keys(command)
        _refuse_many(command, keys)
        stats = compile_level(command, scope, keys)
        after = CommandPipeline(stats.scope)
        events = {name: _event_expr(column) for name, column in keys.items()}
        getters = tuple(column.read for column in keys.values())
        self._levels.append(_LevelPlan(command, stats, events, getters, after))
        return after

    def _first_keys(self, command: ast.Stats | ast.InlineStats) -> dict[str, CompiledExpr]:
        """Compile the keys of the first command over events and define their columns."""
        keys = {}
        for named in command.by:
            expr = self._source.layout.cached(Compiler(self._source).column_value(named.expression))
            if isinstance(expr.fact, CalendarFact):
                check_period(named, expr.fact)
            self._source.define(named.name, expr)
            slot = self._first_slots[named.name] = self._hits.layout.slot()
            key = CompiledExpr(slot_getter(slot), expr.type, expr.many, fact=EventFact(expr))
            keys[named.name] = self._hits.columns[named.name] = key
            if expr.many:  # a group has one of the values, but aggregates see all of them
                self._hits.keep_whole(named.name, expr)
        return keys

    def build(self, separate: bool, reads_clock: bool) -> ProgramPlan:
        """Build the program.

        ``separate``: hits that no command combines form separate groups, as for a rule's alerts;
        otherwise all hits are one group. Raises EsqlError if the groups of a rule cannot be
        determined from each event. ``reads_clock``: the query calls NOW()."""
        common = self._common_keys() if separate else {}
        window_name = next(
            (name for name, expr in common.items() if isinstance(expr.fact, WindowFact)), None
        )
        keys = {name: expr for name, expr in common.items() if name != window_name}
        inputs, slots = list(self._hits.inputs), list(self._hits.slots)
        for name, slot in self._first_slots.items():
            expr = self._levels[0].keys[name]
            if name not in common and expr is not None:
                inputs.append(expr)
                slots.append(slot)
        program = TableProgram(
            layout=self._hits.layout,
            input_slots=tuple(slots),
            key_slots=tuple(self._first_slots[name] for name in keys),
            window_slot=None if window_name is None else self._first_slots[window_name],
            levels=tuple(map(_level, self._levels)),
            reads_clock=reads_clock,
            merges=separate and isinstance(self._levels[-1].command, ast.InlineStats),
        )
        fact = None if window_name is None else common[window_name].fact
        spans = [expr.fact.longest for expr in keys.values() if isinstance(expr.fact, CalendarFact)]
        return ProgramPlan(
            program,
            tuple(inputs),
            keys,
            fact.seconds if isinstance(fact, WindowFact) else None,
            window_name,
            min(spans, default=None),
        )

    def _common_keys(self) -> dict[str, CompiledExpr]:
        """Return the keys by which all commands group, under their names in the first command.

        Raises EsqlError if the last STATS also groups by other keys."""
        first, *others = self._levels
        common = {
            name: expr
            for name, expr in first.keys.items()
            if expr is not None and all(_has_key(other, expr) for other in others)
        }
        last = self._levels[-1]
        if isinstance(last.command, ast.Stats):
            for named in last.command.by:
                if not any(last.keys[named.name] is expr for expr in common.values()):
                    raise EsqlError(
                        named.span,
                        f"the groups of a rule must be known from each event: let every stats "
                        f"and inline stats before this one group by {named.name} too",
                    )
        return common


def _later_keys(
    command: ast.Stats | ast.InlineStats, scope: ColumnScope
) -> dict[str, CompiledExpr]:
    """Compile keys over the rows of the previous command and define their columns."""
    keys = {}
    for named in command.by:
        column = scope.layout.cached(Compiler(scope).compile(named.expression))
        if scope.columns.get(named.name) is not column:
            scope.define(named.name, column)
        keys[named.name] = column
    return keys


def _has_key(level: _LevelPlan, expr: CompiledExpr) -> bool:
    return any(key is expr for key in level.keys.values())


def _event_expr(column: CompiledExpr) -> CompiledExpr | None:
    """Return the expression over events that a column reproduces, if any."""
    return column.fact.source if isinstance(column.fact, EventFact) else None


def _refuse_many(command: ast.Stats | ast.InlineStats, columns: dict[str, CompiledExpr]) -> None:
    """Raise EsqlError for an INLINE STATS by a multivalue, whose groups would share rows."""
    if not isinstance(command, ast.InlineStats):
        return
    for named in command.by:
        if columns[named.name].many:
            raise EsqlError(
                named.span,
                f"inline stats by {named.name}, which can have several values, is not supported: "
                "take one of them, as by mv_first()",
            )


def _level(plan: _LevelPlan) -> TableLevel:
    stats = plan.stats
    return TableLevel(
        keeps_rows=isinstance(plan.command, ast.InlineStats),
        layout=stats.scope.layout,
        keys=plan.getters,
        key_slots=stats.key_slots,
        inputs=tuple(expr.read for expr in stats.inputs),
        aggregates=tuple(stats.aggregates),
        group_slot=stats.group_slot,
        stages=tuple(plan.pipeline.stages),
    )
