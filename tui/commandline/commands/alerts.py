"""``trailhound alerts``: print the alerts in the state, without reading logs."""

from __future__ import annotations

import argparse
import time

from detector.filter.schemas import ALERTS
from detector.store import Store
from tui.commandline.alert_output import print_alerts
from tui.commandline.inputs import existing_state_path, parse_filter_option, use_names
from tui.commandline.narration import narrate
from tui.settings.errors import EXIT_OK


def run(args: argparse.Namespace) -> int:
    use_names()
    path = existing_state_path(args.db)
    parse_filter_option(args, ALERTS, time.time())  # refuse a bad filter before anything is read
    store = Store.look(path)
    try:
        stored = store.alerts.all()
        now = store.files.newest_event_time() or time.time()
    finally:
        store.close()
    alerts = list(filter(parse_filter_option(args, ALERTS, now), reversed(stored)))
    print_alerts(alerts, args)
    narrate(f"{len(alerts):,} of {len(stored):,} alerts in the database")
    return EXIT_OK
