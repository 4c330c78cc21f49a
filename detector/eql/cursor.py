"""A cursor over the tokens of an EQL query."""

from __future__ import annotations

from detector.eql.lexer import RESERVED_WORDS, Token, tokenize
from detector.esql.errors import EsqlError, Span


class TokenCursor:
    """The tokens of a query and the position of the next one."""

    def __init__(self, text: str) -> None:
        self._tokens = tokenize(text)
        self._index = 0

    @property
    def next(self) -> Token:
        return self._tokens[self._index]

    @property
    def second(self) -> Token:
        """The token after the next one."""
        return self._tokens[min(self._index + 1, len(self._tokens) - 1)]

    def take(self) -> Token:
        """Consume and return the next token; the end token is never consumed."""
        token = self.next
        if token.kind != "end":
            self._index += 1
        return token

    def back(self, token: Token) -> None:
        """Put back the token that was just taken."""
        if token.kind != "end":
            self._index -= 1

    def is_at(self, *texts: str) -> bool:
        """Tell whether the next token is one of these keywords or signs."""
        return self.next.kind in ("name", "sign") and self.next.text in texts

    def accept(self, *texts: str) -> Token | None:
        """Take the next token if it is one of these keywords or signs; otherwise return None."""
        if self.is_at(*texts):
            return self.take()
        return None

    def expect(self, text: str, what: str = "") -> Token:
        """Take a keyword or sign; raise EsqlError if another token is next.

        The message names ``what`` (default ``text``) as expected."""
        if not self.is_at(text):
            raise self.unexpected(what or text)
        return self.take()

    def unexpected(self, expected: str) -> EsqlError:
        """Return the error that reports the next token as unexpected."""
        token = self.next
        shown = token.text
        if token.kind == "end":
            shown = "end of the query"
        message = f"unexpected {shown}; expected {expected}"
        if token.text == "=":
            message = "a single = compares nothing; use == or :"
        elif token.kind == "name" and token.text.lower() in RESERVED_WORDS - {token.text}:
            message = f"keywords are in lower case: write {token.text.lower()}"
        return EsqlError(token.span, message)

    def span_from(self, start: Span) -> Span:
        """Return the span from ``start`` to the last token taken."""
        end = self._tokens[max(self._index - 1, 0)].span.end
        return Span(start.line, start.column, start.start, max(end, start.end))
