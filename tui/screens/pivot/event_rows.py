"""Lines of the events: in order of time, folded in runs, or under indicators."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from detector.investigation.indicators import IndicatorCounts
from detector.investigation.pivot import EventRow
from tui.concurrency.job import Job, sort_in_pieces
from tui.presentation import format
from tui.screens.pivot.rows import PivotLine, PivotLines, QuestionLine, line_key
from tui.screens.pivot.runs import fold_runs


@dataclass(frozen=True)
class EventOrder:
    """How events are laid out: newest first, in runs, or under the indicators that they contain.

    ``toggled`` are the runs that are opened, or the indicators that are folded.
    """

    folds: bool = True
    indicators: IndicatorCounts | None = None
    toggled: frozenset[str] = frozenset()


def build_event_lines(
    rows: Mapping[str, EventRow],
    matches: Callable[[EventRow], bool] | None,
    order: EventOrder,
    job: Job,
) -> PivotLines:
    """Build the lines, newest first. Raises Cancelled."""
    keys = list(rows)
    if matches is not None:
        keys = [key for key in job.each(keys) if matches(rows[key])]
    matching = len(keys)
    keys = sort_in_pieces(keys, lambda key: rows[key].sort_key, job)
    keys.reverse()
    events = [rows[key] for key in keys]
    if order.indicators is not None:
        lines = list(_under_indicators(events, order.indicators, order.toggled))
    elif order.folds:
        lines = list(fold_runs(events, order.toggled))
    else:
        return PivotLines(events, keys, matching, len(rows))
    return PivotLines(lines, [line_key(line) for line in job.each(lines)], matching, len(rows))


def _under_indicators(
    events: Sequence[EventRow], counts: IndicatorCounts, folded: Set[str]
) -> Iterator[PivotLine]:
    """Yield each indicator with its events; indicators without events come last."""
    by_indicator: dict[str, list[EventRow]] = {}
    for row in events:
        for indicator in counts.of_event(row.event):
            by_indicator.setdefault(indicator.text, []).append(row)
    for indicator in sorted(
        counts.indicators, key=lambda each: (-len(by_indicator.get(each.text, ())), each)
    ):
        text = indicator.text
        rows = by_indicator.get(text, [])
        if not rows:
            yield QuestionLine(text, 0, f"{indicator.kind}, not seen", True)
            continue
        principals = {row.event.arn or row.event.caller_account for row in rows}
        times = format.time_range(rows[-1].event.time, rows[0].event.time)
        summary = f"{format.plural(len(principals), 'principal')}, {times}"
        yield QuestionLine(text, len(rows), summary, text in folded)
        if text not in folded:
            yield from rows


def described(folds: bool, indicators: IndicatorCounts | None) -> str:
    """Return the order of the events in words."""
    if indicators is not None:
        return "by indicator"
    if folds:
        return "newest first, runs folded"
    return "newest first"
