"""The source text of a rule: it locates errors and advice in the file."""

from __future__ import annotations

import re
from typing import NamedTuple, Protocol

import msgspec

from detector.esql.errors import EsqlError
from detector.rules.rule_file import RuleError, line_of_key


class Advice(NamedTuple):
    """A sentence, with its position (from 1) in the query's text, or in the rule's file."""

    line: int
    column: int
    sentence: str


class RuleText(Protocol):
    """The source text of a rule in its file."""

    def key_error(self, error: RuleError) -> RuleError:
        """Return an error about a key, with its position in the file."""

    def query_error(self, error: EsqlError) -> RuleError:
        """Return an error in the query, with its position in the file."""

    def place_advice(self, advice: Advice) -> Advice:
        """Return advice on the query, with its position in the file."""


class TomlText(msgspec.Struct, frozen=True):
    """The text of a TOML file, which has one rule, and the rule's query."""

    text: str
    query: str

    def key_error(self, error: RuleError) -> RuleError:
        return RuleError(error.message, line_of_key(self.text, error.key))

    def query_error(self, error: EsqlError) -> RuleError:
        return RuleError(error.message, *self._place(error.line, error.column))

    def place_advice(self, advice: Advice) -> Advice:
        return Advice(*self._place(advice.line, advice.column), advice.sentence)

    def _place(self, line: int, column: int) -> tuple[int, int]:
        """Translate a line and column of the query to those of the file."""
        first_line, indent = query_position(self.text, self.query)
        if line > 1:  # only the query's first line may be indented
            indent = 0
        return first_line + line - 1, indent + column


def query_position(text: str, query: str) -> tuple[int, int]:
    """Return the line (from 1) in which the query begins, and the columns before it there."""
    start = text.find(query) if query.strip() else -1
    if start < 0:  # the query is written with escapes
        opening = re.search(r'^\s*query\s*=\s*(?:"""|\'\'\'|"|\')(?:\r?\n)?', text, re.MULTILINE)
        start = opening.end() if opening else 0
    return text.count("\n", 0, start) + 1, start - (text.rfind("\n", 0, start) + 1)
