"""Lines of the events: in order of time, folded in runs, or under indicators."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from operator import attrgetter

from detector.investigation.indicators import IndicatorCounts
from detector.investigation.pivot import EventRow
from detector.text.abbreviations import short_arn
from tui.concurrency.job import Job, sort_in_pieces
from tui.presentation import format, time_display
from tui.presentation.calls import call_outcome, short_outcome
from tui.presentation.region_names import short_region
from tui.screens.pivot.rows import PivotLine, PivotLines, QuestionLine, event_column, line_key
from tui.screens.pivot.runs import fold_runs
from tui.widgets.columns import Column
from tui.widgets.line import CellContent


def event_columns(places: format.Places) -> tuple[Column[PivotLine], ...]:
    """Return the columns of the events; ``places`` are those of addresses."""
    return (
        event_column(
            "time",
            time_display.column_title,
            14,
            attrgetter("event.time"),
            format.date_time,
            drop_priority=0,
        ),
        event_column(
            "principal",
            "principal",
            12,
            attrgetter("event.arn", "event.source_address"),
            lambda caller: short_arn(caller[0]) or f"no ARN, {caller[1]}",
            drop_priority=2,
            flex=True,
            shorten=_short_caller,
        ),
        event_column(
            "action",
            "call",
            16,
            attrgetter("event.action"),
            drop_priority=1,
            flex=True,
            field="call",
            shorten=_short_call,
        ),
        event_column("object", "object", 8, attrgetter("acted_on"), drop_priority=3, flex=True),
        event_column(
            "region",
            "region",
            9,
            attrgetter("event.region"),
            drop_priority=5,
            shorten=_short_region,
        ),
        event_column(
            "outcome",
            "outcome",
            7,
            attrgetter("event.error_code"),
            call_outcome,
            drop_priority=4,
            flex=True,
            wish=12,
            shorten=_short_outcome,
        ),
        event_column(
            "source",
            "source",
            format.address_width(places),
            attrgetter("event.source_address"),
            places.with_place,
            drop_priority=6,
        ),
        event_column(
            "agent", "agent", 12, attrgetter("event.user_agent"), format.agent, drop_priority=7
        ),
    )


def _short_caller(line: PivotLine, cells: int) -> str:
    if isinstance(line, QuestionLine):
        return ""
    return format.elide(short_arn(line.event.arn) or line.event.source_address, cells)


def _short_call(line: PivotLine, cells: int) -> str:
    if isinstance(line, QuestionLine):
        return ""
    return format.elide(line.event.action, cells)


def _short_region(line: PivotLine, cells: int) -> str:  # noqa: ARG001
    if isinstance(line, QuestionLine):
        return ""
    return short_region(line.event.region)


def _short_outcome(line: PivotLine, cells: int) -> CellContent:
    if isinstance(line, QuestionLine):
        return ""
    return short_outcome(line.event.error_code, cells)


@dataclass(frozen=True)
class EventOrder:
    """How events are laid out: newest first, in runs, or under the indicators that they have.

    ``opened`` are the runs, or the indicators, of which the events are shown or hidden."""

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
    """Yield each indicator with its events; those that were not seen come last."""
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
