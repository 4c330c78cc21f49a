"""``trailhound log export``: the hunt log for other people."""

from __future__ import annotations

import argparse
import os
import sys
import time

from detector.filter.schemas import NOTES
from detector.store import Store
from detector.triage.export import export_notes
from tui.commandline.commands.common import narrate, parse_filter_option
from tui.settings import config
from tui.settings.errors import EXIT_OK, CommandError


def run(args: argparse.Namespace) -> int:
    wanted = parse_filter_option(args, NOTES, time.time())
    store = Store.open(config.state_path(args.db))
    try:
        notes = store.triage.notes() if args.alert is None else store.triage.notes_of(args.alert)
    finally:
        store.close()
    notes = list(filter(wanted, notes))
    text = export_notes(notes, args.format)
    if args.output is None:
        sys.stdout.write(text)
        return EXIT_OK
    try:
        with open(
            os.open(args.output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600),
            "w",
            encoding="utf-8",
            newline="",
        ) as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text)
    except OSError as error:
        raise CommandError(f"{args.output}: {error.strerror}: name another file with -o") from None
    narrate(f"{len(notes)} {'note' if len(notes) == 1 else 'notes'} in {args.output}")
    return EXIT_OK
