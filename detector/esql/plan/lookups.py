"""Plan ENRICH and LOOKUP JOIN, which add columns from the user's tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import itemgetter
from typing import Any

from detector.ecs.values import many, single
from detector.esql import ast
from detector.esql.errors import EsqlError, Span
from detector.esql.expressions.scope import (
    ColumnScope,
    CompiledExpr,
    Getter,
    QueryOptions,
    RowSlots,
)
from detector.esql.lookup.table import LookupColumn, LookupFileError, LookupTable
from detector.esql.plan.grouping import Expand
from detector.text.suggest import nearest


def lookup_digests(tree: ast.Tree, options: QueryOptions) -> str:
    """Return a text that identifies the content of the tables that a query names."""
    names = [
        command.table
        for command in tree.commands
        if isinstance(command, ast.Enrich | ast.LookupJoin)
    ]
    return "".join(f"\0{name}={options.lookups.table(name).digest}" for name in names)


def plan_enrich(command: ast.Enrich, scope: ColumnScope) -> None:
    """Define the columns of ENRICH; they have the values of all matching rows."""
    table = _table(command.table, command.span, scope)
    matched = command.match or ast.Column(table.key, span=command.span)
    value = scope.find(matched.name, matched.span)
    index = table.rows_by([(table.key, value.type)])
    is_unique = all(len(rows) == 1 for rows in index.values())

    def matching_rows(row: RowSlots) -> list[int]:
        rows = [each for item in many(value.read(row)) for each in index.get((item,), ())]
        return sorted(set(rows))

    rows = scope.layout.cached(CompiledExpr(matching_rows, "long")).read
    for name, source in _enriched_columns(command, table):
        several = source.many or value.many or not is_unique
        scope.define(name, CompiledExpr(_all_values(rows, source), source.type, several))


def _enriched_columns(command: ast.Enrich, table: LookupTable) -> list[tuple[str, LookupColumn]]:
    """Return the columns to add with their new names: those of WITH, or all but the key."""
    if command.fields is None:
        return [(name, column) for name, column in table.columns.items() if name != table.key]
    added = []
    for named in command.fields:
        assert isinstance(named.expression, ast.Column)
        column = _column(command.table, table, named.expression)
        added.append((named.name, column))
    return added


def _all_values(rows: Getter, column: LookupColumn) -> Getter:
    def read(row: RowSlots) -> Any:
        values = {item for index in rows(row) for item in many(column.values[index])}
        return single(sorted(values))

    return read


def plan_lookup_join(command: ast.LookupJoin, scope: ColumnScope) -> Expand | None:
    """Define the columns of LOOKUP JOIN.

    Return the stage that makes a row for each match; None if there is at most one match."""
    table = _table(command.table, command.span, scope)
    left = [scope.find(column.name, column.span) for column, _ in command.pairs]
    for _, column in command.pairs:
        _column(command.table, table, column)
    wanted = [
        (column.name, expr.type) for (_, column), expr in zip(command.pairs, left, strict=True)
    ]
    index = table.rows_by(wanted)
    matching = _matching([expr.read for expr in left], index)
    stage = None
    if all(len(rows) == 1 for rows in index.values()):
        cached = scope.layout.cached(CompiledExpr(matching, "long", many=True))
        row_index: Getter = partial(_only, cached.read)
    else:
        stage = Expand(matching, scope.layout.slot())
        row_index = itemgetter(stage.slot)
    joined = {column.name for _, column in command.pairs} if command.shared else set()
    for name, source in table.columns.items():
        if name not in joined:
            scope.define(name, CompiledExpr(_value_at(row_index, source), source.type, source.many))
    return stage


def _matching(reads: Sequence[Getter], index: Any) -> Callable[[RowSlots], list[int]]:
    """Return a function that finds matching rows; null and multivalues match nothing."""

    def matching(row: RowSlots) -> list[int]:
        values = tuple([read(row) for read in reads])
        if any(value is None or isinstance(value, list) for value in values):
            return []
        rows: list[int] = index.get(values, [])
        return rows

    return matching


def _only(read: Getter, row: RowSlots) -> int | None:
    return single(read(row))  # type: ignore[no-any-return]


def _value_at(row_index: Getter, column: LookupColumn) -> Getter:
    def read(row: RowSlots) -> Any:
        index = row_index(row)
        return None if index is None else column.values[index]

    return read


def _table(name: str, span: Span, scope: ColumnScope) -> LookupTable:
    try:
        return scope.layout.options.lookups.table(name)
    except LookupFileError as error:
        raise EsqlError(span, str(error)) from None


def _column(name: str, table: LookupTable, column: ast.Column) -> LookupColumn:
    found = table.columns.get(column.name)
    if found is None:
        near = nearest(column.name, table.columns)
        raise EsqlError(column.span, f"the lookup {name} has no column {column.name}{near}")
    return found
