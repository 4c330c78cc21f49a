"""The error of an unsupported or invalid query, with its position."""

from __future__ import annotations

import msgspec

from detector.text.visible import visible


class Span(msgspec.Struct, frozen=True):
    """A span of a query's text: ``text[start:end]``.

    ``line`` and ``column`` count from 1.
    """

    line: int
    column: int
    start: int
    end: int


QUERY_START = Span(1, 1, 0, 0)


def span_at(text: str, start: int, end: int) -> Span:
    """Return the span of ``text[start:end]``."""
    line_start = text.rfind("\n", 0, start) + 1
    return Span(text.count("\n", 0, start) + 1, start - line_start + 1, start, end)


class EsqlError(Exception):
    """An invalid or unsupported query: a one-line message and the span that it concerns."""

    def __init__(self, span: Span, message: str) -> None:
        self.message = visible(message, 400)  # it may quote the query
        super().__init__(self.message)
        self.span = span

    @property
    def line(self) -> int:
        return self.span.line

    @property
    def column(self) -> int:
        return self.span.column


def too_deep() -> EsqlError:
    """Return the error that replaces a RecursionError."""
    return EsqlError(QUERY_START, "the query is nested too deeply")
