"""KQL -> the same tree as ES|QL's, with conditions that are KQL's own (``ast.FieldMatch``).

Source: Kibana's documentation of its query language.
"""

from __future__ import annotations

import re

from detector.esql import ast
from detector.esql.errors import EsqlError, Span, too_deep

_TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<quoted>"(?:\\.|[^"\\])*")|(?P<sign><=|>=|[():<>{}])"""
    r"""|(?P<plain>(?:\\.|[^\\():<>"{}\s])+)""",
    re.DOTALL,
)
_ESCAPES = {"t": "\t", "r": "\r", "n": "\n"}


def parse(text: str, span: Span | None = None) -> ast.Expression:
    """The condition that ``text`` is, all of it placed at ``span`` where that is given.

    Raises EsqlError at the first place where it is no KQL that trailhound knows.
    """
    reader = _Reader(text, span)
    try:
        condition = reader.either()
    except RecursionError:
        raise too_deep() from None
    if reader.peek():
        raise reader.unexpected("and, or, or the end of the query")
    return condition


class _Reader:
    def __init__(self, text: str, outer: Span | None) -> None:
        self.text = text
        self.outer = outer
        self.tokens: list[tuple[str, str, int]] = []
        self.place = 0
        offset = 0
        while offset < len(text):
            if not (found := _TOKEN.match(text, offset)):
                raise EsqlError(
                    self.span(offset, len(text)),
                    "the string is not closed"
                    if text[offset] == '"'
                    else f"unexpected {text[offset]}",
                )
            if (kind := found.lastgroup or "") != "space":
                self.tokens.append((kind, found[0], offset))
            offset = found.end()

    def span(self, start: int, end: int) -> Span:
        if self.outer:
            return self.outer
        line_start = self.text.rfind("\n", 0, start) + 1
        return Span(self.text.count("\n", 0, start) + 1, start - line_start + 1, start, end)

    def token_span(self, place: int) -> Span:
        if place >= len(self.tokens):
            return self.span(len(self.text.rstrip()), len(self.text))
        _, token, start = self.tokens[place]
        return self.span(start, start + len(token))

    def peek(self, ahead: int = 0) -> str:
        """The next token, a word that joins in small letters; empty at the end."""
        if self.place + ahead >= len(self.tokens):
            return ""
        kind, token, _ = self.tokens[self.place + ahead]
        return token.lower() if kind == "plain" and token.lower() in ("and", "or", "not") else token

    def unexpected(self, expected: str) -> EsqlError:
        found = self.peek() or "end of the query"
        return EsqlError(self.token_span(self.place), f"unexpected {found}; expected {expected}")

    def expect(self, sign: str) -> None:
        if self.peek() != sign:
            raise self.unexpected(sign)
        self.place += 1

    # conditions; ``field`` is given inside the brackets that list a field's values

    def either(self, field: ast.Column | None = None) -> ast.Expression:
        return self.joined("or", field)

    def joined(self, word: str, field: ast.Column | None) -> ast.Expression:
        start = self.token_span(self.place)
        operands = [self.operand(word, field)]
        while self.peek() == word:
            self.place += 1
            operands.append(self.operand(word, field))
        return operands[0] if len(operands) == 1 else ast.Logic(word, tuple(operands), span=start)

    def operand(self, word: str, field: ast.Column | None) -> ast.Expression:
        return self.joined("and", field) if word == "or" else self.negation(field)

    def negation(self, field: ast.Column | None) -> ast.Expression:
        start = self.token_span(self.place)
        if self.peek() == "not":
            self.place += 1
            return ast.Not(self.negation(field), span=start)
        if self.peek() == "(":
            self.place += 1
            inner = self.either(field)
            self.expect(")")
            return inner
        return self.value(field) if field else self.condition()

    def condition(self) -> ast.Expression:
        start = self.token_span(self.place)
        if self.place >= len(self.tokens) or self.tokens[self.place][0] == "sign":
            raise self.unexpected("a condition such as field: value")
        name, wild = self.literal()
        if (sign := self.peek()) not in (":", "<", "<=", ">", ">="):
            raise EsqlError(
                start, f"{name} names no field: free text is not supported, write field: value"
            )
        if wild:
            raise EsqlError(start, f"* in the name of a field ({name}) is not supported")
        field = ast.Column(name, span=start)
        self.place += 1
        if sign != ":":
            value, _ = self.literal()
            return ast.FieldMatch(field, sign, value, span=start)
        if self.peek() == "{":
            raise EsqlError(self.token_span(self.place), "nested fields ({ }) are not supported")
        if self.peek() == "(":
            self.place += 1
            inner = self.either(field)
            self.expect(")")
            return inner
        return self.value(field)

    def value(self, field: ast.Column) -> ast.FieldMatch:
        start = self.token_span(self.place)
        value, wild = self.literal()
        if wild and not value.strip("*"):
            return ast.FieldMatch(field, "exists", "", span=start)
        if field.name.endswith(".text"):
            raise EsqlError(
                field.span,
                f"{field.name} is text cut into words, which is not supported; "
                f"use {field.name.removesuffix('.text')}",
            )
        if field.name.startswith("aws.cloudtrail.flattened.") and field.name.count(".") == 3:
            raise EsqlError(
                field.span,
                f"a value anywhere below {field.name} is not supported; name the element",
            )
        return ast.FieldMatch(field, "*" if wild else ":", value, span=start)

    def literal(self) -> tuple[str, bool]:
        """A quoted text, or words up to the next sign or joining word; whether a ``*`` in it means
        any text.

        Where it does, what is meant as it stands is escaped for ``patterns.wildcard``.
        """
        if (
            self.place >= len(self.tokens)
            or self.tokens[self.place][0] == "sign"
            or self.peek() in ("and", "or")
        ):
            raise self.unexpected("a value")
        kind, token, _ = self.tokens[self.place]
        self.place += 1
        if kind == "quoted":
            return re.sub(
                r"\\(.)",
                lambda found: _ESCAPES.get(found[1], found[1]),
                token[1:-1],
                flags=re.DOTALL,
            ), False
        words = [token]
        while (
            self.place < len(self.tokens)
            and self.tokens[self.place][0] == "plain"
            and self.peek() not in ("and", "or", "not")
        ):
            words.append(self.tokens[self.place][1])
            self.place += 1
        text = " ".join(words)
        if "*" in re.sub(r"\\.", "", text, flags=re.DOTALL):
            pieces = re.findall(r"\\(.)|(\*)|(.)", text, re.DOTALL)
            return "".join(star or "\\" + (taken or plain) for taken, star, plain in pieces), True
        return re.sub(
            r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text, flags=re.DOTALL
        ), False
