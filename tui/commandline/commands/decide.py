"""``trailhound ack``, ``close``, ``reopen``, ``assign`` and ``note``: decisions from scripts."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from detector.detection.alert import Alert, Status
from detector.store import Store
from detector.text.plural import plural
from detector.triage.note import NoteBody
from tui.commandline.inputs import (
    chosen_alerts,
    decision_author,
    existing_state_path,
    require_ids_or_filter,
    use_names,
)
from tui.commandline.narration import narrate, warn
from tui.settings.errors import EXIT_FAILED, EXIT_OK, UsageError


def run(args: argparse.Namespace) -> int:
    use_names()
    require_ids_or_filter(args)
    store = Store.open(existing_state_path(args.db), author=decision_author(args))
    try:
        alerts = chosen_alerts(store, args)
        if args.to is not None:
            return _assign(store, alerts, args.to.strip())
        if args.status is None:
            return _note(store, alerts, args)
        return _set_status(store, alerts, args.status)
    finally:
        store.close()


def _set_status(store: Store, alerts: Sequence[Alert], status: Status) -> int:
    shown = {alert.alert_id: alert.status for alert in alerts}
    pending = [alert_id for alert_id, before in shown.items() if before != status]
    decided = store.triage.set_status(pending, status, shown)
    values = {alert.alert_id: alert.status for alert in decided}
    return _report(values, status, status, len(alerts) - len(pending))


def _assign(store: Store, alerts: Sequence[Alert], name: str) -> int:
    shown = {alert.alert_id: alert.assignee for alert in alerts}
    pending = [alert_id for alert_id, before in shown.items() if before != name]
    try:
        decided = store.triage.assign(pending, name, shown)
    except ValueError as error:
        raise UsageError(f"--to {error}") from None
    values = {alert.alert_id: alert.assignee for alert in decided}
    verb = f"assigned to {name}" if name else "unassigned"
    return _report(values, name, verb, len(alerts) - len(pending))


def _report(values: Mapping[str, str], wanted: str, verb: str, unchanged: int) -> int:
    """Print the ids of alerts that now have the wanted value; warn of those others changed."""
    overtaken = {alert_id: value for alert_id, value in values.items() if value != wanted}
    for alert_id in values:
        if alert_id not in overtaken:
            print(alert_id)
    narrate(f"{verb}: {plural(len(values) - len(overtaken), 'alert')}; {unchanged:,} already were")
    for alert_id, value in overtaken.items():
        warn(f"changed meanwhile and left as is: {alert_id} is {value or 'nobody'}")
    return EXIT_FAILED if overtaken else EXIT_OK


def _note(store: Store, alerts: Sequence[Alert], args: argparse.Namespace) -> int:
    body = NoteBody(args.text, args.verdict, args.ticket, args.owner)
    notes = store.triage.add_notes(alerts, body)
    for note in notes:
        print(note.alert_id)
    narrate(f"note added to {plural(len(notes), 'alert')}")
    return EXIT_OK
