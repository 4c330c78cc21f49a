"""``trailhound scan``: read everything once and print the alerts."""

from __future__ import annotations

import argparse
import contextlib
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from detector.delivery.watch_export import seen_again
from detector.detection.alert import Alert
from detector.detection.correlate import SIGNAL_REACH
from detector.filter import Filter
from detector.filter.schemas import ALERTS
from detector.ingest.garbage import rare_collections
from detector.ingest.pipeline import Pipeline, Update
from detector.rules.ruleset import RuleSet
from detector.sources.accounting import Accounting, FileState
from detector.sources.time_bounds import Bounds, FileSnapshot
from detector.store import Store
from detector.text.plural import plural
from tui.commandline.alert_output import print_alerts
from tui.commandline.inputs import (
    load_risk,
    load_rules,
    open_named_sources,
    parse_filter_option,
    parse_time_option,
    use_names,
)
from tui.commandline.narration import (
    accounting_sums,
    completeness_lines,
    cost_lines,
    narrate,
    pruned_file_lines,
    show_progress,
    waiting_lines,
    warn,
)
from tui.commandline.termination import terminated_as_interrupted
from tui.settings import config
from tui.settings.errors import EXIT_ALERTS, EXIT_INCOMPLETE, EXIT_OK, CommandError


def run(args: argparse.Namespace) -> int:
    use_names()
    now = parse_time_option(args.now, "--now")
    since = parse_time_option(args.since, "--since", now)
    until = parse_time_option(args.until, "--until", now)
    parse_filter_option(args, ALERTS, time.time())  # refuse a bad filter before anything is read
    rules = load_rules(args)
    bounds = None
    if since is not None or until is not None:
        bounds = Bounds(since, until, rules.longest_window + SIGNAL_REACH)
    with contextlib.ExitStack() as stack:
        # Before opening the state, so that a scan that cannot start does not create it.
        recorded: dict[str, FileSnapshot] = {}
        source = open_named_sources(args.sources, False, bounds, recorded, args.allow_bucket)
        stack.callback(source.close)
        store = Store.open(config.state_path(args.db) if args.db else None)
        stack.callback(store.close)
        if bounds:
            recorded.update(store.files.read_to_end())
        pipeline = Pipeline(
            store,
            rules,
            source,
            args.jobs,
            risk=load_risk(),
            clock=time.time if now is None else lambda: float(now),
            bounds=bounds,
            counts_activity=bool(args.db),
            tells_alerts=False,
        )
        stack.enter_context(rare_collections())
        file_counts = _scan_until_told_to_end(pipeline, store)
        in_bounds = _alerts_between(store, since, until)
        filter_time = now or store.files.newest_event_time() or time.time()
        alert_filter = parse_filter_option(args, ALERTS, filter_time)
        alerts = list(filter(alert_filter, in_bounds))
        accounting = store.files.accounting()
        print_alerts(alerts, args)
        for line in (*waiting_lines(store), *completeness_lines(store, True, bounds)):
            warn(line)
        for line in (
            *pruned_file_lines(source),
            *accounting_sums(accounting),
            *cost_lines(),
            _alert_count(len(alerts), len(in_bounds), alert_filter),
            *_short_histories(rules, alerts),
        ):
            narrate(line)
    return _exit_status(args, file_counts, accounting, bool(alerts))


def _exit_status(
    args: argparse.Namespace,
    file_counts: Counter[FileState],
    accounting: Accounting,
    has_alerts: bool,
) -> int:
    """Return the exit status for what was read and found.

    Raises CommandError if nothing could be read."""
    if not file_counts["read"] and (file_counts["waiting"] or file_counts["quarantined"]):
        raise CommandError("none of the named sources could be read")
    if args.strict and _is_incomplete(file_counts, accounting):
        warn("incomplete: some of the named sources were not read")
        return EXIT_INCOMPLETE
    if args.exit_code and has_alerts:
        return EXIT_ALERTS
    return EXIT_OK


def _scan_until_told_to_end(pipeline: Pipeline, store: Store) -> Counter[FileState]:
    """Read everything. Raises CommandError if ctrl+c or SIGTERM ends the scan early."""
    try:
        with terminated_as_interrupted():
            return pipeline.scan(narrate_update)
    except KeyboardInterrupt:
        if store.path is None:
            kept = "nothing is kept: --db FILE keeps what has been read"
        else:
            files = plural(store.files.accounting().files_read, "file")
            kept = f"{files} kept in {store.path}: run the same command again to go on"
        raise CommandError(f"interrupted: {kept}") from None


def _is_incomplete(file_counts: Counter[FileState], accounting: Accounting) -> bool:
    """Return whether files were waiting, quarantined or gone, or records were rejected."""
    is_unread = (
        file_counts["waiting"] or file_counts["quarantined"] or accounting.files_skipped.get("gone")
    )
    return bool(is_unread or accounting.records_rejected)


def _alerts_between(store: Store, since: int | None, until: int | None) -> list[Alert]:
    """Return the alerts with an event in ``[since, until)``, oldest first."""
    return [
        alert
        for alert in reversed(store.alerts.all())
        if (since is None or alert.last_event >= since)
        and (until is None or alert.first_event < until)
    ]


def _alert_count(printed: int, total: int, alert_filter: Filter[Alert]) -> str:
    if not alert_filter:
        return plural(printed, "alert")
    times = "".join(f", {when}" for when in alert_filter.time_descriptions)
    return f"{printed:,} of {total:,} alerts match --filter{times}"


def _short_histories(rules: RuleSet, alerts: Sequence[Alert]) -> Iterator[str]:
    """Yield a line for each rule that had too little history for some alerts."""
    histories: dict[str, list[int]] = defaultdict(list)
    for alert in alerts:
        if alert.baseline:
            histories[alert.rule.id].append(alert.baseline.history_before(alert.first_event))
    for rule in rules:
        too_short = [it for it in histories[rule.rule_id] if rule.warm_up(it)]
        if too_short:
            yield (
                f"{rule.name}: {plural(len(too_short), 'alert')} with too short a history "
                f"({rule.warm_up(min(too_short))})"
            )


def narrate_update(update: Update) -> None:
    """Narrate the problems and the progress of an update."""
    for problem in update.problems:
        warn(problem)
    for row in update.watches:
        warn(f"seen: {seen_again(row)}")
    if not update.live:
        accounting = update.accounting
        show_progress(f"read {accounting.files_read:,} files, {accounting.records_seen:,} records")
