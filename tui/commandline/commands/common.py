"""What the commands share: opening what was named, and saying what was read."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from detector.detection import risk
from detector.detection.risk import RiskError, RiskTable
from detector.filter import Fields, Filter, FilterError, parse_filter
from detector.rules.ruleset import RuleSet, load
from detector.sources.accounting import Accounting
from detector.sources.open import open_sources
from detector.sources.open_file import requests_made
from detector.sources.source import NoSource, Source
from detector.sources.time_bounds import BoundedSource, Bounds, FileSnapshot
from detector.store import RETENTION, Store
from detector.text.time import parse_interval, parse_time
from detector.text.visible import visible
from tui.settings import config, saved_views
from tui.settings.errors import CommandError, UsageError

R = TypeVar("R")


def narrate(line: str) -> None:
    """Narrate on standard error."""
    print(visible(line), file=sys.stderr)


def load_rules(args: argparse.Namespace) -> RuleSet:
    """The rules that the command line and the configuration name; files in error are named, and the
    others run."""
    settings = config.load_config()
    asn = args.asn_db or settings.asn_db
    paths = [Path(name).expanduser() for name in [*settings.rules, *args.rules]]
    for path in paths:
        if not path.exists():
            raise CommandError(f"{path}: no such rule file or folder: check the name")
    now = parse_time_option(getattr(args, "now", None), "--now")
    rules = load(
        paths, not args.no_builtin, args.window, Path(asn).expanduser() if asn else None, now
    )
    for problem in rules.problems:
        narrate(f"rule not used: {problem}")
    if not len(rules):
        raise UsageError(
            "no rule to search by: name rule files with --rules, or leave out --no-builtin"
        )
    return rules


def open_named_sources(
    names: Sequence[str],
    live: bool,
    bounds: Bounds | None = None,
    recorded: Mapping[str, FileSnapshot] | None = None,
) -> Source:
    """The sources named; where it is live, files and folders may appear later."""
    try:
        return open_sources(names, live, bounds, recorded)
    except NoSource as error:
        raise CommandError(str(error)) from None


def load_risk() -> RiskTable:
    """What flags are worth: the built-in table with the lines of the user's own ``risk.toml``."""
    try:
        return risk.load_risk_table(config.config_path().with_name("risk.toml"))
    except RiskError as error:
        raise CommandError(str(error)) from None


def retention_seconds(given: str | None = None) -> int:
    """Seconds for which windows without an alert are kept: as given, or else configured, or else
    CloudTrail's own."""
    if given is not None:
        return parse_interval_option(given, "--retention")
    configured = config.load_config().retention
    try:
        return RETENTION if configured is None else parse_interval(configured)
    except ValueError as error:
        raise CommandError(f"{config.config_path()}: retention: {error}") from None


def parse_time_option(text: str | None, option: str) -> int | None:
    """Seconds since the epoch of a time on the command line: ISO 8601, or a day."""
    if text is None:
        return None
    if (seconds := parse_time(text if len(text) > 10 else f"{text}T00:00:00Z")) is None:
        raise UsageError(
            f"{option} {text}: no time: write it like 2026-03-01 or 2026-03-01T11:30:00Z"
        )
    return seconds


def parse_interval_option(text: str, option: str) -> int:
    """Seconds of an interval on the command line: 90m, 12h, 7d, 2w."""
    try:
        return parse_interval(text)
    except ValueError as error:
        raise UsageError(f"{option} {error}") from None


def parse_filter_option(args: argparse.Namespace, fields: Fields[R], at: float) -> Filter[R]:
    """What ``--filter`` lets through, its times read at ``at`` (epoch seconds); without it
    everything."""
    try:
        return parse_filter(saved_views.expand_reference(args.filter, fields.rows), fields, at)
    except FilterError as error:
        raise UsageError(f"--filter {args.filter}: {error}") from None


def accounting_sums(sums: Accounting) -> list[str]:
    """The two sums in words."""
    return [
        f"files {sums.files_found:,} found = {sums.files_read:,} read + {sums.files_waiting:,} waiting "
        f"+ {_reasons(sums.files_skipped)} skipped + {_reasons(sums.files_quarantined)} quarantined",
        f"records {sums.records_seen:,} seen = {sums.records_kept:,} kept + {sums.records_duplicate:,} duplicate "
        f"+ {_reasons(sums.records_skipped)} skipped + {_reasons(sums.records_rejected)} rejected"
        + (f"; {sums.late_dropped:,} late-unmerged" if sums.late_dropped else ""),
    ]


def completeness_lines(store: Store, final: bool, bounds: Bounds | None = None) -> list[str]:
    """What is missing, changed, blind or not looked for, a line each. ``final``: nothing more is to
    come."""
    off = sorted(store.rules.disabled())
    return [
        *map(str, store.completeness.findings(final, bounds)),
        *(str(feed) for feed in store.completeness.feeds() if feed.blind),
        *(
            [f"rules off in this state: {', '.join(off)}: 6 in the app switches them on"]
            if off
            else []
        ),
    ]


def pruned_file_lines(source: Source) -> list[str]:
    """What time bounds have spared reading."""
    return source.excluded_lines() if isinstance(source, BoundedSource) else []


def cost_lines() -> list[str]:
    """What reading buckets has cost, where there were any."""
    made = requests_made()
    return [made] if made else []


def _reasons(counts: dict[str, int]) -> str:
    total = f"{sum(counts.values()):,}"
    if not counts:
        return total
    return (
        f"{total} ({', '.join(f'{reason} {count:,}' for reason, count in sorted(counts.items()))})"
    )
