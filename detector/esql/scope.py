"""What a name means at one place of a query, and how its value is had from a row.

A row is a list of slots. A column is read when something asks for it and then kept in its slot, so that a query
pays for what it uses and EVAL costs nothing until then.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from detector.ecs.fields import FieldTable
from detector.ecs.values import Type
from detector.esql.errors import EsqlError, Span
from detector.text.suggest import nearest

Row = list[Any]
Getter = Callable[[Row], Any]

RECORD, NOW, TIME = 0, 1, 2
GROUP = RECORD
"""The slots that every row begins with: the Record (after STATS the group of rows), and two
dates."""


class _Unread:
    __slots__ = ()


UNREAD: Final = _Unread()


@dataclass(frozen=True, slots=True)
class FieldFact:
    """The value is that of this field, untouched."""

    name: str


@dataclass(frozen=True, slots=True)
class WindowFact:
    """The value is the start of the window of so many seconds that the event lies in."""

    seconds: int


@dataclass(frozen=True, slots=True)
class HitCountFact:
    """The value is at most the number of rows in the group."""


@dataclass(frozen=True, slots=True)
class ConstantFact:
    """Every record has this value."""

    value: str


Fact = FieldFact | WindowFact | HitCountFact | ConstantFact | None


@dataclass(frozen=True, slots=True)
class CompiledExpr:
    """An expression, compiled. ``many``: it may give a multivalue. ``constant``: no row changes
    it."""

    read: Getter
    type: Type
    many: bool = False
    constant: bool = False
    fact: Fact = None

    @property
    def value(self) -> Any:
        """Of a constant."""
        return self.read([])


def constant(value: Any, type: Type) -> CompiledExpr:
    return CompiledExpr(lambda _: value, type, isinstance(value, list), constant=True)


@dataclass(frozen=True, slots=True)
class QueryOptions:
    """How a query is to be taken.

    ``now``: what NOW() says, in seconds since the epoch; None: the event's own time, after STATS
    the end of the span. ``intended``: whether a negated condition on what is missing is true, as
    authors often mean it, and not null."""

    now: int | None = None
    null_negation: bool = False


DEFAULT_OPTIONS = QueryOptions()


class RowLayout:
    """Gives out the slots of the rows that one part of a query works on."""

    def __init__(self, options: QueryOptions = DEFAULT_OPTIONS) -> None:
        self.size = TIME + 1
        self.options = options

    def slot(self) -> int:
        self.size += 1
        return self.size - 1

    def new_row(self) -> Row:
        return [UNREAD] * self.size

    def cached(self, code: CompiledExpr) -> CompiledExpr:
        """``code``, read once a row and then kept."""
        if code.constant:
            return code
        slot, compute = self.slot(), code.read

        def read(row: Row) -> Any:
            value = row[slot]
            if value is UNREAD:
                value = row[slot] = compute(row)
            return value

        return replace(code, read=read)


class Scope:
    """The columns by name, in order. While no KEEP has closed it, every field of the table is one
    too."""

    def __init__(self, layout: RowLayout, fields: FieldTable | None = None) -> None:
        self.layout = layout
        self.columns: dict[str, CompiledExpr] = {}
        self._fields = fields
        self._dropped: set[str] = set()

    @property
    def open(self) -> bool:
        return self._fields is not None

    def names(self) -> list[str]:
        return [
            name
            for name in {**dict.fromkeys(self._fields or ()), **self.columns}
            if name not in self._dropped
        ]

    def find(self, name: str, span: Span) -> CompiledExpr:
        """Raises EsqlError for a name that means nothing here."""
        if found := self.columns.get(name):
            return found
        if (
            self._fields is not None
            and name not in self._dropped
            and (field := self._fields.get(name))
        ):
            read = field.read
            code = (
                CompiledExpr(lambda row: row[TIME], "date")
                if name == "@timestamp"
                else self.layout.cached(
                    CompiledExpr(lambda row: read(row[RECORD]), field.type, field.many)
                )
            )
            fact = FieldFact(name) if field.constant is None else ConstantFact(field.constant)
            self.columns[name] = code = replace(code, fact=fact)
            return code
        raise EsqlError(span, f"no column {name} here{nearest(name, self.names())}")

    def define(self, name: str, code: CompiledExpr) -> None:
        """A new column; one of the same name goes, and the new one is the last."""
        self.columns.pop(name, None)
        self._dropped.discard(name)
        self.columns[name] = code

    def matching(self, pattern: str, span: Span) -> list[str]:
        """The columns that a name or a wildcard pattern of KEEP and DROP means."""
        if "*" not in pattern:
            self.find(pattern, span)
            return [pattern]
        found = [
            name for name in self.names() if fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))
        ]
        if not found:
            raise EsqlError(span, f"no column matches {pattern}")
        return found

    def keep(self, patterns: Iterable[tuple[str, Span]]) -> None:
        """Only these columns. One that several patterns mean stands where the most exact, then the
        last, has it."""
        claims: dict[str, tuple[int, int]] = {}
        for place, (pattern, span) in enumerate(patterns):
            exactness = 0 if pattern == "*" else 1 if "*" in pattern else 2
            for name in self.matching(pattern, span):
                claims[name] = max(claims.get(name, (0, 0)), (exactness, place))
        nowhere = Span(1, 1, 0, 0)
        self.columns = {
            name: self.find(name, nowhere)
            for name in sorted(claims, key=lambda name: claims[name][1])
        }
        self._fields = None

    def drop(self, patterns: Iterable[tuple[str, Span]]) -> None:
        for pattern, span in patterns:
            for name in self.matching(pattern, span):
                self.columns.pop(name, None)
                self._dropped.add(name)

    def rename(self, old: str, new: str, span: Span) -> None:
        code = self.find(old, span)
        if old != new:
            self.columns = {
                new if name == old else name: each
                for name, each in self.columns.items()
                if name != new
            }
            self.columns[new] = code
            self._dropped.add(old)
            self._dropped.discard(new)
