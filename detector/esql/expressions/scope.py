"""Resolve column names and lay out the rows on which queries work.

A row is a list of slots. A column is computed on first use and cached in its slot, so a query pays
only for what it uses, and an unused EVAL costs nothing.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

import msgspec

from detector.ecs.fields import Field, FieldTable
from detector.ecs.values import Type
from detector.esql.errors import QUERY_START, EsqlError, Span
from detector.esql.lookup.files import NO_LOOKUPS, Lookups
from detector.text.suggest import nearest

RowSlots = list[Any]
Getter = Callable[[RowSlots], Any]

RECORD, NOW, TIME = 0, 1, 2
GROUP = RECORD
"""The first slots of every row: the Record (after STATS, the group), NOW() and the time (ms)."""


class _Unread:
    __slots__ = ()


UNREAD: Final = _Unread()


class FieldFact(msgspec.Struct, frozen=True):
    """The value is that of this field, unchanged."""

    name: str


class WindowFact(msgspec.Struct, frozen=True):
    """The value is the start of the event's window, ``seconds`` long."""

    seconds: int


class CalendarFact(msgspec.Struct, frozen=True):
    """The value is the start of the event's calendar period, of at most ``longest`` seconds."""

    longest: int


class HitCountFact(msgspec.Struct, frozen=True):
    """The value is at most the number of rows in the group.

    ``distinct``: the index of the input whose distinct values it counts, if any."""

    distinct: int | None = None


class EventTimeFact(msgspec.Struct, frozen=True):
    """The value is the first or last time of some of the group's rows."""


class TimeSpanFact(msgspec.Struct, frozen=True):
    """The value is ``measure`` of two times (ms) of the group's rows.

    ``measure`` is monotonic: it does not decrease if the times are farther apart."""

    measure: Callable[[int, int], int]


class ConstantFact(msgspec.Struct, frozen=True):
    """The value is the same for every record."""

    value: str


class CompiledExpr(msgspec.Struct, frozen=True):
    """An expression compiled to a function of a row.

    ``many``: it may return a multivalue. ``constant``: it does not depend on the row. ``fact``:
    what planning may assume about it. ``may_be``: see ``Field``, if it is a field's value."""

    read: Getter
    type: Type
    many: bool = False
    constant: bool = False
    fact: ColumnFact = None
    may_be: Callable[[Any, Any], bool] | None = None

    @property
    def value(self) -> Any:
        """The value of a constant."""
        return self.read([])


class EventFact(msgspec.Struct, frozen=True):
    """The value equals that of ``source`` for each event of the row."""

    source: CompiledExpr


ColumnFact = (
    FieldFact
    | WindowFact
    | CalendarFact
    | HitCountFact
    | EventTimeFact
    | TimeSpanFact
    | ConstantFact
    | EventFact
    | None
)


def constant(value: Any, type: Type) -> CompiledExpr:
    return CompiledExpr(lambda _: value, type, isinstance(value, list), constant=True)


class QueryOptions(msgspec.Struct, frozen=True):
    """How a query is evaluated.

    ``now``: the value of NOW() in epoch seconds; None means the event's own time, and after STATS
    the end of the window. ``null_negation``: a negated condition on a missing field is true, as
    authors often intend, rather than null. ``lookups``: the tables that the query may name."""

    now: int | None = None
    null_negation: bool = False
    lookups: Lookups = NO_LOOKUPS


DEFAULT_OPTIONS = QueryOptions()


class RowLayout:
    """The slots of the rows of one part of a query."""

    def __init__(self, options: QueryOptions = DEFAULT_OPTIONS) -> None:
        self.size = TIME + 1
        self.options = options

    def slot(self) -> int:
        """Allocate a slot and return its index."""
        self.size += 1
        return self.size - 1

    def new_row(self) -> RowSlots:
        return [UNREAD] * self.size

    def cached(self, expr: CompiledExpr) -> CompiledExpr:
        """Wrap an expression so that it is evaluated at most once per row."""
        if expr.constant:
            return expr
        slot, compute = self.slot(), expr.read

        def read(row: RowSlots) -> Any:
            value = row[slot]
            if value is UNREAD:
                value = row[slot] = compute(row)
            return value

        return CompiledExpr(read, expr.type, expr.many, fact=expr.fact, may_be=expr.may_be)


class ColumnScope:
    """The columns that are visible at a command, by name and in order.

    Until a KEEP closes the scope, every field of the table is a column too."""

    def __init__(self, layout: RowLayout, fields: FieldTable | None = None) -> None:
        self.layout = layout
        self.columns: dict[str, CompiledExpr] = {}
        self._fields = fields
        self._dropped: set[str] = set()

    @property
    def open(self) -> bool:
        return self._fields is not None

    def names(self) -> list[str]:
        candidates = {**dict.fromkeys(self._fields or ()), **self.columns}
        return [name for name in candidates if name not in self._dropped]

    def has(self, name: str) -> bool:
        """Tell whether there is a column with a name."""
        return name in self.columns or self._find_field(name) is not None

    def find(self, name: str, span: Span) -> CompiledExpr:
        """Return the column with a name. Raises EsqlError if there is none."""
        column = self.columns.get(name)
        if column is None:
            column = self._find_field(name)
        if column is None:
            hint = nearest(name, self.names())
            if self._fields is not None and not hint and name not in self._dropped:
                hint = self._fields.hint(name)
            raise EsqlError(span, f"no column {name} here{hint}")
        return column

    def output(self) -> dict[str, CompiledExpr]:
        """Return the columns of a result: all named columns, and all fields not ``on_demand``.

        Fields that no command has read are read directly from the record."""
        direct = _direct_columns(self._fields) if self._fields is not None else {}
        columns = {}
        for name in self.names():
            column = self.columns.get(name) or direct.get(name)
            if column is not None:
                columns[name] = column
        return columns

    def _find_field(self, name: str) -> CompiledExpr | None:
        """Make and cache a column for the field ``name``; None if there is no such field."""
        if self._fields is None or name in self._dropped:
            return None
        field = self._fields.get(name)
        if field is None:
            return None
        column = _field_column(field)
        if name != "@timestamp":
            column = self.layout.cached(column)
        self.columns[name] = column
        return column

    def define(self, name: str, expr: CompiledExpr) -> None:
        """Add a column at the end, replacing one of the same name."""
        self.columns.pop(name, None)
        self._dropped.discard(name)
        self.columns[name] = expr

    def matching(self, pattern: str, span: Span) -> list[str]:
        """Return the columns that a name or wildcard pattern selects.

        Raises EsqlError if there are none."""
        if "*" not in pattern:
            self.find(pattern, span)
            return [pattern]
        # Only * is a wildcard in ES|QL; fnmatch would also interpret a bracket.
        glob = pattern.replace("[", "[[]")
        names = [name for name in self.names() if fnmatch.fnmatchcase(name, glob)]
        if not names:
            raise EsqlError(span, f"no column matches {pattern}")
        return names

    def keep(self, patterns: Iterable[tuple[str, Span]]) -> None:
        """Apply KEEP: keep only these columns, in this order.

        A column that several patterns select is placed by the most exact of them; of equally exact
        ones, by the last."""
        ranks: dict[str, tuple[int, int]] = {}
        for index, (pattern, span) in enumerate(patterns):
            rank = (_exactness(pattern), index)
            for name in self.matching(pattern, span):
                ranks[name] = max(ranks.get(name, (0, 0)), rank)
        self.columns = {
            name: self.find(name, QUERY_START)
            for name in sorted(ranks, key=lambda name: ranks[name][1])
        }
        self._fields = None

    def drop(self, patterns: Iterable[tuple[str, Span]]) -> None:
        """Apply DROP: remove these columns."""
        for pattern, span in patterns:
            for name in self.matching(pattern, span):
                self.columns.pop(name, None)
                self._dropped.add(name)

    def rename(self, old: str, new: str, span: Span) -> None:
        """Apply RENAME: rename a column, replacing any column with the new name."""
        self.find(old, span)
        if old == new:
            return
        columns = {}
        for name, column in self.columns.items():
            if name == old:
                columns[new] = column
            elif name != new:
                columns[name] = column
        self.columns = columns
        self._dropped.add(old)
        self._dropped.discard(new)


def _field_column(field: Field) -> CompiledExpr:
    """Make a column that reads a field of the record on each access, without caching."""
    name, read = field.name, field.read
    fact: ColumnFact = FieldFact(name)
    if field.constant is not None:
        fact = ConstantFact(field.constant)
    if name == "@timestamp":
        return CompiledExpr(itemgetter(TIME), "date", fact=fact)
    return CompiledExpr(
        lambda row: read(row[RECORD]), field.type, field.many, fact=fact, may_be=field.may_be
    )


@lru_cache(maxsize=4)
def _direct_columns(fields: FieldTable) -> dict[str, CompiledExpr]:
    """Make a column for each field; rules share them, because most return all fields."""
    return {name: _field_column(field) for name, field in fields.items() if not field.on_demand}


def _exactness(pattern: str) -> int:
    if pattern == "*":
        return 0
    return 1 if "*" in pattern else 2
