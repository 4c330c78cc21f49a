"""The text that a rule is written in: where errors and advice belong."""

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
    """The part of a file that a rule is written in."""

    def key_error(self, error: RuleError) -> RuleError:
        """Place an error of a key in the file."""

    def query_error(self, error: EsqlError) -> RuleError:
        """Place an error of the query in the file."""

    def place_advice(self, advice: Advice) -> Advice:
        """Place advice on the query in the file."""


class TomlText(msgspec.Struct, frozen=True):
    """The text of a TOML file, which is one rule, and the rule's query."""

    text: str
    query: str

    def key_error(self, error: RuleError) -> RuleError:
        return RuleError(error.message, line_of_key(self.text, error.key))

    def query_error(self, error: EsqlError) -> RuleError:
        return RuleError(error.message, *self._place(error.line, error.column))

    def place_advice(self, advice: Advice) -> Advice:
        return Advice(*self._place(advice.line, advice.column), advice.sentence)

    def _place(self, line: int, column: int) -> tuple[int, int]:
        """Return the line and column in the file of those in the query."""
        first_line, indent = query_position(self.text, self.query)
        if line > 1:  # only the query's first line may begin in the middle of one
            indent = 0
        return first_line + line - 1, indent + column


def query_position(text: str, query: str) -> tuple[int, int]:
    """Return the file's line where the query begins, and the column before."""
    start = text.find(query) if query.strip() else -1
    if start < 0:  # the query is written with escapes
        opening = re.search(r'^\s*query\s*=\s*(?:"""|\'\'\'|"|\')(?:\r?\n)?', text, re.MULTILINE)
        start = opening.end() if opening else 0
    return text.count("\n", 0, start) + 1, start - (text.rfind("\n", 0, start) + 1)
