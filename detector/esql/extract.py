"""DISSECT and GROK as commands: new columns from a text, null where it does not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from detector.ecs.values import many, single
from detector.esql import ast
from detector.esql.compiler import Compiler
from detector.esql.dissect import dissector
from detector.esql.errors import EsqlError
from detector.esql.grok import Column, Parts, grokker
from detector.esql.scope import CompiledExpr, Getter, RowSlots, Scope


def dissect(command: ast.Dissect, scope: Scope) -> None:
    try:
        names, cut = dissector(command.pattern, command.separator)
    except ValueError as error:
        raise EsqlError(command.span, f"dissect: {error}") from None
    _define(
        command,
        command.value,
        {name: Column("keyword", False) for name in names},
        lambda text: [[part] for part in parts] if (parts := cut(text)) else None,
        scope,
    )


def grok(command: ast.Grok, scope: Scope) -> None:
    """Of several patterns, the first that matches counts; the columns are those of all."""
    try:
        attempts = [grokker(pattern) for pattern in command.patterns]
    except ValueError as error:
        raise EsqlError(command.span, f"grok: {error}") from None
    columns = {name: column for found, _ in attempts for name, column in found.items()}

    def parts(text: str) -> Parts | None:
        for found, attempt in attempts:
            if (values := attempt(text)) is not None:
                named = dict(zip(found, values, strict=True))
                return [named.get(name, []) for name in columns]
        return None

    _define(command, command.value, columns, parts, scope)


@dataclass(frozen=True, slots=True)
class _Part:
    """One column of those that a text was taken apart into."""

    whole: Getter
    place: int

    def __call__(self, row: RowSlots) -> Any:
        return self.whole(row)[self.place]


def _define(
    command: ast.Command,
    value: ast.Expression,
    columns: Mapping[str, Column],
    parts: Callable[[str], Parts | None],
    scope: Scope,
) -> None:
    """The columns, from one text or, of a multivalue, from all."""
    text = Compiler(scope).compile(value)
    if text.type not in ("keyword", "null"):
        raise EsqlError(value.span, f"{type(command).__name__.lower()} takes text, not {text.type}")

    def whole(row: RowSlots) -> list[Any]:
        found = [each for one in many(text.read(row)) if (each := parts(one)) is not None]
        return [single(chain.from_iterable(column)) for column in zip(*found, strict=True)] or [
            None
        ] * len(columns)

    kept = scope.layout.cached(CompiledExpr(whole, "keyword")).read
    for place, (name, column) in enumerate(columns.items()):
        scope.define(
            name, CompiledExpr(_Part(kept, place), column.type, text.many or column.repeated)
        )
