"""``trailhound scan``: read everything once, print the alerts."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Iterator, Sequence

from detector.detection.alert import Alert
from detector.detection.correlate import SIGNAL_REACH
from detector.detection.log_integrity import log_file_name
from detector.filter.schemas import ALERTS
from detector.ingest.pipeline import Pipeline, Update
from detector.rules.ruleset import RuleSet
from detector.sources.time_bounds import Bounds
from detector.store import Store
from detector.text.visible import visible
from detector.triage.export import export_alerts
from tui.commandline.commands.common import (
    accounting_sums,
    completeness_lines,
    cost_lines,
    load_risk,
    load_rules,
    narrate,
    open_named_sources,
    parse_filter_option,
    parse_time_option,
    pruned_file_lines,
)
from tui.settings import config
from tui.settings.errors import EXIT_ALERTS, EXIT_OK


def run(args: argparse.Namespace) -> int:
    since, until = (
        parse_time_option(args.since, "--since"),
        parse_time_option(args.until, "--until"),
    )
    now = parse_time_option(args.now, "--now")
    parse_filter_option(
        args, ALERTS, time.time()
    )  # one that makes no sense is refused before anything is read
    rules = load_rules(args)
    bounds = (
        None
        if since is None and until is None
        else Bounds(since, until, rules.longest_window + SIGNAL_REACH)
    )
    with contextlib.ExitStack() as closing:
        store = closing.enter_context(
            contextlib.closing(Store.open(config.state_path(args.db) if args.db else None))
        )
        source = closing.enter_context(
            contextlib.closing(
                open_named_sources(
                    args.sources, False, bounds, store.files.read_to_end() if bounds else None
                )
            )
        )
        pipeline = Pipeline(
            store,
            rules,
            source,
            args.jobs,
            risk=load_risk(),
            clock=time.time if now is None else lambda: float(now),
            bounds=bounds,
        )
        pipeline.scan(_show_progress)
        alerts = [
            alert
            for alert in reversed(store.alerts.all())
            if (since is None or alert.last_event >= since)
            and (until is None or alert.first_event < until)
        ]
        wanted = parse_filter_option(
            args, ALERTS, now or store.files.newest_event_time() or time.time()
        )
        found, alerts = len(alerts), list(filter(wanted, alerts))
        if args.format == "table":
            sys.stdout.write(table(alerts))
        else:
            sys.stdout.write(export_alerts(alerts, args.format))
        for line in (
            *completeness_lines(store, True, bounds),
            *pruned_file_lines(source),
            *accounting_sums(store.files.accounting()),
            *cost_lines(),
        ):
            narrate(line)
        narrate(
            f"{len(alerts):,} of {found:,} alerts by --filter{''.join(f', {when}' for when in wanted.time_descriptions)}"
            if wanted
            else f"{len(alerts):,} {'alert' if len(alerts) == 1 else 'alerts'}"
        )
        for line in _warm_ups(rules, alerts):
            narrate(line)
    return EXIT_ALERTS if args.exit_code and alerts else EXIT_OK


def _warm_ups(rules: RuleSet, alerts: Sequence[Alert]) -> Iterator[str]:
    """The rules that look for what is new, and had too little history to tell."""
    for rule in rules:
        reaches = [
            alert.baseline.history_before(alert.first_event)
            for alert in alerts
            if alert.rule.id == rule.rule_id and alert.baseline
        ]
        if short := [reach for reach in reaches if rule.warm_up(reach)]:
            yield f"{rule.name}: {len(short):,} of its alerts rest on a short history ({rule.warm_up(min(short))})"


def _show_progress(update: Update) -> None:
    for problem in update.problems:
        narrate(problem)
    if sys.stderr.isatty() and not update.live:
        sums = update.accounting
        print(
            f"\r\x1b[Kread {sums.files_read:,} files, {sums.records_seen:,} records",
            end="\r",
            file=sys.stderr,
        )


def table(alerts: Sequence[Alert]) -> str:
    """Alerts for the eye: a line each, columns aligned; the principal comes last, since it may be
    of any length."""
    rows = [
        (
            "TIME (UTC)",
            "SEV",
            "STATUS",
            "REG",
            "CALLS",
            "SPAN",
            "ACCOUNT",
            "SOURCE",
            "RULE",
            "PRINCIPAL",
        )
    ]
    for alert in alerts:
        sources = alert.facets.source_addresses
        rows.append(
            (
                time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(alert.first_event)),
                alert.severity,
                "suppressed" if alert.suppressed_by else alert.status,
                str(len(alert.facets.regions)),
                str(alert.event_count),
                f"{alert.span}s",
                visible(alert.account),
                visible(sources[0] if len(sources) == 1 else f"{len(sources)} addresses", 39),
                visible(alert.rule.name, 40),
                visible(log_file_name(alert) or alert.principal) or "(no ARN)",
            )
        )
    if len(rows) == 1:
        return ""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    right = {3, 4, 5}
    return "".join(
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        + "\n"
        for row in rows
    )
