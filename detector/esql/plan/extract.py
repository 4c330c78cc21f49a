"""Plan DISSECT and GROK, which extract columns from text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

import msgspec

from detector.ecs.values import many, single
from detector.esql import ast
from detector.esql.dissect import compile_dissect
from detector.esql.errors import EsqlError
from detector.esql.expressions.compiler import Compiler
from detector.esql.expressions.scope import ColumnScope, CompiledExpr, Getter, RowSlots
from detector.esql.grok import ColumnValues, ExtractedColumn, compile_grok, different_types


def extract_columns(command: ast.Dissect | ast.Grok, scope: ColumnScope) -> None:
    """Define the columns that a command extracts from a text. Raises EsqlError."""
    if isinstance(command, ast.Dissect):
        _dissect(command, scope)
    else:
        _grok(command, scope)


def _dissect(command: ast.Dissect, scope: ColumnScope) -> None:
    """Define the columns of a DISSECT command."""
    try:
        names, cut = compile_dissect(command.pattern, command.separator)
    except ValueError as error:
        raise EsqlError(command.span, f"dissect: {error}") from None
    columns = {name: ExtractedColumn("keyword", repeated=False) for name in names}

    def extract(text: str) -> ColumnValues | None:
        parts = cut(text)
        return None if parts is None else [[part] for part in parts]

    _define(command, command.value, columns, extract, scope)


def _grok(command: ast.Grok, scope: ColumnScope) -> None:
    """Define the columns of a GROK command.

    The first of several patterns that matches is used; the columns are those of all patterns.
    """
    try:
        attempts = [compile_grok(pattern) for pattern in command.patterns]
    except ValueError as error:
        raise EsqlError(command.span, f"grok: {error}") from None
    columns: dict[str, ExtractedColumn] = {}
    for own_columns, _ in attempts:
        for name, column in own_columns.items():
            known = columns.setdefault(name, column)
            if known.type != column.type:
                message = different_types(name, known.type, column.type)
                raise EsqlError(command.span, f"grok: {message}")
            columns[name] = ExtractedColumn(column.type, known.repeated or column.repeated)

    def extract(text: str) -> ColumnValues | None:
        for own_columns, attempt in attempts:
            values = attempt(text)
            if values is not None:
                by_name = dict(zip(own_columns, values, strict=True))
                return [by_name.get(name, []) for name in columns]
        return None

    _define(command, command.value, columns, extract, scope)


class _ExtractedValue(msgspec.Struct, frozen=True):
    """Reads one of the columns that are extracted from a text."""

    all_columns: Getter
    index: int

    def __call__(self, row: RowSlots) -> Any:
        return self.all_columns(row)[self.index]


def _define(
    command: ast.Command,
    value: ast.Expression,
    columns: Mapping[str, ExtractedColumn],
    extract: Callable[[str], ColumnValues | None],
    scope: ColumnScope,
) -> None:
    """Define the columns extracted from a text or from each text of a multivalue."""
    text = Compiler(scope).compile(value)
    if text.type not in ("keyword", "null"):
        raise EsqlError(value.span, f"{type(command).__name__.lower()} takes text, not {text.type}")

    def all_columns(row: RowSlots) -> list[Any]:
        by_text = [values for each in many(text.read(row)) if (values := extract(each)) is not None]
        if not by_text:
            return [None] * len(columns)
        return [single(chain.from_iterable(values)) for values in zip(*by_text, strict=True)]

    cached = scope.layout.cached(CompiledExpr(all_columns, "keyword")).read
    for index, (name, column) in enumerate(columns.items()):
        many_values = text.many or column.repeated
        scope.define(name, CompiledExpr(_ExtractedValue(cached, index), column.type, many_values))
