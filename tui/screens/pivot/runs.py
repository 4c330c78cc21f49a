"""Lines of a pivot, in which runs of equal calls can be opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from itertools import groupby

from detector.investigation.pivot import EventRow
from detector.text.abbreviations import short_arn
from detector.text.time import format_duration
from tui.concurrency.job import Job, sort_in_pieces
from tui.presentation import format
from tui.presentation.calls import event_key
from tui.screens.pivot.rows import (
    PivotLine,
    PivotLines,
    PivotOrder,
    QuestionLine,
    line_key,
    under_questions,
)

_FEWEST_IN_RUN = 3
"""Minimum number of consecutive equal calls that are folded into one line."""


def fold_runs(events: Sequence[EventRow], opened: Set[str]) -> Iterator[PivotLine]:
    """Yield events in order; each run of equal calls is one line that can be opened."""
    for _, group in groupby(events, _call_of):
        run = list(group)
        if len(run) < _FEWEST_IN_RUN:
            yield from run
            continue
        first = min(run, key=lambda row: row.sort_key)
        name = f"from {event_key(first.event)}"  # stays the same while calls arrive
        is_folded = name not in opened
        yield QuestionLine(name, len(run), _summary(run), is_folded, _title(first), tuple(run))
        if not is_folded:
            yield from run


def run_around(row: EventRow, lines: Sequence[PivotLine]) -> QuestionLine | None:
    """Return the folded run that contains an event; None if the event has its own line."""
    for line in lines:
        if isinstance(line, QuestionLine) and line.run and line.is_folded:
            ends = line.run[0].sort_key, line.run[-1].sort_key
            if min(ends) <= row.sort_key <= max(ends):
                return line
    return None


def _call_of(row: EventRow) -> tuple[object, ...]:
    event = row.event
    return row.own, event.arn, event.provider, event.action


def _title(first: EventRow) -> str:
    event = first.event
    caller = short_arn(event.arn) or f"no ARN, {event.source_address}"
    own = "this alert: " if first.own else ""
    return f"{format.date_time(event.time)}  {own}{caller}  {event.action}"


def _summary(run: Sequence[EventRow]) -> str:
    regions = {row.event.region for row in run}
    where = next(iter(regions))
    if len(regions) > 1:
        where = f"{len(regions)} regions"
    times = [row.event.time for row in run]
    return f"in {where}, {format_duration(max(times) - min(times))}, {_outcome(run)}"


def _outcome(run: Sequence[EventRow]) -> str:
    """Return the common outcome of the calls, or how many failed: ``7 of 14 failed``."""
    outcomes = [row.event.error_code for row in run]
    failed = sum(map(bool, outcomes))
    if 0 < failed < len(run):
        return f"{failed:,} of {len(run):,} failed"
    return format.first_values(sorted(set(outcomes) - {""})) if failed else "ok"


def build_lines(
    rows: Mapping[str, EventRow],
    matches: Callable[[EventRow], bool] | None,
    order: PivotOrder,
    job: Job,
) -> PivotLines:
    """Build the lines of a pivot from ``rows``, a mapping by key. Raises Cancelled."""
    keys = list(rows)
    if matches is not None:
        keys = [key for key in job.each(keys) if matches(rows[key])]
    keys = sort_in_pieces(keys, lambda key: rows[key].sort_key, job)
    events = [rows[key] for key in keys]
    if order.grouped:
        lines = list(under_questions(events, order.toggled))
    elif order.folds:
        lines = list(fold_runs(events, order.toggled))
    else:
        return PivotLines(events, keys, len(events), len(rows))
    return PivotLines(lines, [line_key(line) for line in job.each(lines)], len(events), len(rows))
