"""Parse KQL text into the syntax tree shared with ES|QL.

A KQL condition is an ``ast.FieldMatch``. Source: Kibana's documentation of its query language.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from detector.esql import ast
from detector.esql.errors import EsqlError, Span, span_at, too_deep
from detector.esql.field_checks import check_searchable
from detector.esql.grammars import load_parser

if TYPE_CHECKING:
    from lark import Lark, Token, UnexpectedToken

_ESCAPES = {"t": "\t", "r": "\r", "n": "\n"}
_JOINING_WORDS = {"_OR": "or", "_AND": "and", "NOT": "not"}


def parse_kql(text: str, outer: Span | None = None) -> ast.Expression:
    """Parse a condition.

    ``outer`` is the span that all nodes get if the text is a string in an ES|QL query. Raises
    EsqlError at the first position that is not KQL supported by trailhound.
    """
    from lark import UnexpectedCharacters, UnexpectedToken

    builder = _Builder(text, outer)
    parser = load_parser("kql")
    try:
        return builder.condition(parser.parse(text))
    except UnexpectedCharacters as error:
        raise builder.unexpected_character(error.pos_in_stream or 0) from None
    except UnexpectedToken as error:
        raise _refusal(builder, parser, error) from None
    except RecursionError:
        raise too_deep() from None


def _refusal(builder: _Builder, parser: Lark, error: UnexpectedToken) -> EsqlError:
    """Return the error for an unexpected token; an unclosed string anywhere takes precedence."""
    from lark import UnexpectedCharacters

    try:
        tokens = list(parser.lex(builder.text))
    except UnexpectedCharacters as unclosed:
        return builder.unexpected_character(unclosed.pos_in_stream or 0)
    return builder.unexpected_token(error, tokens)


class _Builder:
    """Builds conditions from lark's trees, and EsqlErrors from lark's errors."""

    def __init__(self, text: str, outer: Span | None) -> None:
        self.text = text
        self.outer = outer

    def span(self, start: int, end: int) -> Span:
        if self.outer:
            return self.outer
        return span_at(self.text, start, end)

    def token_span(self, token: Token) -> Span:
        return self.span(token.start_pos or 0, token.end_pos or 0)

    # conditions

    def condition(self, tree: Any, field: ast.Column | None = None) -> ast.Expression:
        """Build a condition.

        ``field`` is the field of the enclosing list of values in parentheses, None outside of one.
        """
        parts = tree.children
        match tree.data:
            case "either" | "both":
                operator = "or" if tree.data == "either" else "and"
                operands = tuple(self.condition(part, field) for part in parts)
                return ast.Logic(operator, operands, span=self.token_span(_first_token(tree)))
            case "negated":
                return ast.Not(self.condition(parts[1], field), span=self.token_span(parts[0]))
            case "grouped":
                return self.condition(parts[1], field)
            case "value":
                assert field is not None
                return self.match(field, parts)
            case "comparison":
                column = self.field(parts[0].children)
                value, _ = _literal(parts[2].children)
                return ast.FieldMatch(column, str(parts[1]), value, span=column.span)
        column = self.field(parts[0].children)
        if tree.data == "nested":
            raise self.brace(parts[-1])
        return self.condition(parts[-1], column)

    def field(self, tokens: Sequence[Token]) -> ast.Column:
        span = self.token_span(tokens[0])
        name, has_wildcard = _literal(tokens)
        if has_wildcard:
            written = " ".join(tokens)
            raise EsqlError(span, f"* in the name of a field ({written}) is not supported")
        return ast.Column(name, span=span)

    def match(self, field: ast.Column, tokens: Sequence[Token]) -> ast.FieldMatch:
        span = self.token_span(tokens[0])
        value, has_wildcard = _literal(tokens)
        if has_wildcard and not value.strip("*"):
            return ast.FieldMatch(field, "exists", "", span=span)
        check_searchable(field)
        return ast.FieldMatch(field, "*" if has_wildcard else ":", value, span=span)

    # errors

    def unexpected_character(self, start: int) -> EsqlError:
        character = self.text[start]
        message = "the string is not closed" if character == '"' else f"unexpected {character}"
        return EsqlError(self.span(start, len(self.text)), message)

    def unexpected_token(self, error: UnexpectedToken, tokens: Sequence[Token]) -> EsqlError:
        """Return the error for an unexpected token, or for an invalid condition before it."""
        from lark import Token

        parser = error.interactive_parser
        assert parser is not None
        accepted: set[str] = parser.accepts()  # type: ignore[no-untyped-call]
        if "_AND" in accepted:  # completes the condition before it
            parser.feed_token(Token("_AND", "and"))
        stack = parser.parser_state.value_stack
        refusal = self.earlier_refusal(stack)
        if refusal:
            return refusal
        before = [token for token in tokens if (token.start_pos or 0) < self._start(error.token)]
        if "_COLON" in accepted:
            return self.no_field(before)
        if _is_type(stack[-1:], "BRACE"):
            return self.brace(stack[-1])
        if "_RPAR" in accepted:
            return self.unexpected(error.token, ")")
        if "$END" in accepted:
            return self.unexpected(error.token, "and, or, or the end of the query")
        in_field = any(_is_type([part], "_COLON", "COMPARISON") for part in stack)
        if in_field or error.token.type in ("_OR", "_AND"):
            return self.unexpected(error.token, "a value")
        return self.unexpected(error.token, "a condition such as field: value")

    def _start(self, token: Token) -> int:
        return len(self.text) if token.type == "$END" else token.start_pos or 0

    def earlier_refusal(self, stack: Sequence[Any]) -> EsqlError | None:
        """Build the conditions before an error; return the first error of one, if any."""
        field = None
        try:
            for part in _flattened(stack):
                if part.data == "name":
                    field = self.field(part.children)
                else:
                    self.condition(part, field)
        except EsqlError as error:
            return error
        return None

    def no_field(self, before: Sequence[Token]) -> EsqlError:
        """Return the error for words before a position that no operator follows."""
        words = [before[-1]]
        for token in reversed(before[:-1]):
            if token.type != "WORD" or words[0].type != "WORD":
                break
            words.insert(0, token)
        name, _ = _literal(words)
        return EsqlError(
            self.token_span(words[0]),
            f"{name} names no field: free text is not supported, write field: value",
        )

    def brace(self, sign: Token) -> EsqlError:
        if sign == "}":
            return self.unexpected(sign, "a value")
        return EsqlError(self.token_span(sign), "nested fields ({ }) are not supported")

    def unexpected(self, token: Token, expected: str) -> EsqlError:
        if token.type == "$END":
            span = self.span(len(self.text.rstrip()), len(self.text))
            return EsqlError(span, f"unexpected end of the query; expected {expected}")
        shown = _JOINING_WORDS.get(token.type, str(token))
        return EsqlError(self.token_span(token), f"unexpected {shown}; expected {expected}")


def _flattened(parts: Iterable[Any]) -> Iterator[Any]:
    """Yield the trees of grammar rules; descend into lark's trees for repetitions."""
    for part in parts:
        rule = getattr(part, "data", "")
        if rule.startswith("_"):
            yield from _flattened(part.children)
        elif rule:
            yield part


def _is_type(tokens: Sequence[Any], *types: str) -> bool:
    return any(getattr(token, "type", None) in types for token in tokens)


def _first_token(tree: Any) -> Token:
    while hasattr(tree, "children"):
        tree = tree.children[0]
    token: Token = tree
    return token


def _literal(tokens: Sequence[Token]) -> tuple[str, bool]:
    """Return the text of a literal, and whether it has wildcards.

    A text with wildcards is returned as a pattern for ``like.wildcard``.
    """
    if tokens[0].type == "QUOTED":
        return _unescaped(tokens[0][1:-1]), False
    text = " ".join(tokens)
    if "*" not in re.sub(r"\\.", "", text, flags=re.DOTALL):
        return _unescaped(text), False
    pieces = re.findall(r"\\(.)|(\*)|(.)", text, re.DOTALL)
    return "".join(star or "\\" + (escaped or plain) for escaped, star, plain in pieces), True


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[1]), text, flags=re.DOTALL)
