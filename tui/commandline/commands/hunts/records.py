"""``trailhound hunts new|list|show|export``: hunts as records."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from detector.delivery.hunt_export import (
    HUNT_EXPORT,
    LANGUAGE_NAMES,
    hunt_file_text,
    hunt_report,
)
from detector.filter.hunt_schema import HUNTS
from detector.investigation.hunts.hunt_files import texts_of_hunt_file
from detector.rules.rule_file import RuleError, file_position
from detector.store import HistoryEntry, Store
from detector.text.json_output import json_line
from detector.text.markdown import WHOLE
from detector.text.plural import plural
from detector.text.time import format_time
from detector.text.visible import visible
from detector.triage.hunt_record import HUNT_FIELDS, HuntRecord, HuntRun, hunt_object
from tui.commandline.inputs import decision_author, existing_state_path, parse_filter_option
from tui.commandline.narration import narrate
from tui.commandline.table import format_table
from tui.settings import config
from tui.settings.errors import EXIT_OK, CommandError, UsageError

_HEADINGS = ("ID", "STATE", "QUERIES", "FINDINGS", "CHANGED (UTC)", "BY", "NAME")


def run(args: argparse.Namespace) -> int:
    if args.action == "new":
        store = Store.open(config.state_path(args.db), author=decision_author(args))
    else:
        store = Store.look(existing_state_path(args.db))
    try:
        {"new": _begin, "list": _list, "show": _show, "export": _export}[args.action](store, args)
    finally:
        store.close()
    return EXIT_OK


def _begin(store: Store, args: argparse.Namespace) -> None:
    texts: dict[str, str] = {}
    queries: list[tuple[str, str]] = []
    if args.file:
        try:
            texts, queries = texts_of_hunt_file(Path(args.file).expanduser())
        except RuleError as error:
            raise CommandError(f"{file_position(args.file, error.line)}: {error.message}") from None
    given = {field: getattr(args, field, None) for field in HUNT_FIELDS}
    texts |= {field: text for field, text in given.items() if text}
    if not texts.get("name"):
        raise UsageError("name the hunt, or a hunt file with --file FILE")
    saved = [store.hunts.new_query(name, "esql", text) for name, text in queries]
    try:
        hunt = store.hunts.create(texts, saved)
    except ValueError as error:
        raise UsageError(str(error)) from None
    print(hunt.hunt_id)
    with_queries = ""
    if saved:
        with_queries = f" with {plural(len(saved), 'query')}"
    narrate(f"hunt begun{with_queries}; area 9 of the app shows it")


def _list(store: Store, args: argparse.Namespace) -> None:
    hunts = list(filter(parse_filter_option(args, HUNTS, time.time()), store.hunts.all()))
    if args.format == "table":
        cells = list(map(_cells, hunts))
        sys.stdout.write(format_table(_HEADINGS, cells, {"QUERIES", "FINDINGS"}))
    else:
        sys.stdout.write(HUNT_EXPORT.text(hunts, args.format))
    narrate(f"{plural(len(hunts), 'hunt')}, {sum(hunt.is_open for hunt in hunts):,} open")


def _cells(hunt: HuntRecord) -> tuple[str, ...]:
    return (
        hunt.hunt_id,
        hunt.state,
        f"{len(hunt.queries):,}",
        f"{len(hunt.findings):,}",
        format_time(hunt.changed),
        visible(hunt.changed_by, 20),
        visible(hunt.name, 80),
    )


def _show(store: Store, args: argparse.Namespace) -> None:
    hunt = store.hunts.get(args.hunt)
    if args.format == "jsonl":
        print(_line(hunt, store.history.entries(hunt.hunt_id)))
        return
    for line in _lines(hunt):
        print(visible(line, WHOLE))


def _line(hunt: HuntRecord, edits: list[HistoryEntry]) -> str:
    log = [
        {
            "at": format_time(each.time),
            "author": each.author,
            "kind": each.kind,
            "detail": each.detail,
        }
        for each in edits
    ]
    return json_line({**hunt_object(hunt), "log": log})


def _lines(hunt: HuntRecord) -> Iterator[str]:
    yield f"{hunt.hunt_id}  {hunt.state}  {hunt.name}"
    yield f"begun       {format_time(hunt.created)} {hunt.author}"
    yield f"changed     {format_time(hunt.changed)} {hunt.changed_by}"
    if "hypothesis" in hunt.texts:
        yield f"hypothesis  {' '.join(hunt.texts['hypothesis'].split())}"
    yield f"scope       {hunt.scope.phrase}"
    for query in hunt.queries:
        ran = _run_phrase(hunt.run_of(query.query_id))
        language = LANGUAGE_NAMES[query.language]
        yield f"query       {query.query_id}  {query.name} ({language}): {ran}"
    for each in hunt.findings:
        time_shown = "" if each.time is None else f"  {format_time(each.time)}"
        yield f"{each.kind:10}  {each.subject}{time_shown}  {each.title}: {each.summary}"
    if "conclusion" in hunt.texts:
        yield f"conclusion  {' '.join(hunt.texts['conclusion'].split())}"


def _run_phrase(run: HuntRun | None) -> str:
    if run is None:
        return "not run yet"
    return f"{run.phrase}, run {format_time(run.time)}"


def _export(store: Store, args: argparse.Namespace) -> None:
    hunt = store.hunts.get(args.hunt)
    edits = store.history.entries(hunt.hunt_id)
    if args.format == "jsonl":
        print(_line(hunt, edits))
    elif args.format == "toml":
        try:
            sys.stdout.write(hunt_file_text(hunt))
        except ValueError as error:
            raise CommandError(f"{hunt.hunt_id}: {error}") from None
    else:
        sys.stdout.write(hunt_report(hunt, edits))
