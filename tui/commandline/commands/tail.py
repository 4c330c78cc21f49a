"""``trailhound tail``: read and watch; print each revision of an alert, and send it elsewhere."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from detector.delivery.alert_export import export_alerts
from detector.delivery.service_manager import Heartbeat, ServiceManager
from detector.delivery.watch_export import seen_again
from detector.detection.alert import Alert
from detector.filter import FilterError, parse_filter
from detector.filter.schemas import ALERTS
from detector.ingest.pipeline import Pipeline, Update
from detector.ingest.takeover import await_ingest
from detector.store import Store
from detector.text.time import format_time
from tui.commandline.inputs import (
    inventory_files,
    load_risk,
    load_rules,
    open_named_sources,
    parse_filter_option,
    parse_time_option,
    retention_seconds,
    use_names,
)
from tui.commandline.narration import accounting_sums, completeness_lines, cost_lines, narrate, warn
from tui.commandline.sinks import Offers, open_sinks
from tui.commandline.termination import stop_on_signals
from tui.settings import config
from tui.settings.errors import EXIT_OK, CommandError, UsageError


def run(args: argparse.Namespace) -> int:
    parse_filter_option(args, ALERTS, time.time())  # refuse a bad filter before anything is read
    _notify_filter(args, time.time())
    since = parse_time_option(args.since, "--since")
    rules = load_rules(args)
    path = config.state_path(args.db)
    stop = threading.Event()
    manager = ServiceManager()
    with ExitStack() as resources:
        source = open_named_sources(args.sources, live=True, allow_buckets=args.allow_bucket)
        resources.callback(source.close)
        store = Store.open(path)
        resources.callback(store.close)
        stop_on_signals(stop, signal.SIGTERM, signal.SIGINT)
        if not await_ingest(store, stop, _narrate_wait):
            return EXIT_OK
        offers = open_sinks(args, path, resources)
        pipeline = Pipeline(
            store,
            rules,
            source,
            risk=load_risk(),
            retention=retention_seconds(),
            swept=_heartbeat(args, manager, store),
        )
        pipeline.run(stop, _Publisher(args, since, offers))
        manager.send("STOPPING=1")
        for line in (
            *completeness_lines(store, False),
            *accounting_sums(store.files.accounting()),
            *cost_lines(),
        ):
            narrate(line)
    return EXIT_OK


class _Publisher:
    """Prints new alerts and sightings, and offers them to the sinks."""

    def __init__(
        self,
        args: argparse.Namespace,
        since: int | None,
        offers: Offers,
    ) -> None:
        self._args, self._since, self._offers = args, since, offers
        self._names = inventory_files()
        self._printed: dict[str, object] = {}
        use_names(self._names)

    def __call__(self, update: Update) -> None:
        for problem in update.problems:
            warn(problem)
        for row in update.watches:
            warn(f"seen: {seen_again(row)}")
        use_names(self._names)
        for alert_id in update.withdrawn:
            narrate(f"retracted: alert {alert_id}")
        now = update.newest or time.time()
        alert_filter = parse_filter_option(self._args, ALERTS, now)
        changed = [
            alert
            for alert in update.alerts
            if (self._since is None or alert.last_event >= self._since)
            and alert_filter(alert)
            and self._printed.get(alert.alert_id) != _printed_state(alert)
        ]
        self._printed.update({alert.alert_id: _printed_state(alert) for alert in changed})
        sys.stdout.write(export_alerts(changed, "jsonl"))
        sys.stdout.flush()
        try:
            self._offers.alerts(filter(_notify_filter(self._args, now), changed))
            self._offers.watches(update.watches)
        except OSError as error:
            raise CommandError(
                f"notices cannot be kept: {error.strerror}: let the folder be written"
            ) from None


def _notify_filter(args: argparse.Namespace, now: float) -> Callable[[Alert], bool]:
    try:
        return parse_filter(args.notify, ALERTS, now)
    except FilterError as error:
        raise UsageError(f"--notify {args.notify}: {error}") from None


def _heartbeat(
    args: argparse.Namespace, manager: ServiceManager, store: Store
) -> Callable[[], None]:
    """Return a function that reports that the sources have been swept."""

    def status() -> dict[str, Any]:
        newest = store.files.newest_event_time()
        return {
            "files_read": store.files.accounting().files_read,
            "newest_event": None if newest is None else format_time(newest),
        }

    file = Path(args.heartbeat).expanduser().absolute() if args.heartbeat else None
    heartbeat = Heartbeat(manager, file, status)

    def beat() -> None:
        try:
            heartbeat.beat()
        except OSError as error:
            raise CommandError(f"--heartbeat {args.heartbeat}: {error.strerror}") from None

    return beat


def _narrate_wait(holder: str) -> None:
    narrate(f"waiting: {holder} ingests into this database; this process takes over when it ends")


def _printed_state(alert: Alert) -> tuple[object, ...]:
    """Return the values of which one must change before an alert is printed again.

    Flags and risk are found only after everything is read, and do not raise the revision. Until
    then the rule's own risk is shown.
    """
    return alert.revision, alert.flags, alert.score, alert.severity
