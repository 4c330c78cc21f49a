"""What is wrong with a rule or a query, and where."""

from __future__ import annotations

from dataclasses import dataclass

from detector.text.visible import visible


@dataclass(frozen=True, slots=True)
class Span:
    """Where something stands in a query: ``line`` and ``column`` from 1, and the slice
    ``text[start:end]``."""

    line: int
    column: int
    start: int
    end: int


class EsqlError(Exception):
    """A query that cannot be run as it stands: one line, with the place (from 1) in the query's
    text."""

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
    """What a RecursionError means that a query brings about."""
    return EsqlError(Span(1, 1, 0, 0), "the query is nested too deeply")
