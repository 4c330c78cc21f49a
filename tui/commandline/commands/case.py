"""``trailhound case``: all that is known of an alert, with the evidence, as a folder or a zip."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from detector.ecs.fields import field_table
from detector.investigation.case import CaseError
from detector.investigation.case_writer import gather, write
from detector.investigation.pivot import Progress
from detector.store import Store
from tui.commandline.commands.common import load_rules, narrate
from tui.settings import config
from tui.settings.errors import EXIT_OK, CommandError


def run(args: argparse.Namespace) -> int:
    path = config.state_path(args.db)
    if not Path(path).exists():
        raise CommandError(f"{path}: there is no state yet: name one with --db FILE")
    rules = load_rules(args)
    store = Store.open(path)
    try:
        alert = store.alerts.get(args.alert)
        if alert is None:
            raise CommandError(
                f"{args.alert}: no such alert here: trailhound scan --db {path} --format jsonl names them"
            )
        out = Path(args.output) if args.output else Path(f"case-{alert.alert_id}")
        case = gather(store, alert, rules, field_table(), progress=_show_progress)
        write(case, out)
    except CaseError as error:
        raise CommandError(str(error)) from None
    finally:
        store.close()
    print(out)
    for why in (*case.unread, *(why for _, why in case.missing)):
        narrate(f"not in it: {why}")
    narrate(f"{len(case.rows):,} records, report.md first")
    return EXIT_OK


def _show_progress(progress: Progress) -> None:
    if sys.stderr.isatty():
        print(
            f"\r\x1b[Kread {progress.bytes_done / 1e6:,.1f} of {progress.bytes / 1e6:,.1f} MB",
            end="\r",
            file=sys.stderr,
        )
