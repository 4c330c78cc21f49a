"""Parse Sigma conditions: names combined with and, or, not, and ``1 of name*``."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from detector.esql import ast
from detector.esql.errors import EsqlError, Span
from detector.esql.tree_walk import join_conditions
from detector.sigma.yaml_reader import YamlScalar
from detector.text.suggest import nearest

_TOKEN = re.compile(r"\s*(?:([()|])|([^\s()|]+))")
_QUANTIFIERS = {"1": "or", "any": "or", "all": "and"}
_MAX_DEPTH = 40


class _Token(NamedTuple):
    text: str
    span: Span


class Names(NamedTuple):
    """The names that a condition may use, and the function that resolves them.

    ``kind`` says in error messages what the names denote, such as ``selection``."""

    known: Sequence[str]
    resolve: Callable[[str, Span], ast.Expression]
    kind: str


def parse_condition(scalar: YamlScalar, source: str, names: Names) -> ast.Expression:
    """Parse a condition. Raises EsqlError with the position in the file's text ``source``."""
    parser = _Parser(list(_tokens(scalar, source)), scalar.span, names)
    condition = parser.disjunction()
    parser.expect_end()
    return condition


def _tokens(scalar: YamlScalar, source: str) -> Iterator[_Token]:
    text = str(scalar.value)
    start = scalar.span.start
    shift = next((each for each in (0, 1) if source.startswith(text, start + each)), None)
    end = 0
    while end < len(text.rstrip()):
        match = _TOKEN.match(text, end)
        assert match is not None
        end = match.end()
        token = match[1] or match[2]
        span = scalar.span
        if shift is not None:  # the file contains the text verbatim, so positions are exact
            offset = end - len(token) + shift
            span = _moved(span, offset, len(token), source)
        yield _Token(token, span)


def _moved(span: Span, offset: int, length: int, source: str) -> Span:
    start = span.start + offset
    breaks = source.count("\n", span.start, start)
    column = span.column + offset
    if breaks:
        column = start - source.rfind("\n", 0, start)
    return Span(span.line + breaks, column, start, start + length)


class _Parser:
    """A recursive-descent parser; ``or`` binds weakest, then ``and``, then ``not``."""

    def __init__(self, tokens: list[_Token], end: Span, names: Names) -> None:
        self._tokens = tokens
        self._index = 0
        self._depth = 0
        self._names = names
        self._end = tokens[-1].span if tokens else end

    def disjunction(self) -> ast.Expression:
        return self._chain("or", self._conjunction)

    def _conjunction(self) -> ast.Expression:
        return self._chain("and", self._negation)

    def _chain(self, operator: str, operand: Callable[[], ast.Expression]) -> ast.Expression:
        span = self._span()
        operands = [operand()]
        while self._take(operator):
            operands.append(operand())
        return join_conditions(operator, operands, span)

    def _negation(self) -> ast.Expression:
        span = self._span()
        if not self._take("not"):
            return self._operand()
        self._deepen(span)
        operand = self._negation()
        self._depth -= 1
        return ast.Not(operand, span=span)

    def _operand(self) -> ast.Expression:
        span = self._span()
        if self._take("("):
            self._deepen(span)
            inner = self.disjunction()
            self._depth -= 1
            if not self._take(")"):
                raise EsqlError(span, "this bracket is not closed")
            return inner
        token = self._next()
        if self._take("of"):
            return self._quantified(token)
        if token.text not in self._names.known:
            raise EsqlError(
                token.span,
                f"no {self._names.kind} {token.text}{nearest(token.text, self._names.known)}",
            )
        return self._names.resolve(token.text, token.span)

    def _quantified(self, quantifier: _Token) -> ast.Expression:
        """Parse the rest of ``1 of them`` or ``all of name*`` after ``of``."""
        operator = _QUANTIFIERS.get(quantifier.text.lower())
        if operator is None:
            raise EsqlError(quantifier.span, f"{quantifier.text} of: write 1, any or all")
        pattern = self._next()
        chosen = [name for name in self._names.known if _is_chosen(name, pattern.text)]
        if not chosen:
            raise EsqlError(pattern.span, f"no {self._names.kind} has a name like {pattern.text}")
        operands = [self._names.resolve(name, pattern.span) for name in chosen]
        return join_conditions(operator, operands, quantifier.span)

    def expect_end(self) -> None:
        if self._index == len(self._tokens):
            return
        token = self._tokens[self._index]
        if token.text == "|":
            raise EsqlError(
                token.span,
                "aggregations in a condition are Sigma's old form: write a correlation instead",
            )
        raise EsqlError(token.span, f"{token.text} is not expected here: write and, or, not")

    def _deepen(self, span: Span) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise EsqlError(span, "the condition is nested too deeply")

    def _span(self) -> Span:
        if self._index < len(self._tokens):
            return self._tokens[self._index].span
        return self._end

    def _take(self, text: str) -> bool:
        """Consume the next token if it is the keyword ``text`` in any case; a name is not one."""
        if self._index == len(self._tokens):
            return False
        token = self._tokens[self._index].text
        if token.lower() != text or token in self._names.known:
            return False
        self._index += 1
        return True

    def _next(self) -> _Token:
        if self._index == len(self._tokens):
            raise EsqlError(self._end, f"a {self._names.kind} is missing after this")
        token = self._tokens[self._index]
        if token.text in (")", "|"):
            raise EsqlError(token.span, f"a {self._names.kind} is missing before this")
        self._index += 1
        return token


def _is_chosen(name: str, pattern: str) -> bool:
    """Tell whether a quantifier's pattern selects a name.

    Names that start with ``_`` are selected only by patterns that do."""
    if name.startswith("_") and not pattern.startswith("_"):
        return False
    if pattern.lower() == "them":
        return True
    return fnmatchcase(name, pattern.replace("[", "[[]").replace("?", "[?]"))
