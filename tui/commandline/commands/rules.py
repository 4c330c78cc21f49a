"""``trailhound rules``: what is loaded, and whether rule files can be used."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from detector.ecs.fields import FieldTable, field_table
from detector.investigation.hunt import compile_hunt_query, read_hunt
from detector.rules.lint import lint_rule
from detector.rules.rule import Rule, query_position, read_rule
from detector.rules.rule_file import RuleError, is_hunt
from detector.rules.ruleset import rule_files
from detector.text.visible import visible
from tui.commandline.inputs import load_rules
from tui.commandline.narration import caret_excerpt, narrate
from tui.settings.errors import EXIT_FAILED, EXIT_OK


def run(args: argparse.Namespace) -> int:
    if args.files is not None:
        return _check([Path(name).expanduser() for name in args.files])
    for rule in load_rules(args):
        flag = f"flag {rule.flag}: " if rule.flag else ""
        print(f"{rule.rule_id}  {rule.severity:8}  {visible(rule.name)}")
        print(f"    {flag}{visible(rule.meaning)}")
    return EXIT_OK


def _check(paths: Sequence[Path]) -> int:
    """Print what each file looks for, or what is wrong and where."""
    fields = field_table()
    path_by_id: dict[str, Path] = {}
    status = EXIT_OK
    for path in rule_files(paths):
        try:
            if is_hunt(path):
                lines = list(_hunt_lines(path, fields))
            else:
                lines = list(_rule_lines(path, fields, path_by_id))
        except RuleError as error:
            status = EXIT_FAILED
            narrate(f"{path}:{error.line}:{error.column}: {error.message}")
            excerpt = caret_excerpt(_read_text(path), error.line, error.column)
            if excerpt:
                print(excerpt, file=sys.stderr)
            continue
        print(*lines, sep="\n")
    return status


def _rule_lines(path: Path, fields: FieldTable, path_by_id: dict[str, Path]) -> Iterator[str]:
    rule = read_rule(path, fields)
    first_path = path_by_id.setdefault(rule.rule_id, path)
    if first_path != path:
        raise RuleError(f"the same rule_id as {first_path}")
    yield f"{path}: {visible(rule.name)}: {visible(rule.meaning)}"
    yield from _lint_lines(path, rule, fields)


def _lint_lines(path: Path, rule: Rule, fields: FieldTable) -> Iterator[str]:
    line, column = query_position(_read_text(path), rule.query_text)
    for note in lint_rule(rule, fields, rule.nulls == "strict"):
        # a query's first line starts in the middle of a line of the file
        indent = column if note.line == 1 else 0
        yield (
            f"{path}:{line + note.line - 1}:{note.column + indent}: note: {visible(note.sentence)}"
        )


def _hunt_lines(path: Path, fields: FieldTable) -> Iterator[str]:
    hunt, text = read_hunt(path)
    for query in hunt.queries:
        compile_hunt_query(query, fields, 0, text)
    count = "one query" if len(hunt.queries) == 1 else f"{len(hunt.queries)} queries"
    yield f"{path}: {visible(hunt.name)}: a hunt of {count}"


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError:
        return ""
