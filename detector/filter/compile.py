"""Compile the text of a filter to a predicate on rows."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from detector.filter import parser, text_match, time_expressions
from detector.filter.field_types import During, Test, TextMatches
from detector.filter.fields import Field, Fields
from detector.filter.parser import FilterError, FilterNode, FilterValue
from detector.filter.text_match import Contains
from detector.text.late_pattern import late_pattern

R = TypeVar("R")


class Filter(msgspec.Struct, Generic[R], frozen=True):
    """A stateless predicate on rows, which can be shared and pickled.

    ``text`` is the filter as written, with open quotes and parentheses closed. ``names`` are the
    fields that the filter uses. ``is_relative``: its times depend on ``reference`` (epoch seconds).
    ``time_descriptions`` describe those times. ``alternative``: the outermost operator is ``or``,
    so the filter needs parentheses before another term."""

    text: str
    test: Test | None
    reference: float = 0.0
    names: frozenset[str] = frozenset()
    is_relative: bool = False
    time_descriptions: tuple[str, ...] = ()
    alternative: bool = False

    def __call__(self, row: R) -> bool:
        return self.test is None or self.test(row)

    def __bool__(self) -> bool:
        return self.test is not None

    def with_term(self, term: str) -> str:
        """Return the text of this filter with ``term`` added as a condition."""
        if self.alternative:
            return f"({self.text}) {term}"
        return f"{self.text} {term}".strip()


def parse_filter(text: str, fields: Fields[R], reference: float) -> Filter[R]:
    """Compile ``text`` over ``fields``.

    Times are relative to ``reference``, in epoch seconds. Raises FilterError.
    """
    tree, closed = parser.parse(text)
    if tree is None:
        return Filter("", None, reference)
    compiler = _Compiler(fields, reference)
    test = compiler.test(tree)
    return Filter(
        closed,
        test,
        reference,
        frozenset(compiler.names),
        compiler.is_relative,
        tuple(compiler.time_descriptions),
        isinstance(tree, parser.Disjunction),
    )


def parse_unfinished(text: str, fields: Fields[R], reference: float) -> Filter[R]:
    """Compile a filter that is still being typed, without its unfinished end.

    A last word that begins a field's name, such as ``sev``, is not searched for yet. Raises
    FilterError for other errors.
    """
    text = _without_half_name(text, fields)
    while True:
        try:
            return parse_filter(text, fields, reference)
        except FilterError as error:
            if not error.unfinished:
                raise
            text = text[: error.offset]


_LAST_WORD = late_pattern(r"(?:^|(?<=[\s(!-]))[a-z]+$", re.IGNORECASE)


def _without_half_name(text: str, fields: Fields[R]) -> str:
    """Return the text without a last word that could become a field's name."""
    match = _LAST_WORD.search(text)
    if match is None:
        return text
    word = match[0].casefold()
    if any(field.name.startswith(word) for field in fields):
        return text[: match.start()]
    return text


class _Compiler(Generic[R]):
    """Compiles a syntax tree and collects the fields and times that it uses."""

    def __init__(self, fields: Fields[R], reference: float) -> None:
        self.fields = fields
        self.reference = reference
        self.names: set[str] = set()
        self.is_relative = False
        self.time_descriptions: list[str] = []

    def test(self, node: FilterNode) -> Test:
        match node:
            case parser.Disjunction(tests):
                return _AnyOf(tuple(map(self.test, tests)))
            case parser.Conjunction(tests):
                return _AllOf(tuple(map(self.test, tests)))
            case parser.Negation(test):
                return _Not(self.test(test))
            case parser.TimeTerm(operator, value):
                if self.fields.time is None:
                    raise FilterError(f"{self.fields.rows} have no time field", value.offset)
                return self.of_field(self.fields.time, operator, (value,))
            case parser.FieldTerm(None, _, (value,)):
                return _word(value, self.fields.in_word_search)
            case parser.FieldTerm(name, operator, values, offset):
                try:
                    field = self.fields[name or ""]
                except ValueError as error:
                    raise FilterError(str(error), offset) from None
                if operator == "!=":
                    return _Not(self.of_field(field, "=", values))
                if len(values) > 1 and operator not in (":", "="):
                    raise FilterError(f"{operator} compares with one value", values[1].offset)
                return self.of_field(field, operator, values)

    def of_field(self, field: Field[R], operator: str, values: tuple[FilterValue, ...]) -> Test:
        self.names.add(field.name)
        tests = tuple(self.of_value(field, operator, value) for value in values)
        if len(tests) == 1:
            return _FieldTest(field.read, tests[0])
        return _FieldTest(field.read, _AnyOf(tests))

    def of_value(self, field: Field[R], operator: str, value: FilterValue) -> Test:
        try:
            test = field.kind.test(operator, value, self.reference)
        except ValueError as error:
            raise FilterError(f"{field.name}: {error}", value.offset) from None
        if isinstance(test, During) and test.span.is_relative:
            self.is_relative = True
            self.time_descriptions.append(
                f"{field.name} {time_expressions.describe_span(test.span)}"
            )
        return test


def _word(value: FilterValue, read: tuple[Callable[[Any], Any], ...]) -> Test:
    """Compile a value without a field, which is searched for in all text fields."""
    if not value.text:
        raise FilterError('"" alone matches nothing', value.offset, unfinished=True)
    asked = text_match.pattern(value, whole=False)
    if isinstance(asked, Contains):
        return _ContainsWord(asked.text, _separator(asked.text), read)
    return _AnyTextMatches(TextMatches(asked), read)


def _separator(word: str) -> str:
    """Return a character that ``word`` lacks, so that it cannot match across joined values."""
    return next(mark for mark in map(chr, range(len(word) + 1)) if mark not in word)


class _ContainsWord(msgspec.Struct, frozen=True):
    """Tests whether one of a row's texts contains ``word``."""

    # Case folding dominates the cost, so all texts are joined and folded at once.

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


class _AnyTextMatches(msgspec.Struct, frozen=True):
    """Tests whether one of a row's texts matches the pattern."""

    holds: TextMatches
    read: tuple[Callable[[Any], Any], ...]

    def __call__(self, row: Any) -> bool:
        return any(self.holds(read(row)) for read in self.read)


class _FieldTest(msgspec.Struct, frozen=True):
    read: Callable[[Any], Any]
    test: Test

    def __call__(self, row: Any) -> bool:
        return self.test(self.read(row))


class _Not(msgspec.Struct, frozen=True):
    test: Test

    def __call__(self, row: Any) -> bool:
        return not self.test(row)


class _AllOf(msgspec.Struct, frozen=True):
    tests: tuple[Test, ...]

    def __call__(self, row: Any) -> bool:
        return all(test(row) for test in self.tests)


class _AnyOf(msgspec.Struct, frozen=True):
    tests: tuple[Test, ...]

    def __call__(self, row: Any) -> bool:
        return any(test(row) for test in self.tests)
