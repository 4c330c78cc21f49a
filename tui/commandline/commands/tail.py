"""``trailhound tail``: read and watch; print each revision of an alert."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time

from detector.delivery.alert_export import export_alerts
from detector.detection.alert import Alert
from detector.filter.schemas import ALERTS
from detector.ingest.pipeline import Pipeline, Update
from detector.ingest.takeover import await_ingest
from detector.store import Store
from tui.commandline.inputs import (
    inventory_files,
    load_risk,
    load_rules,
    open_named_sources,
    parse_filter_option,
    retention_seconds,
    use_names,
)
from tui.commandline.narration import accounting_sums, completeness_lines, cost_lines, narrate, warn
from tui.settings import config
from tui.settings.errors import EXIT_OK


def run(args: argparse.Namespace) -> int:
    parse_filter_option(args, ALERTS, time.time())  # refuse a bad filter before anything is read
    names = inventory_files()
    use_names(names)
    rules = load_rules(args)
    source = open_named_sources(args.sources, live=True, allow_buckets=args.allow_bucket)
    store = Store.open(config.state_path(args.db))
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    printed: dict[str, object] = {}

    def publish(update: Update) -> None:
        for problem in update.problems:
            warn(problem)
        use_names(names)
        for alert_id in update.withdrawn:
            narrate(f"retracted: alert {alert_id}")
        alert_filter = parse_filter_option(args, ALERTS, update.newest or time.time())
        changed = [
            alert
            for alert in update.alerts
            if alert_filter(alert) and printed.get(alert.alert_id) != _printed_state(alert)
        ]
        printed.update({alert.alert_id: _printed_state(alert) for alert in changed})
        sys.stdout.write(export_alerts(changed, "jsonl"))
        sys.stdout.flush()

    try:
        if not await_ingest(store, stop, _narrate_wait):
            return EXIT_OK
        pipeline = Pipeline(store, rules, source, risk=load_risk(), retention=retention_seconds())
        pipeline.run(stop, publish)
        for line in (
            *completeness_lines(store, False),
            *accounting_sums(store.files.accounting()),
            *cost_lines(),
        ):
            narrate(line)
    finally:
        source.close()
        store.close()
    return EXIT_OK


def _narrate_wait(holder: str) -> None:
    narrate(f"waiting: {holder} ingests into this database; this process takes over when it ends")


def _printed_state(alert: Alert) -> tuple[object, ...]:
    """Return what must change before an alert is printed again.

    Flags and risk are found only after everything is read, and then raise no revision.
    """
    return alert.revision, alert.flags, alert.risk
