"""``trailhound case``: an alert with its evidence, as a folder or zip."""

from __future__ import annotations

import argparse
from pathlib import Path

from detector.ecs.fields import field_table
from detector.investigation.case import CaseError
from detector.investigation.case_writer import gather_case, write_case
from detector.investigation.pivot import Progress
from detector.store import Store
from tui.commandline.inputs import existing_state_path, load_rules, use_names
from tui.commandline.narration import narrate, show_progress, warn
from tui.settings.errors import EXIT_OK, CommandError


def run(args: argparse.Namespace) -> int:
    use_names()
    path = existing_state_path(args.db)
    rules = load_rules(args)
    store = Store.open(path)
    try:
        alert = store.alerts.get(args.alert)
        if alert is None:
            raise CommandError(
                f"{args.alert}: no such alert in the database: "
                f"trailhound scan --db {path} --format jsonl names them"
            )
        output = Path(args.output or f"case-{alert.alert_id}")
        case = gather_case(store, alert, rules, field_table(), progress=_show_bytes_read)
        write_case(case, output)
    except CaseError as error:
        raise CommandError(str(error)) from None
    finally:
        store.close()
    print(output)
    for reason in (*case.unread, *(reason for _, reason in case.missing)):
        warn(f"not in it: {reason}")
    narrate(f"{len(case.rows):,} records, report.md first")
    return EXIT_OK


def _show_bytes_read(progress: Progress) -> None:
    show_progress(f"read {progress.bytes_done / 1e6:,.1f} of {progress.bytes / 1e6:,.1f} MB")
