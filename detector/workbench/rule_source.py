"""The text of a rule file, and where in it a value of the rule stands.

A place is found by trial: it is the one at which another value changes the parsed document as it
should, and nothing else. So it holds for every way in which a value may be written.
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
"""Keys and indexes that lead to a value of a document."""
TextPlace = tuple[int, int]
"""The start and the end of a value in a text."""
_MOST_TRIALS = 400
_DIGITS = re.compile(r"[0-9]+")


class Splice(NamedTuple):
    """A span of a text value."""

    start: int
    end: int


class RuleSource:
    """The text of the file that a rule was read from; ``rule_path`` leads to the rule in it."""

    def __init__(self, path: Path, text: str, rule_path: KeyPath, document: Any) -> None:
        self.path = path
        self.text = text
        self.rule_path = rule_path
        self.document = document
        self._parse = _parser_of(path)

    @classmethod
    def of(cls, rule: Rule) -> RuleSource:
        """Read the text of a rule's file. Raises RuleError where the rule is no longer in it."""
        text = read_file_text(rule.path)
        document = _parser_of(rule.path)(text)
        if rule.path.suffix not in (*EXPORT_SUFFIXES, *SIGMA_SUFFIXES):
            return cls(rule.path, text, ("rule",), document)
        for index, each in enumerate(document):
            if _names(each, rule):
                return cls(rule.path, text, (index,), document)
        raise RuleError(f"{rule.name} is no longer in its file")

    def value_at(self, path: KeyPath) -> Any:
        """Return a value of the document; None where there is none."""
        value = self.document
        for key in path:
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                return None
        return value

    def locate(self, path: KeyPath, splice: Splice | None = None) -> TextPlace | None:
        """Return the place of a value, or of a part of it; None where it cannot be told."""
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
        """Return a copy of the document with another value."""
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
    """Return a text of the same form that differs: the first number in it is one more."""
    digits = _DIGITS.search(token)
    if digits is None:
        return f"{token}x"
    return f"{token[: digits.start()]}{int(digits[0]) + 1}{token[digits.end() :]}"


def _names(document: Any, rule: Rule) -> bool:
    """Tell whether a document of a file is that of a rule."""
    if not isinstance(document, dict):
        return False
    named = document.get("rule_id") or document.get("id")
    return named == rule.rule_id or (named is None and document.get("title") == rule.name)


def _parser_of(path: Path) -> Callable[[str], Any]:
    """Return what parses the text of a file; it raises RuleError or EsqlError."""
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
