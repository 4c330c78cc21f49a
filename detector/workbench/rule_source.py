"""The text of a rule file, and the positions of the rule's values in it.

A position is found by trial: replacing the text there must change exactly that value of the parsed
document. So it works for every notation of a value.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from detector.esql.errors import EsqlError
from detector.rules.kibana.export import EXPORT_SUFFIXES, parse_export
from detector.rules.reading import SIGMA_SUFFIXES
from detector.rules.rule import Rule
from detector.rules.rule_file import RuleError, parse_toml, read_file_text

KeyPath = tuple[str | int, ...]
"""The keys and indexes that lead to a value in a document."""
TextPlace = tuple[int, int]
"""The start and end offsets of a value in a text."""
_MOST_TRIALS = 400
_DIGITS = re.compile(r"[0-9]+")


class Splice(NamedTuple):
    """A span within a text value."""

    start: int
    end: int


class RuleSource:
    """The text of a rule's file; ``rule_path`` leads to the rule in the parsed document."""

    def __init__(self, path: Path, text: str, rule_path: KeyPath, document: Any) -> None:
        self.path = path
        self.text = text
        self.rule_path = rule_path
        self.document = document
        self._parse = _parser_of(path)

    @classmethod
    def of(cls, rule: Rule) -> RuleSource:
        """Read a rule's file. Raises RuleError if the rule is no longer in it."""
        text = read_file_text(rule.path)
        document = _parser_of(rule.path)(text)
        if rule.path.suffix not in (*EXPORT_SUFFIXES, *SIGMA_SUFFIXES):
            return cls(rule.path, text, ("rule",), document)
        for index, each in enumerate(document):
            if _names(each, rule):
                return cls(rule.path, text, (index,), document)
        raise RuleError(f"{rule.name} is no longer in its file")

    def value_at(self, path: KeyPath) -> Any:
        """Return the document's value at a path; None if there is none."""
        value = self.document
        for key in path:
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def locate(self, path: KeyPath, splice: Splice | None = None) -> TextPlace | None:
        """Return the position of a value, or of a part of it; None if it cannot be determined."""
        value = self.value_at(path)
        if value is None:
            return None
        token = str(value)
        if splice is not None:
            token = value[splice.start : splice.end]
        probe = _other(token)
        expected = self._changed(path, splice, probe)
        for start in self._occurrences(token):
            end = start + len(token)
            try:
                parsed = self._parse(self.text[:start] + probe + self.text[end:])
            except (RuleError, EsqlError):
                continue
            if parsed == expected:
                return start, end
        return None

    def _occurrences(self, token: str) -> Iterator[int]:
        start = self.text.find(token)
        trials = 0
        while start >= 0 and trials < _MOST_TRIALS:
            yield start
            trials += 1
            start = self.text.find(token, start + 1)

    def _changed(self, path: KeyPath, splice: Splice | None, text: str) -> Any:
        """Return a copy of the document with another value at a path."""
        document = copy.deepcopy(self.document)
        holder = document
        for key in path[:-1]:
            holder = holder[key]
        old = holder[path[-1]]
        if splice is not None:
            holder[path[-1]] = old[: splice.start] + text + old[splice.end :]
        elif isinstance(old, int):
            holder[path[-1]] = int(text)
        else:
            holder[path[-1]] = text
        return document


def _other(token: str) -> str:
    """Return a different text of the same form: the first number in it is incremented."""
    digits = _DIGITS.search(token)
    if digits is None:
        return f"{token}x"
    return f"{token[: digits.start()]}{int(digits[0]) + 1}{token[digits.end() :]}"


def _names(document: Any, rule: Rule) -> bool:
    """Tell whether a document of a file defines a rule."""
    if not isinstance(document, dict):
        return False
    named = document.get("rule_id") or document.get("id")
    return named == rule.rule_id or (named is None and document.get("title") == rule.name)


def _parser_of(path: Path) -> Callable[[str], Any]:
    """Return the parser for a file's text; it raises RuleError or EsqlError."""
    if path.suffix in SIGMA_SUFFIXES:
        return _parse_sigma
    if path.suffix in EXPORT_SUFFIXES:
        return _parse_rules
    return parse_toml


def _parse_rules(text: str) -> list[Any]:
    return [each.content for each in parse_export(text).rules]


def _parse_sigma(text: str) -> list[Any]:
    from detector.sigma.yaml_reader import plain_value, read_documents  # PyYAML, as in reading

    return [plain_value(each) for each in read_documents(text)]
