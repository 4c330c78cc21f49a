"""Read the rules of a file, in whichever form it has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from detector.rules.exported_rules import EXPORT_SUFFIXES, collect_exports, read_export
from detector.rules.rule import CompileContext, Rule, TomlText, make_rule
from detector.rules.rule_file import RuleError, RuleNotice, parse_tables, read_file_text

ReadResult = Rule | RuleNotice | RuleError
RuleReader = Callable[[Path, str, CompileContext], Iterable[ReadResult]]
"""Yields the rules in a file's text, and why others cannot be used.

Raises RuleError for a file that has none."""


def read_rule_files(
    paths: Sequence[Path], context: CompileContext
) -> Iterator[tuple[Path, ReadResult]]:
    """Yield what is in each of these files, in their order; some refer to others."""
    context = replace(context, export=collect_exports(paths))
    sigma: dict[Path, list[ReadResult]] = defaultdict(list)
    texts: dict[Path, str] = {}
    for path in paths:
        if path.suffix in SIGMA_SUFFIXES:
            try:
                texts[path] = read_file_text(path)
            except RuleError as error:
                sigma[path].append(error)
    if texts:
        from detector.rules.sigma_rules import read_sigma_files  # PyYAML is not for everyone

        for path, result in read_sigma_files(texts, context):
            sigma[path].append(result)
    for path in paths:
        results: Iterable[ReadResult] = sigma.pop(path, ())
        if path.suffix not in SIGMA_SUFFIXES:
            results = read_rules(path, context)
        yield from ((path, result) for result in results)


def read_rules(path: Path, context: CompileContext) -> Iterator[ReadResult]:
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
    assert isinstance(rule, Rule)
    return rule


def _read_toml(path: Path, text: str, context: CompileContext) -> Iterator[Rule]:
    metadata, own = parse_tables(text)
    yield make_rule(metadata, own, TomlText(text, metadata.query_text), path, context)


_READERS: dict[str, RuleReader] = {
    ".toml": _read_toml,
    **dict.fromkeys(EXPORT_SUFFIXES, read_export),
}
SIGMA_SUFFIXES = (".yml", ".yaml")
RULE_SUFFIXES = (*_READERS, *SIGMA_SUFFIXES)
"""The ends of the names of rule files, as they are looked for in directories."""
