"""A filter: what its text asks of a row, made ready to be asked of many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from detector.filter import parser, text_match, time_expressions
from detector.filter.field_types import During, Holds, Test
from detector.filter.fields import Field, Fields
from detector.filter.parser import FilterError, Node, Value
from detector.filter.text_match import Contains

R = TypeVar("R")


@dataclass(frozen=True)
class Filter(Generic[R]):
    """Whether a row is let through. A value without state: it can be shared by threads and pickled.

    ``text`` is what was written, closed where it was left open. ``names`` are the fields that it
    speaks of. ``moves``: it reads differently at another reference than ``at`` (epoch seconds).
    ``whens`` say which times are meant. ``alternative``: it has an "or" that what is added must not
    bind to."""

    text: str
    test: Test | None
    at: float = 0.0
    names: frozenset[str] = frozenset()
    moves: bool = False
    whens: tuple[str, ...] = ()
    alternative: bool = False

    def __call__(self, row: R) -> bool:
        return self.test is None or self.test(row)

    def __bool__(self) -> bool:
        return self.test is not None

    def with_term(self, term: str) -> str:
        """The text of this filter that wants ``term`` too."""
        return f"({self.text}) {term}" if self.alternative else f"{self.text} {term}".strip()


def parse(text: str, fields: Fields[R], at: float) -> Filter[R]:
    """The filter that ``text`` writes over ``fields``; times are read at the reference ``at``, in
    epoch seconds.

    Raises FilterError.
    """
    tree, closed = parser.parse(text)
    if tree is None:
        return Filter("", None, at)
    making = _Making(fields, at)
    test = making.test(tree)
    return Filter(
        closed,
        test,
        at,
        frozenset(making.names),
        making.moves,
        tuple(making.whens),
        isinstance(tree, parser.Any),
    )


def parse_so_far(text: str, fields: Fields[R], at: float) -> Filter[R]:
    """The same of a text that is being typed: without what is unfinished at its end."""
    while True:
        try:
            return parse(text, fields, at)
        except FilterError as error:
            if not error.unfinished:
                raise
            text = text[: error.place]


class _Making(Generic[R]):
    """The tests of a tree, and what is met on the way."""

    def __init__(self, fields: Fields[R], at: float) -> None:
        self.fields = fields
        self.at = at
        self.names: set[str] = set()
        self.moves = False
        self.whens: list[str] = []

    def test(self, node: Node) -> Test:
        match node:
            case parser.Any(tests):
                return _AnyOf(tuple(map(self.test, tests)))
            case parser.All(tests):
                return _AllOf(tuple(map(self.test, tests)))
            case parser.Not(test):
                return _Not(self.test(test))
            case parser.When(operator, value):
                if self.fields.time is None:
                    raise FilterError(
                        f"{self.fields.rows} have no time to be found by", value.place
                    )
                return self.of_field(self.fields.time, operator, (value,))
            case parser.Term(None, _, (value,)):
                return _word(value, self.fields.worded)
            case parser.Term(name, operator, values, place):
                try:
                    field = self.fields[name or ""]
                except ValueError as error:
                    raise FilterError(str(error), place) from None
                if operator == "!=":
                    return _Not(self.of_field(field, "=", values))
                if len(values) > 1 and operator not in (":", "="):
                    raise FilterError(f"{operator} compares with one value", values[1].place)
                return self.of_field(field, operator, values)

    def of_field(self, field: Field[R], operator: str, values: tuple[Value, ...]) -> Test:
        self.names.add(field.name)
        tests = tuple(self.of_value(field, operator, value) for value in values)
        return _Asked(field.read, tests[0] if len(tests) == 1 else _AnyOf(tests))

    def of_value(self, field: Field[R], operator: str, value: Value) -> Test:
        try:
            test = field.kind.test(operator, value, self.at)
        except ValueError as error:
            raise FilterError(f"{field.name}: {error}", value.place) from None
        if isinstance(test, During) and test.span.moves:
            self.moves = True
            self.whens.append(f"{field.name} {time_expressions.said(test.span)}")
        return test


def _word(value: Value, read: tuple[Callable[[Any], Any], ...]) -> Test:
    """A value without a field, in any of what is read."""
    if not value.text:
        raise FilterError('"" alone looks for nothing', value.place, unfinished=True)
    asked = text_match.pattern(value, whole=False)
    if isinstance(asked, Contains):
        return _Mentions(asked.text, _separator(asked.text), read)
    return _Has(Holds(asked), read)


def _separator(word: str) -> str:
    """A character that is not in ``word``, so that no word is found across two values."""
    return next(mark for mark in map(chr, range(len(word) + 1)) if mark not in word)


@dataclass(frozen=True)
class _Mentions:
    """``word`` is in one of a row's texts; they are folded together, which is what takes the
    time."""

    word: str
    separator: str
    read: tuple[Callable[[Any], Any], ...]

    def __call__(self, row: Any) -> bool:
        texts: list[str] = []
        for read in self.read:
            value = read(row)
            if isinstance(value, str):
                texts.append(value)
            else:
                texts += value
        return self.word in self.separator.join(texts).casefold()


@dataclass(frozen=True)
class _Has:
    """One of a row's texts meets the pattern."""

    holds: Holds
    read: tuple[Callable[[Any], Any], ...]

    def __call__(self, row: Any) -> bool:
        return any(self.holds(read(row)) for read in self.read)


@dataclass(frozen=True)
class _Asked:
    read: Callable[[Any], Any]
    test: Test

    def __call__(self, row: Any) -> bool:
        return self.test(self.read(row))


@dataclass(frozen=True)
class _Not:
    test: Test

    def __call__(self, row: Any) -> bool:
        return not self.test(row)


@dataclass(frozen=True)
class _AllOf:
    tests: tuple[Test, ...]

    def __call__(self, row: Any) -> bool:
        return all(test(row) for test in self.tests)


@dataclass(frozen=True)
class _AnyOf:
    tests: tuple[Test, ...]

    def __call__(self, row: Any) -> bool:
        return any(test(row) for test in self.tests)
