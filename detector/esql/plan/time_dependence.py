"""Infer whether the rows of a query depend on the event's time."""

from __future__ import annotations

from collections.abc import Iterable

from detector.esql import ast
from detector.esql.expressions.scope import CompiledExpr, FieldFact
from detector.esql.plan.predicate_analysis import columns_in
from detector.esql.tree_walk import depends_on_time

_TIME = FieldFact("@timestamp")


class TimeDependence:
    """Tracks what in a query depends on the event's time, apart from ``@timestamp`` itself.

    It is conservative: in doubt it reports a dependence."""

    def __init__(self) -> None:
        self._columns = {"@timestamp"}
        self._decides = False
        """Whether the existence of an event's rows depends on its time."""

    def add(self, command: ast.Command) -> None:
        """Take a command before STATS into account."""
        match command:
            case ast.From() | ast.Keep() | ast.Drop() | ast.Sort() | ast.Limit() | ast.Stats():
                pass
            case ast.Where(condition):
                self._decides |= self._reads_time(condition)
            case ast.Eval(columns):
                for named in columns:
                    if self._reads_time(named.expression):
                        self._columns.add(named.name)
            case ast.Rename(pairs):
                self._columns.update(new.name for old, new in pairs if self._reads_time(old))
            case _:
                self._decides |= self._reads_time(command)

    def decides(self, keys: Iterable[ast.Expression]) -> bool:
        """Tell whether the existence of rows, or any of these keys, depends on the time."""
        return self._decides or any(map(self._reads_time, keys))

    def time_inputs(
        self, inputs: Iterable[tuple[ast.Node | str, CompiledExpr]]
    ) -> tuple[int, ...] | None:
        """Return the indexes of the inputs that are the event's time.

        An input is given as an expression or as a column's name. The result is None if any input
        depends on the time in another way."""
        times = []
        for index, (node, expr) in enumerate(inputs):
            if not self._reads_time(node):
                continue
            if expr.fact != _TIME:
                return None
            times.append(index)
        return tuple(times)

    def _reads_time(self, node: ast.Node | str) -> bool:
        if isinstance(node, str):
            return node in self._columns
        if depends_on_time(node):
            return True
        return any(column.name in self._columns for column in columns_in(node))
