"""``trailhound log export``: the hunt log for other people."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from detector.filter.schemas import NOTES
from detector.store import Store
from detector.text import private_files
from detector.triage.export import export_notes
from tui.commandline.inputs import parse_filter_option
from tui.commandline.narration import count_of, narrate
from tui.settings import config
from tui.settings.errors import EXIT_OK, CommandError


def run(args: argparse.Namespace) -> int:
    note_filter = parse_filter_option(args, NOTES, time.time())
    path = config.state_path(args.db)
    store = Store.look(path) if path.exists() else Store.open(None)
    try:
        notes = store.triage.notes() if args.alert is None else store.triage.notes_of(args.alert)
    finally:
        store.close()
    notes = list(filter(note_filter, notes))
    text = export_notes(notes, args.format)
    if args.output is None:
        sys.stdout.write(text)
        return EXIT_OK
    try:
        private_files.write_export(Path(args.output), text)
    except OSError as error:
        raise CommandError(f"{args.output}: {error.strerror}: name another file with -o") from None
    narrate(f"{count_of(len(notes), 'note')} in {args.output}")
    return EXIT_OK
