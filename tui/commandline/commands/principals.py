"""``trailhound principals``: who called, without any alert."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from detector.delivery.list_export import ListFormat
from detector.filter.principal_schema import PRINCIPALS
from detector.ingest.pipeline import Pipeline
from detector.investigation.activity_export import PRINCIPAL_EXPORT
from detector.investigation.principals import PrincipalList, PrincipalRow, list_principals
from detector.sources.time_bounds import Bounds
from detector.store import Store
from detector.text.abbreviations import short_arn
from detector.text.plural import plural
from detector.text.visible import visible
from tui.commandline.commands.scan import narrate_update
from tui.commandline.inputs import (
    existing_state_path,
    load_risk,
    load_rules,
    open_named_sources,
    parse_filter_option,
    parse_interval_option,
    parse_time_option,
)
from tui.commandline.narration import accounting_sums, narrate
from tui.commandline.table import format_table
from tui.settings import config
from tui.settings.errors import EXIT_OK

_HEADINGS = (
    "RISK",
    "CALLS",
    "DENIED",
    "REG",
    "NET",
    "UNCOMMON",
    "ALERTS",
    "FIRST SEEN (UTC)",
    "LAST CALL",
    "RHYTHM",
    "ACCOUNT",
    "KIND",
    "PRINCIPAL",
)
_RIGHT_ALIGNED = frozenset(_HEADINGS[:7])


def run(args: argparse.Namespace) -> int:
    since = parse_time_option(args.since, "--since")
    until = parse_time_option(args.until, "--until")
    risk_window = parse_interval_option(args.risk_over, "--risk-over")
    parse_filter_option(args, PRINCIPALS, time.time())  # refuse a bad filter before reading
    with contextlib.ExitStack() as stack:
        if args.sources:
            store = Store.open(_state_path(args))
            stack.callback(store.close)
            _read(args, store, since, until, stack)
        else:
            store = Store.look(existing_state_path(args.db))
            stack.callback(store.close)
        principals = list_principals(store, load_risk(), since, until, risk_window)
        accounting = store.files.accounting()
    row_filter = parse_filter_option(args, PRINCIPALS, principals.newest or time.time())
    rows = list(filter(row_filter, principals.rows))
    sys.stdout.write(_formatted(rows, args.format))
    for line in (
        *accounting_sums(accounting),
        *principals.notes,
        _count(rows, principals),
    ):
        narrate(line)
    return EXIT_OK


def _state_path(args: argparse.Namespace) -> Path | None:
    """Return the path of the state to read into; None for a temporary state."""
    if not args.db:
        return None
    return config.state_path(args.db)


def _read(
    args: argparse.Namespace,
    store: Store,
    since: int | None,
    until: int | None,
    stack: contextlib.ExitStack,
) -> None:
    """Read the named sources into the state."""
    bounds = None
    if since is not None or until is not None:
        bounds = Bounds(since, until, 0)
    recorded = store.files.read_to_end() if bounds else None
    source = open_named_sources(args.sources, False, bounds, recorded, args.allow_bucket)
    stack.callback(source.close)
    pipeline = Pipeline(
        store,
        load_rules(args),
        source,
        args.jobs,
        risk=load_risk(),
        bounds=bounds,
        tells_alerts=False,
    )
    pipeline.scan(narrate_update)


def _count(rows: Sequence[PrincipalRow], principals: PrincipalList) -> str:
    if len(rows) == len(principals.rows):
        return plural(len(rows), "principal")
    return f"{len(rows):,} of {len(principals.rows):,} principals match --filter"


def _formatted(rows: Sequence[PrincipalRow], form: Literal["table"] | ListFormat) -> str:
    if form == "table":
        return format_table(_HEADINGS, list(map(_cells, rows)), _RIGHT_ALIGNED)
    return PRINCIPAL_EXPORT.text(rows, form)


def _cells(row: PrincipalRow) -> tuple[str, ...]:
    name = visible(short_arn(row.name), 80) or "(nobody is named)"
    if row.sessions > 1:
        name += f" ({row.sessions:,} sessions)"
    return (
        str(max(0, row.risk.total)),
        f"{row.calls:,}",
        f"{row.denied:,}",
        str(len(row.regions)),
        str(len(row.networks)),
        str(len(row.uncommon)),
        str(len(row.alerts)),
        _minute(row.first_seen),
        _minute(row.last),
        row.rhythm or "-",
        visible(row.account, 14) or "-",
        row.kind or "-",
        name,
    )


def _minute(seconds: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))
