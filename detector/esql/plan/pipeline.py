"""Compile the commands that work the same before and after STATS."""

from __future__ import annotations

import msgspec

from detector.esql import ast
from detector.esql.errors import EsqlError
from detector.esql.expressions.compiler import Compiler
from detector.esql.expressions.scope import ColumnScope, CompiledExpr
from detector.esql.plan.extract import extract_columns
from detector.esql.plan.grouping import Expand, Stage
from detector.esql.plan.lookups import plan_enrich, plan_lookup_join
from detector.esql.plan.sort_key import SortKey

_WRITTEN: dict[type[ast.Command], str] = {
    ast.InlineStats: "inline stats",
    ast.LookupJoin: "lookup join",
    ast.MvExpand: "mv_expand",
}
"""The names of commands that differ from those of their classes."""


class CommandPipeline(msgspec.Struct):
    """The commands on one side of STATS, compiled."""

    scope: ColumnScope
    stages: list[Stage] = msgspec.field(default_factory=list)
    orders: tuple[SortKey, ...] = ()
    limit: ast.Limit | None = None
    multiplying: ast.LookupJoin | None = None
    """The join, if any, that can make several rows of one."""

    def refuse_after_limit(self, command: ast.Command) -> None:
        if self.limit:
            name = _WRITTEN.get(type(command), type(command).__name__.lower())
            raise EsqlError(
                self.limit.span,
                f"limit before {name} is not supported: which rows it leaves depends on "
                "their order",
            )


def plan_common_command(command: ast.Command, pipeline: CommandPipeline) -> None:
    """Compile a command that works the same before and after STATS."""
    scope = pipeline.scope
    match command:
        case ast.Eval(columns):
            for named in columns:
                expr = Compiler(scope).column_value(named.expression)
                scope.define(named.name, scope.layout.cached(expr))
        case ast.Keep() | ast.Drop() | ast.Rename():
            _plan_projection(command, scope)
        case ast.MvExpand():
            _plan_mv_expand(command, pipeline)
        case ast.Enrich() | ast.LookupJoin():
            _plan_lookup(command, pipeline)
        case ast.Dissect() | ast.Grok():
            extract_columns(command, scope)
        case ast.Sort(orders):
            pipeline.orders = tuple(_plan_order(order, scope) for order in orders)
        case ast.Limit():
            if pipeline.limit is None or command.rows < pipeline.limit.rows:
                pipeline.limit = command
        case _:
            name = type(command).__name__.upper()
            raise EsqlError(command.span, f"the command {name} is not supported")


def _plan_lookup(command: ast.Enrich | ast.LookupJoin, pipeline: CommandPipeline) -> None:
    if isinstance(command, ast.Enrich):
        plan_enrich(command, pipeline.scope)
        return
    pipeline.refuse_after_limit(command)
    stage = plan_lookup_join(command, pipeline.scope)
    if stage is not None:
        pipeline.stages.append(stage)
        pipeline.multiplying = command


def _plan_projection(command: ast.Keep | ast.Drop | ast.Rename, scope: ColumnScope) -> None:
    match command:
        case ast.Keep(patterns):
            scope.keep((pattern.name, pattern.span) for pattern in patterns)
        case ast.Drop(patterns):
            scope.drop((pattern.name, pattern.span) for pattern in patterns)
        case ast.Rename(pairs):
            for old, new in pairs:
                scope.rename(old.name, new.name, old.span)


def _plan_mv_expand(command: ast.MvExpand, pipeline: CommandPipeline) -> None:
    scope, column = pipeline.scope, command.column
    expr = scope.find(column.name, column.span)
    slot = scope.layout.slot()
    pipeline.stages.append(Expand(expr.read, slot))
    pipeline.refuse_after_limit(command)
    scope.columns[column.name] = CompiledExpr(lambda row: row[slot], expr.type)


def _plan_order(order: ast.Order, scope: ColumnScope) -> SortKey:
    expr = Compiler(scope).column_value(order.expression)
    return SortKey(expr.read, expr.type, order.descending, order.nulls_first)
