"""``trailhound rules``: list the loaded rules, and check whether rule files can be used."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from detector.delivery.navigator import navigator_layer
from detector.esql.lookup.files import Lookups
from detector.investigation.hunt import compile_hunt_query, read_hunt
from detector.rules.kibana.export import EXPORT_SUFFIXES
from detector.rules.reading import SIGMA_SUFFIXES, read_rule_files
from detector.rules.rule import CompileContext, Rule
from detector.rules.rule_cache import ReadResult
from detector.rules.rule_file import (
    RuleError,
    RuleNotice,
    file_position,
    is_hunt,
    read_file_text,
)
from detector.rules.ruleset import rule_files, unread_files
from detector.store import RuleCount, Store
from detector.text.excerpt import caret_excerpt
from detector.text.json_output import escape_json, json_lines
from detector.text.visible import visible
from detector.workbench.performance import RulePerformance, rule_performance
from tui.commandline.inputs import (
    existing_state_path,
    load_rules,
    narrate_unread_files,
    open_fields,
)
from tui.commandline.narration import warn
from tui.commandline.rule_counts import RuleCounts
from tui.settings import config
from tui.settings.errors import EXIT_FAILED, EXIT_OK, CommandError


def run(args: argparse.Namespace) -> int:
    if args.files is not None:
        paths = [Path(name).expanduser() for name in args.files]
        if args.summary:
            return _summarize(paths)
        return _check(paths)
    rules = load_rules(args)
    if args.format == "navigator":
        fired = {rule_id: count.alerts for rule_id, count in _counts(args).items()}
        layer = navigator_layer(rules, fired)
        print(escape_json(orjson.dumps(layer, option=orjson.OPT_INDENT_2).decode()))
        return EXIT_OK
    if args.format == "jsonl":
        counts, works = _counts(args), _performances(args)
        sys.stdout.write(json_lines(_rule_object(rule, counts, works) for rule in rules))
        return EXIT_OK
    for rule in rules:
        flag = f"flag {rule.flag}: " if rule.flag else ""
        print(f"{rule.rule_id}  {rule.severity:8}  {visible(rule.name)}")
        print(f"    {flag}{visible(rule.meaning)}")
    for _, notice in rules.notices:
        if notice.title:
            print(f"{visible(notice.title)}\n    {visible(notice.sentence)}")
    return EXIT_OK


def _counts(args: argparse.Namespace) -> dict[str, RuleCount]:
    """Return the counts of each rule in the state; empty if there is no state."""
    path = config.state_path(args.db)
    if not args.db and not path.exists():
        return {}
    store = Store.look(existing_state_path(args.db))
    try:
        return store.rules.counts()
    finally:
        store.close()


def _performances(args: argparse.Namespace) -> dict[str, RulePerformance]:
    """Return each rule's performance according to the state; empty if there is no state."""
    path = config.state_path(args.db)
    if not args.db and not path.exists():
        return {}
    store = Store.look(existing_state_path(args.db))
    try:
        return rule_performance(store.alerts.all(), store.triage.notes())
    finally:
        store.close()


def _rule_object(
    rule: Rule, counts: Mapping[str, RuleCount], works: Mapping[str, RulePerformance]
) -> dict[str, Any]:
    found = counts.get(rule.rule_id, RuleCount())
    work = works.get(rule.rule_id)
    return {
        "rule_id": rule.rule_id,
        "name": rule.name,
        "type": rule.type,
        "severity": rule.severity,
        "risk_score": rule.risk_score,
        "building_block": rule.building_block,
        "gives_alerts": rule.alerts,
        "flag": rule.flag,
        "window": rule.window,
        "meaning": rule.meaning,
        "techniques": sorted({each.id for each in rule.attack}),
        "tactics": sorted({each.tactic for each in rule.attack}),
        "path": os.fsencode(rule.path).decode(errors="backslashreplace"),
        "hits": found.hits,
        "alerts": found.alerts,
        "performance": work.as_json() if work else None,
    }


def _check(paths: Sequence[Path]) -> int:
    """Print what each file looks for, or its error and where it is; return the exit status."""
    status = EXIT_OK
    for path, lines in _check_paths(paths):
        if isinstance(lines, RuleError):
            status = EXIT_FAILED
            _narrate_error(path, lines)
        else:
            print(*lines, sep="\n")
    return status


def _summarize(paths: Sequence[Path]) -> int:
    """Print how many rules run, and how many are refused, by reason."""
    counts = RuleCounts()
    for _, lines in _check_paths(paths):
        if isinstance(lines, RuleError):
            counts.add_refused(lines.message)
        else:
            counts.add_read(lines)
    print(*counts.lines(), sep="\n")
    return EXIT_OK


def _check_paths(paths: Sequence[Path]) -> Iterator[tuple[Path, list[str] | RuleError]]:
    """Yield the report lines, or the error, for each rule or hunt in files and folders.

    Files that are skipped in folders are narrated. Raises CommandError for a folder without
    any rule file."""
    placeholders = config.load_config().placeholders
    context = CompileContext(
        open_fields(None, None),
        placeholders=placeholders,
        lookups=Lookups(config.lookup_sources()),
    )
    narrate_unread_files(unread_files(paths))
    for path in paths:
        if path.is_dir() and not any(True for _ in rule_files([path])):
            raise CommandError(f"{path}: no rule files in it: name a file or folder that has some")
    yield from _check_files(list(rule_files(paths)), context, {})


def _check_files(
    paths: Sequence[Path], context: CompileContext, path_by_id: dict[str, Path]
) -> Iterator[tuple[Path, list[str] | RuleError]]:
    """Yield the report lines, or the error, for each rule or hunt."""
    for path, result in read_rule_files(paths, context):
        may_be_hunt = path.suffix not in (*SIGMA_SUFFIXES, *EXPORT_SUFFIXES)
        if isinstance(result, RuleError) and may_be_hunt and is_hunt(path):
            yield path, _checked_hunt(path, context)
        else:
            yield path, _checked_result(path, result, path_by_id)


def _checked_hunt(path: Path, context: CompileContext) -> list[str] | RuleError:
    try:
        return list(_hunt_lines(path, context))
    except RuleError as error:
        return error


def _checked_result(
    path: Path, result: ReadResult, path_by_id: dict[str, Path]
) -> list[str] | RuleError:
    match result:
        case RuleError():
            return result
        case RuleNotice(title, sentence):
            return [f"{path}: {visible(title)}: {visible(sentence)}"]
    first_path = path_by_id.setdefault(result.rule_id, path)
    if first_path != path:
        return RuleError(f"the same rule_id as {first_path}")
    return _rule_lines(path, result)


def _narrate_error(path: Path, error: RuleError) -> None:
    warn(f"{file_position(path, error.line, error.column)}: {error.message}")
    if error.line:
        print(caret_excerpt(_read_text(path), error.line, error.column), file=sys.stderr)


def _rule_lines(path: Path, rule: Rule) -> list[str]:
    meaning = f"{path}: {visible(rule.name)}: {visible(rule.meaning)}"
    notes = [
        f"{path}:{advice.line}:{advice.column}: note: {visible(advice.sentence)}"
        for advice in rule.advice
    ]
    return [meaning, *notes]


def _hunt_lines(path: Path, context: CompileContext) -> Iterator[str]:
    hunt, text = read_hunt(path)
    for query in hunt.queries:
        compile_hunt_query(query, context.fields, 0, text, context.lookups)
    count = "one query" if len(hunt.queries) == 1 else f"{len(hunt.queries)} queries"
    yield f"{path}: {visible(hunt.name)}: a hunt of {count}"


def _read_text(path: Path) -> str:
    try:
        return read_file_text(path)
    except RuleError:  # the file has changed since
        return ""
