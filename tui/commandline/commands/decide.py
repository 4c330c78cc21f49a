"""``trailhound ack``, ``close``, ``reopen`` and ``note``: decisions from scripts."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

from detector.detection.alert import Alert, Status
from detector.filter.schemas import ALERTS
from detector.store import Store
from detector.text.plural import plural
from detector.triage.note import NoteBody
from tui.commandline.inputs import decision_author, existing_state_path, parse_filter_option
from tui.commandline.narration import narrate
from tui.settings.errors import EXIT_FAILED, EXIT_OK, CommandError, UsageError


def run(args: argparse.Namespace) -> int:
    if bool(args.alerts) == bool(args.filter):
        raise UsageError("name alerts by their ids, or by --filter, and not by both")
    store = Store.open(existing_state_path(args.db), author=decision_author(args))
    try:
        alerts = _chosen(store, args)
        if args.status is None:
            return _note(store, alerts, args)
        return _set_status(store, alerts, args.status)
    finally:
        store.close()


def _chosen(store: Store, args: argparse.Namespace) -> list[Alert]:
    if not args.alerts:
        now = store.files.newest_event_time() or time.time()
        return list(filter(parse_filter_option(args, ALERTS, now), store.alerts.all()))
    alerts = []
    for alert_id in dict.fromkeys(args.alerts):
        alert = store.alerts.get(alert_id)
        if alert is None:
            raise CommandError(
                f"{alert_id}: no such alert, nothing was done: trailhound alerts lists them"
            )
        alerts.append(alert)
    return alerts


def _set_status(store: Store, alerts: Sequence[Alert], status: Status) -> int:
    """Set the status of what is not changed meanwhile; print the ids of what changed."""
    shown = {alert.alert_id: alert.status for alert in alerts}
    pending = [alert_id for alert_id, before in shown.items() if before != status]
    decided = store.triage.set_status(pending, status, shown)
    overtaken = [alert for alert in decided if alert.status != status]
    for alert in decided:
        if alert.status == status:
            print(alert.alert_id)
    narrate(
        f"{status}: {plural(len(decided) - len(overtaken), 'alert')}; "
        f"{len(alerts) - len(pending):,} were so before"
    )
    for alert in overtaken:
        narrate(f"changed meanwhile, and left so: {alert.alert_id} is {alert.status}")
    return EXIT_FAILED if overtaken else EXIT_OK


def _note(store: Store, alerts: Sequence[Alert], args: argparse.Namespace) -> int:
    body = NoteBody(args.text, args.verdict, args.ticket, args.owner)
    notes = store.triage.add_notes(alerts, body)
    for note in notes:
        print(note.alert_id)
    narrate(f"noted on {plural(len(notes), 'alert')}")
    return EXIT_OK
