"""Resolve column names, and lay out the rows that queries work on.

A row is a list of slots. A column is read when something asks for it and then cached in its slot,
so that a query pays for what it uses and EVAL costs nothing until then.
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
"""The first slots of every row: the Record (after STATS the group of rows), and two dates."""


class _Unread:
    __slots__ = ()


UNREAD: Final = _Unread()


class FieldFact(msgspec.Struct, frozen=True):
    """The value is that of this field, untouched."""

    name: str


class WindowFact(msgspec.Struct, frozen=True):
    """The value is the start of the event's window, ``seconds`` long."""

    seconds: int


class CalendarFact(msgspec.Struct, frozen=True):
    """The value is the start of the event's week, month or year: at most ``longest`` seconds."""

    longest: int


class HitCountFact(msgspec.Struct, frozen=True):
    """The value is at most the number of rows in the group.

    ``distinct``: the index of the input of which it counts the distinct values, if it does."""

    distinct: int | None = None


class EventTimeFact(msgspec.Struct, frozen=True):
    """The value is the first or the last time of some rows of the group."""


class TimeSpanFact(msgspec.Struct, frozen=True):
    """The value is what ``measure`` gives of two times of the group's rows, in milliseconds.

    It gives no less of an earlier and a later time."""

    measure: Callable[[int, int], int]


class ConstantFact(msgspec.Struct, frozen=True):
    """Every record has this value."""

    value: str


class CompiledExpr(msgspec.Struct, frozen=True):
    """An expression compiled to a function of a row.

    ``many``: it may give a multivalue. ``constant``: no row changes it. ``fact``: what planning
    may conclude from it. ``may_be`` is that of the field whose value it is."""

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
    """The value is that of ``source`` for each event of the row."""

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

    ``now``: the value of NOW(), in seconds since the epoch; None means the event's own time, and
    after STATS the end of the window. ``null_negation``: a negated condition on a missing field is
    true, as authors often intend it, and not null. ``lookups``: the tables that it may name."""

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
        """Wrap an expression so that it is evaluated once a row."""
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
    """The columns in force at one command, by name and in order.

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
        """Tell whether there is a column of a name."""
        return name in self.columns or self._find_field(name) is not None

    def find(self, name: str, span: Span) -> CompiledExpr:
        """Return the column of a name. Raises EsqlError where there is none."""
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
        """Return the columns of a result: all that are named, and the fields that cost little.

        Fields that no command has read are read straight from the record."""
        direct = _direct_columns(self._fields) if self._fields is not None else {}
        columns = {}
        for name in self.names():
            column = self.columns.get(name) or direct.get(name)
            if column is not None:
                columns[name] = column
        return columns

    def _find_field(self, name: str) -> CompiledExpr | None:
        """Make a column of the field ``name``, and remember it."""
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
        """Return the columns that a name or wildcard pattern selects."""
        if "*" not in pattern:
            self.find(pattern, span)
            return [pattern]
        # Only * is a wildcard in ES|QL; fnmatch would take a bracket for one too.
        glob = pattern.replace("[", "[[]")
        names = [name for name in self.names() if fnmatch.fnmatchcase(name, glob)]
        if not names:
            raise EsqlError(span, f"no column matches {pattern}")
        return names

    def keep(self, patterns: Iterable[tuple[str, Span]]) -> None:
        """Apply KEEP: only these columns stay, in this order.

        A column that several patterns select stands where the most exact of them has it, and of
        equally exact ones the last."""
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
        """Apply DROP: these columns go."""
        for pattern, span in patterns:
            for name in self.matching(pattern, span):
                self.columns.pop(name, None)
                self._dropped.add(name)

    def rename(self, old: str, new: str, span: Span) -> None:
        """Apply RENAME: a column of the new name is replaced."""
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
    """Make a column that reads a field of the record, each time that it is asked for."""
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
    """Make a column of each field; rules share them, since most show all fields."""
    return {name: _field_column(field) for name, field in fields.items() if not field.on_demand}


def _exactness(pattern: str) -> int:
    if pattern == "*":
        return 0
    return 1 if "*" in pattern else 2
