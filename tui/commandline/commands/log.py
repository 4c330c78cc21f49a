"""``trailhound log export`` and ``import``: exchange the hunt log with other people."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from detector.filter.schemas import NOTES
from detector.store import Store
from detector.text import private_files
from detector.text.plural import plural
from detector.triage.export import export_notes
from detector.triage.shared_decisions import decision_lines, read_decision
from tui.commandline.inputs import parse_filter_option
from tui.commandline.narration import narrate, warn
from tui.settings import config
from tui.settings.errors import EXIT_OK, CommandError


def run(args: argparse.Namespace) -> int:
    if args.imported is not None:
        return _import(args)
    return _export(args)


def _import(args: argparse.Namespace) -> int:
    decisions = []
    try:
        with open(args.imported, "rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    decisions.append(read_decision(line))
                except ValueError as error:
                    raise CommandError(
                        f"{args.imported}:{number}: {error}: nothing was imported: "
                        "name a file of trailhound log export --format jsonl"
                    ) from None
    except OSError as error:
        raise CommandError(f"{args.imported}: {error.strerror}: check the name") from None
    store = Store.open(config.state_path(args.db))
    try:
        joined = store.exchange.join(decisions)
    finally:
        store.close()
    for conflict in joined.conflicts:
        warn(conflict)
    narrate(f"{joined.new:,} of {plural(len(decisions), 'decision')} new here")
    return EXIT_OK


def _export(args: argparse.Namespace) -> int:
    note_filter = parse_filter_option(args, NOTES, time.time())
    path = config.state_path(args.db)
    store = Store.look(path) if path.exists() else Store.open(None)
    try:
        notes = store.triage.notes() if args.alert is None else store.triage.notes_of(args.alert)
        decisions = store.exchange.decisions()
    finally:
        store.close()
    notes = list(filter(note_filter, notes))
    if args.format == "jsonl":
        if args.alert is not None or note_filter:
            decisions = [*notes]
        text = decision_lines(decisions)
        counted = plural(len(decisions), "decision")
    else:
        text = export_notes(notes, args.format)
        counted = plural(len(notes), "note")
    if args.output is None:
        sys.stdout.write(text)
        return EXIT_OK
    try:
        private_files.write_export(Path(args.output).expanduser(), text)
    except OSError as error:
        raise CommandError(f"{args.output}: {error.strerror}: name another file with -o") from None
    narrate(f"{counted} in {args.output}")
    return EXIT_OK
