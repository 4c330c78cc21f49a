"""Evaluate conditions over single values of multivalued columns, as EQL does."""

from __future__ import annotations

from typing import Any

import msgspec

from detector.ecs.values import many
from detector.esql.errors import Span
from detector.esql.expressions.scope import ColumnScope, CompiledExpr, Getter, RowSlots


class ValueScope(ColumnScope):
    """The columns of another scope; each use of a multivalued one reads its own slot."""

    def __init__(self, scope: ColumnScope) -> None:
        super().__init__(scope.layout)
        self._scope = scope
        self._uses: list[tuple[int, Getter]] = []

    def has(self, name: str) -> bool:
        return self._scope.has(name)

    def find(self, name: str, span: Span) -> CompiledExpr:
        column = self._scope.find(name, span)
        if not column.many:
            return column
        slot = self.layout.slot()
        self._uses.append((slot, column.read))
        return msgspec.structs.replace(column, read=lambda row: row[slot], many=False)

    def any(self, condition: CompiledExpr) -> CompiledExpr:
        """Make a condition that is true if ``condition`` holds for some values, otherwise false.

        It tries every combination of the values of the columns' uses."""
        test = _is_true(condition.read)
        for slot, read in reversed(self._uses):
            test = _any_value(test, slot, read)
        return msgspec.structs.replace(condition, read=test, type="boolean", many=False)


def _is_true(read: Getter) -> Getter:
    return lambda row: read(row) is True


def _any_value(test: Getter, slot: int, read: Getter) -> Getter:
    """Make a test whether ``test`` passes with one of the values of ``read`` in ``slot``."""

    def any_value(row: RowSlots) -> Any:
        for value in many(read(row)) or [None]:
            row[slot] = value
            if test(row):
                return True
        return False

    return any_value
