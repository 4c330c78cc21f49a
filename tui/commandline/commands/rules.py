"""``trailhound rules``: what is loaded, and whether rule files can be used."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from detector.ecs.fields import FieldTable, field_table
from detector.investigation.hunt import compiled, read_hunt
from detector.rules.lint import lint_rule
from detector.rules.rule import Rule, query_position, read_rule
from detector.rules.rule_file import RuleError, is_hunt
from detector.rules.ruleset import rule_files
from detector.text.visible import visible
from tui.commandline.commands.common import load_rules, narrate
from tui.settings.errors import EXIT_FAILED, EXIT_OK


def run(args: argparse.Namespace) -> int:
    if args.files is None:
        for rule in load_rules(args):
            flag = f"flag {rule.flag}: " if rule.flag else ""
            print(
                f"{rule.rule_id}  {rule.severity:8}  {visible(rule.name)}\n    {flag}{visible(rule.meaning)}"
            )
        return EXIT_OK
    return _check([Path(name).expanduser() for name in args.files])


def _check(paths: Sequence[Path]) -> int:
    """Say of each file what it looks for and what there is to know, or what is wrong and where."""
    table = field_table()
    by_id: dict[str, Path] = {}
    status = EXIT_OK
    for path in rule_files(paths):
        try:
            lines = list(_hunt(path, table) if is_hunt(path) else _rule(path, table, by_id))
        except RuleError as error:
            status = EXIT_FAILED
            narrate(f"{path}:{error.line}:{error.column}: {error.message}")
            if excerpt := pointed(_text(path), error.line, error.column):
                print(excerpt, file=sys.stderr)
            continue
        print(*lines, sep="\n")
    return status


def _rule(path: Path, table: FieldTable, by_id: dict[str, Path]) -> Iterator[str]:
    rule = read_rule(path, table)
    if (other := by_id.setdefault(rule.rule_id, path)) != path:
        raise RuleError(f"the same rule_id as {other}")
    yield f"{path}: {visible(rule.name)}: {visible(rule.meaning)}"
    yield from _notes(path, rule, table)


def _notes(path: Path, rule: Rule, table: FieldTable) -> Iterator[str]:
    line, column = query_position(_text(path), rule.query_text)
    for note in lint_rule(rule, table, rule.nulls == "strict"):
        at = note.column + (column if note.line == 1 else 0)
        yield f"{path}:{line + note.line - 1}:{at}: note: {visible(note.sentence)}"


def _hunt(path: Path, table: FieldTable) -> Iterator[str]:
    hunt, text = read_hunt(path)
    for query in hunt.queries:
        compiled(query, table, 0, text)
    number = "one query" if len(hunt.queries) == 1 else f"{len(hunt.queries)} queries"
    yield f"{path}: {visible(hunt.name)}: a hunt of {number}"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return ""


def pointed(text: str, line: int, column: int) -> str:
    """The line of a text with a caret under the column (both from 1); empty where the text has no
    such line."""
    lines = text.split("\n")
    if not 1 <= line <= len(lines):
        return ""
    before, after = lines[line - 1][: column - 1], lines[line - 1][column - 1 :]
    shown = visible(before.replace("\t", " "), 1000)
    margin = " " * len(str(line))
    return f"  {line} | {shown}{visible(after.replace(chr(9), ' '), 1000)}\n  {margin} | {' ' * len(shown)}^"
