"""Read the rules of a file, in whichever form it has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from detector.rules.rule import CompileContext, Rule, TomlText, make_rule
from detector.rules.rule_file import RuleError, parse_tables, read_file_text

RuleReader = Callable[[Path, str, CompileContext], Iterable[Rule | RuleError]]
"""Yields the rules in a file's text, and why others cannot be used.

Raises RuleError for a file that has none."""


def read_rules(path: Path, context: CompileContext) -> Iterator[Rule | RuleError]:
    """Yield the rules of a file, and an error for each that cannot be used."""
    try:
        text = read_file_text(path)
        yield from _READERS.get(path.suffix, _read_toml)(path, text, context)
    except RuleError as error:
        yield error


def read_rule(path: Path, context: CompileContext) -> Rule:
    """Read the one rule of a file. Raises RuleError."""
    (rule,) = read_rules(path, context)
    if isinstance(rule, RuleError):
        raise rule
    return rule


def _read_toml(path: Path, text: str, context: CompileContext) -> Iterator[Rule]:
    metadata, own = parse_tables(text)
    yield make_rule(metadata, own, TomlText(text), path, context)


_READERS: dict[str, RuleReader] = {".toml": _read_toml}
RULE_SUFFIXES = tuple(_READERS)
"""The ends of the names of rule files, as they are looked for in directories."""
