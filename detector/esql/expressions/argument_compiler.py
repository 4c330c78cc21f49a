"""The compiler's interface for functions that compile their own arguments."""

from __future__ import annotations

from typing import Protocol

from detector.esql import ast
from detector.esql.expressions.scope import ColumnScope, CompiledExpr


class ArgumentCompiler(Protocol):
    """The part of the compiler that compiles arguments."""

    @property
    def scope(self) -> ColumnScope: ...
    def compile(self, node: ast.Expression) -> CompiledExpr: ...
    def condition(self, node: ast.Expression) -> CompiledExpr: ...
