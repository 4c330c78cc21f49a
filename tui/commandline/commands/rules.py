"""``trailhound rules``: what is loaded, and whether rule files can be used."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from detector.ecs.fields import FieldTable, field_table
from detector.investigation.hunt import compile_hunt_query, read_hunt
from detector.rules.lint import lint_rule
from detector.rules.reading import read_rules
from detector.rules.rule import CompileContext, Rule, query_position
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
    context = CompileContext(field_table())
    path_by_id: dict[str, Path] = {}
    status = EXIT_OK
    for path in rule_files(paths):
        for lines in _check_file(path, context, path_by_id):
            if isinstance(lines, RuleError):
                status = EXIT_FAILED
                _narrate_error(path, lines)
            else:
                print(*lines, sep="\n")
    return status


def _check_file(
    path: Path, context: CompileContext, path_by_id: dict[str, Path]
) -> Iterator[list[str] | RuleError]:
    """Yield the lines on each rule of a file, or its error."""
    if is_hunt(path):
        try:
            yield list(_hunt_lines(path, context.fields))
        except RuleError as error:
            yield error
        return
    for rule in read_rules(path, context):
        if isinstance(rule, RuleError):
            yield rule
            continue
        first_path = path_by_id.setdefault(rule.rule_id, path)
        if first_path != path:
            yield RuleError(f"the same rule_id as {first_path}")
        else:
            yield _rule_lines(path, rule, context.fields)


def _narrate_error(path: Path, error: RuleError) -> None:
    narrate(f"{path}:{error.line}:{error.column}: {error.message}")
    excerpt = caret_excerpt(_read_text(path), error.line, error.column)
    if excerpt:
        print(excerpt, file=sys.stderr)


def _rule_lines(path: Path, rule: Rule, fields: FieldTable) -> list[str]:
    meaning = f"{path}: {visible(rule.name)}: {visible(rule.meaning)}"
    return [meaning, *_lint_lines(path, rule, fields)]


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
