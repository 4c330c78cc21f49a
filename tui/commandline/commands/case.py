"""``trailhound case``: alerts with their evidence, as a folder or zip."""

from __future__ import annotations

import argparse
from pathlib import Path

from detector.ecs.fields import field_table
from detector.investigation.case import CaseError
from detector.investigation.case_writer import gather_case, write_case, write_joint_case
from detector.investigation.pivot import Progress
from detector.store import Store
from detector.text.plural import plural
from tui.commandline.inputs import chosen_alerts, existing_state_path, load_rules, use_names
from tui.commandline.narration import narrate, show_progress, warn
from tui.settings.errors import EXIT_OK, CommandError


def run(args: argparse.Namespace) -> int:
    use_names()
    path = existing_state_path(args.db)
    rules = load_rules(args)
    store = Store.open(path)
    try:
        alerts = chosen_alerts(store, args)
        if not alerts:
            raise CommandError(f"--filter {args.filter}: no alert, nothing was written")
        alerts.sort(key=lambda alert: (alert.first_event, alert.alert_id))
        cases = [
            gather_case(store, alert, rules, field_table(), progress=_show_bytes_read)
            for alert in alerts
        ]
        if len(cases) == 1:
            output = Path(args.output or f"case-{alerts[0].alert_id}")
            write_case(cases[0], output)
        else:
            output = Path(args.output or f"case-{len(cases)}-alerts")
            write_joint_case(cases, output)
    except CaseError as error:
        raise CommandError(str(error)) from None
    finally:
        store.close()
    print(output)
    reasons = {
        reason
        for case in cases
        for reason in (*case.unread, *(reason for _, reason in case.missing))
    }
    for reason in sorted(reasons):
        warn(f"not in it: {reason}")
    records = {row.event.identity for case in cases for row in case.rows}
    of_alerts = "" if len(cases) == 1 else f" of {plural(len(cases), 'alert')}"
    narrate(f"{plural(len(records), 'record')}{of_alerts}: begin with report.md")
    return EXIT_OK


def _show_bytes_read(progress: Progress) -> None:
    show_progress(f"read {progress.bytes_done / 1e6:,.1f} of {progress.bytes / 1e6:,.1f} MB")
