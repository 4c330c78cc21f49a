"""Expand the ES|QL functions that use ``@timestamp`` implicitly.

``trange`` is a condition on a range that excludes its start and includes its end. ``earliest`` and
``latest`` are aggregates ordered by time.
"""

from __future__ import annotations

from detector.esql import ast
from detector.esql.errors import EsqlError
from detector.esql.tree_walk import join_conditions, walk

_TIME = "@timestamp"
TIMED_AGGREGATES = {"earliest": "first", "latest": "last"}
"""The aggregate, with the time as its second argument, to which each is expanded."""


def timed_aggregate(call: ast.Call) -> ast.Call:
    """Expand ``earliest(x)`` to ``first(x, @timestamp)``, and ``latest`` to ``last``.

    Raises EsqlError for a wrong number of arguments."""
    if len(call.arguments) != 1:
        raise EsqlError(call.span, f"{call.name} takes 1 argument, not {len(call.arguments)}")
    time = ast.Column(_TIME, span=call.span)
    return ast.Call(TIMED_AGGREGATES[call.name], (*call.arguments, time), span=call.span)


def time_range_condition(call: ast.Call) -> ast.Expression:
    """Build the condition of ``trange(timespan)`` or ``trange(start, end)``. Raises EsqlError."""
    start: ast.Expression
    end: ast.Expression
    match call.arguments:
        case [timespan]:
            end = ast.Call("now", (), span=call.span)
            start = ast.Arithmetic("-", end, _timespan(timespan), span=call.span)
        case [first, last]:
            start, end = _date(first), _date(last)
        case _:
            raise EsqlError(call.span, "trange takes a timespan, or a start and an end")
    column = ast.Column(_TIME, span=call.span)
    bounds = [
        ast.Compare(">", column, start, span=call.span),
        ast.Compare("<=", column, end, span=call.span),
    ]
    return join_conditions("and", bounds, call.span)


def _timespan(argument: ast.Expression) -> ast.Timespan:
    if not isinstance(argument, ast.Timespan):
        raise EsqlError(argument.span, "a timespan such as 1 hour must stand here")
    return argument


def _date(argument: ast.Expression) -> ast.Expression:
    """Return a constant date from a text, milliseconds or an expression of constants."""
    if any(isinstance(node, ast.Column) for node in walk(argument)):
        raise EsqlError(argument.span, "trange takes constants")
    if isinstance(argument, ast.Literal) and isinstance(argument.value, int):
        return ast.Call("to_datetime", (argument,), span=argument.span)
    return argument
