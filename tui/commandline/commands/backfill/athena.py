"""``trailhound backfill athena``: unload the calls that the rules need with Amazon Athena."""

from __future__ import annotations

import argparse
import re
import shlex
import time
from dataclasses import dataclass, replace

from detector.backfill.athena.client import AthenaClient, AthenaError
from detector.backfill.athena.filter_conditions import filter_condition
from detector.backfill.athena.sql import SqlError, check_name
from detector.backfill.athena.table import TrailTable
from detector.backfill.athena.unload import Unload
from detector.backfill.estimate import Estimate, days_a_query, estimate_bytes
from detector.backfill.selection import CallSelection, RecordSelection, select_calls
from detector.backfill.spans import Span, cut_into_spans
from detector.backfill.trail_location import (
    LocationError,
    TrailLocation,
    find_accounts,
    parse_location,
)
from detector.cloudtrail.regions import REGIONS
from detector.detection.correlate import SIGNAL_REACH
from detector.filter.parser import parse
from detector.filter.schemas import EVENTS
from detector.rules.ruleset import RuleSet
from detector.sources.source import NoSource, Unavailable
from detector.text.plural import plural
from detector.text.time import format_time
from tui.commandline.commands.backfill.folders import asked_span, check_folders
from tui.commandline.inputs import load_rules, parse_filter_option, read_indicators
from tui.commandline.narration import narrate, show_progress
from tui.settings.errors import EXIT_OK, CommandError, UsageError

_MOST_LEFT_OUT = 10
"""Maximum number of left-out rules to name; the others are only counted."""
_KEY = re.compile(r"A[A-Z]{3}[A-Z0-9]{12,124}")


@dataclass(frozen=True)
class _Plan:
    """What to unload, and the span of event times that was asked for."""

    unload: Unload
    asked: Span
    estimate: Estimate | None
    event_filter: str | None = None


def run(args: argparse.Namespace) -> int:
    try:
        plan = _make_plan(args)
        if args.action == "print":
            print(_script(plan))
        elif args.action == "run":
            _run_statements(plan, args.workgroup)
        else:
            deleted = AthenaClient(plan.unload.output, args.workgroup).clean(plan.unload)
            narrate(f"{plural(deleted, 'object')} deleted, the table is dropped")
            return EXIT_OK
    except (LocationError, SqlError) as error:
        raise UsageError(str(error)) from None
    except (AthenaError, NoSource) as error:
        raise CommandError(str(error)) from None
    _narrate_what_follows(plan)
    return EXIT_OK


def _make_plan(args: argparse.Namespace) -> _Plan:
    location = parse_location(args.source)
    output = _output(args.output, location)
    check_name(args.database, "database")
    asked = asked_span(args)
    rules = None if args.all_calls else load_rules(args)
    condition = _filter_condition(args)
    calls = _select_calls(args, rules)
    location = _with_accounts(args, location)
    regions = tuple(args.regions) or location.regions or _partition_regions()
    selection = RecordSelection(
        location.accounts,
        regions,
        calls,
        tuple(map(_principal, args.principals)),
        read_indicators(args.indicators) if args.indicators else (),
        condition,
    )
    margin = max(rules.longest_window, SIGNAL_REACH) if rules is not None else 0
    span = Span(asked.start - margin, asked.end + margin)
    estimate = _estimate(location, selection, span) if args.action != "clean" else None
    table = TrailTable(args.database, location, selection, span)
    spans = tuple(cut_into_spans(span, days_a_query(estimate, span)))
    return _Plan(Unload(table, spans, output), asked, estimate, args.filter)


def _output(text: str, location: TrailLocation) -> str:
    output = text.rstrip("/")
    if not re.fullmatch(r"s3://[^/']+(/[^']+)?", output):
        raise UsageError(f"--output {text}: name a place in S3: s3://BUCKET/PREFIX")
    if f"{output}/".startswith(location.url):
        raise UsageError(f"--output {text}: this is in the trail: name a place beside it")
    return output


def _filter_condition(args: argparse.Namespace) -> str | None:
    """Return an SQL condition implied by ``--filter``; it may match more, but never less."""
    if not args.filter:
        return None
    event_filter = parse_filter_option(args, EVENTS, time.time())
    tree, _ = parse(event_filter.text)
    condition = filter_condition(tree)
    if condition is None:
        raise UsageError(
            f"--filter {args.filter}: nothing in it can be asked of Athena: name a call, service, "
            "region, source, agent, principal, role, key, account or id"
        )
    return condition


def _select_calls(args: argparse.Namespace, rules: RuleSet | None) -> CallSelection | None:
    """Return the calls that the rules need; None for all calls of the callers or values named."""
    if rules is None:
        if not args.principals and not args.indicators and not args.filter:
            raise UsageError(
                "--all-calls: name whose or which, with --principal, --indicators or --filter"
            )
        return None
    calls = select_calls(rules)
    if calls.left_out:
        names = [f"{rule.name}" for rule in calls.left_out[:_MOST_LEFT_OUT]]
        more = len(calls.left_out) - len(names)
        if more:
            names.append(f"{plural(more, 'other rule')}")
        narrate(f"left out, since these rules would need every call: {', '.join(names)}")
    if calls.selects_nothing:
        raise UsageError("every loaded rule would need every call: there is nothing to select")
    narrate(f"{plural(len(calls.rules), 'rule')} of {len(rules)} served")
    return calls


def _with_accounts(args: argparse.Namespace, location: TrailLocation) -> TrailLocation:
    check_folders(args)
    if args.accounts:
        return replace(location, accounts=tuple(sorted(set(args.accounts))))
    if location.accounts:
        return location
    try:
        return find_accounts(location)
    except (Unavailable, NoSource) as error:
        raise CommandError(
            f"{location.url}: the accounts could not be listed: {_reason(error)}: "
            "name them with --account ID"
        ) from None


def _partition_regions() -> tuple[str, ...]:
    return tuple(region.name for region in REGIONS.values() if region.partition == "aws")


def _principal(text: str) -> str:
    if not text.startswith("arn:") and not _KEY.fullmatch(text):
        raise UsageError(f"--principal {text}: name an ARN or an access key")
    return text


def _estimate(location: TrailLocation, selection: RecordSelection, span: Span) -> Estimate | None:
    """Estimate the bytes to scan; if the trail cannot be listed, narrate that and return None."""
    try:
        return estimate_bytes(location, selection, span)
    except (Unavailable, NoSource) as error:
        narrate(f"bytes and dollars are not known: {_reason(error)}")
        return None


def _reason(error: Unavailable | NoSource) -> str:
    return str(getattr(error, "strerror", error))


def _script(plan: _Plan) -> str:
    """Return the SQL statements, with comments that state their cost."""
    unload = plan.unload
    cost = str(plan.estimate) if plan.estimate else "not known: the trail could not be listed"
    head = [
        f"-- {plural(len(unload.spans), 'UNLOAD')} of {unload.table.location.url}",
        f"-- Scanned: {cost}.",
        "-- Records that were delivered more than a day after their event are not in it.",
    ]
    statements = [unload.table.create_database(), unload.table.create(), *unload.statements()]
    return "\n".join(head) + "\n\n" + "\n\n".join(f"{text};" for text in statements)


def _run_statements(plan: _Plan, workgroup: str) -> None:
    """Run the statements, with progress on standard error."""
    unload = plan.unload
    narrate(f"to scan: {plan.estimate or 'not known'}")
    client = AthenaClient(unload.output, workgroup)
    client.execute(unload.table.create_database())
    client.execute(unload.table.create())
    scanned_in_all = 0
    for number, span in enumerate(unload.spans, 1):
        days = f"{format_time(span.start)[:10]} to {format_time(span.end)[:10]}"

        def show(scanned: int, days: str = days, number: int = number) -> None:
            done = f"{number} of {len(unload.spans)}"
            show_progress(f"{done}: {days}: {scanned / 1e9:,.2f} GB scanned")

        result = client.unload(unload, span, show)
        if result.scanned is None:
            narrate(f"{number} of {len(unload.spans)}: {days}: unloaded before")
        else:
            scanned_in_all += result.scanned
            size = f"{result.scanned / 1e9:,.2f} GB scanned"
            narrate(f"{number} of {len(unload.spans)}: {days}: {size}")
    narrate(f"{scanned_in_all / 1e9:,.2f} GB scanned in all")


def _narrate_what_follows(plan: _Plan) -> None:
    """Narrate which command reads the result, and what the result cannot tell."""
    since, until = map(format_time, plan.asked)
    folder = shlex.quote(plan.unload.folder)
    if plan.unload.table.selection.calls is None:
        again = f" --filter {shlex.quote(plan.event_filter)}" if plan.event_filter else ""
        narrate(f"then: trailhound events {folder} --since {since} --until {until}{again}")
        return
    narrate(f"then: trailhound scan {folder} --since {since} --until {until} --db case.db")
    narrate(
        "not known from it: whether principals and regions are new, and calls that no rule asks for"
    )
