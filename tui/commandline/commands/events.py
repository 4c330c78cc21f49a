"""``trailhound events``: list any calls, without an alert."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from detector.delivery.list_export import ExportColumn, ListExport
from detector.detection.indicator import Indicator
from detector.detection.signals.signal_finder import flagging_events
from detector.filter.event_selector import EventQuery
from detector.filter.schemas import EVENTS
from detector.investigation.activity_export import EVENT_EXPORT, event_row_object
from detector.investigation.indicators import IndicatorCounts, IndicatorSelector
from detector.investigation.pivot import EventRow, Pivot, Progress, read_pivot, sorted_by_time
from detector.investigation.selectors import AllOf
from detector.sources.file_span import FileSpan
from detector.sources.time_bounds import Bounds
from detector.store import Store
from detector.text.json_output import json_line
from detector.text.plural import plural
from detector.text.time import format_time
from detector.text.visible import visible
from tui.commandline.commands.pivot import (
    delivery_time,
    files_read_to_end,
    show_files_read,
    table_lines,
)
from tui.commandline.inputs import (
    existing_state_path,
    load_rules,
    open_named_sources,
    parse_filter_option,
    parse_time_option,
    read_indicators,
    readable_files,
)
from tui.commandline.narration import narrate, pruned_file_lines
from tui.settings import config
from tui.settings.errors import EXIT_OK


def run(args: argparse.Namespace) -> int:
    indicators = read_indicators(args.indicators) if args.indicators is not None else None
    counts = IndicatorCounts(indicators) if indicators else None
    parse_filter_option(args, EVENTS, time.time())  # refuse a bad filter before reading
    rules = load_rules(args)
    rows: list[EventRow] = []
    with contextlib.ExitStack() as stack:
        request, files = _open(args, indicators, stack)
        out = _Printer(args, counts)
        progress = Progress(0, 0, 0, 0)
        for batch in read_pivot(request, files, flagging_events(rules)):
            progress = batch.progress
            if counts is not None:
                counts.add(row.event for row in batch.rows)
            rows += out.take(batch.rows)
            if out.is_full:
                narrate(f"stopped at --limit {args.limit:,}: there may be more")
                break
            show_files_read(progress)
    if args.order == "time":
        rows = sorted_by_time(rows)
    out.end(rows)
    for line in (
        *_indicator_lines(counts, out.is_full),
        *(f"not read: {why}" for why in progress.unread),
    ):
        narrate(line)
    narrate(
        f"{plural(out.count, 'event')} in {progress.files_done:,} of "
        f"{plural(progress.files, 'file')}, {progress.bytes / 1e6:,.1f} MB{out.order_hint}"
    )
    return EXIT_OK


def _open(
    args: argparse.Namespace, indicators: Sequence[Indicator] | None, stack: contextlib.ExitStack
) -> tuple[Pivot, Sequence[FileSpan]]:
    """Return the search, and its files: those of the named sources, or those the state has read."""
    since = parse_time_option(args.since, "--since")
    until = parse_time_option(args.until, "--until")
    if not args.sources:
        store = Store.look(existing_state_path(args.db))
        stack.callback(store.close)
        newest = store.files.newest_event_time() or int(time.time())
        request = _request(args, indicators, since, until, newest, store)
        return request, store.chunks.file_spans(request.start, request.end, request.selector)
    newest = int(time.time())
    request = _request(args, indicators, since, until, newest, None)
    bounds = None
    if request.start or until is not None:
        bounds = Bounds(request.start or None, min(request.end, newest + 1), 0)
    path = config.state_path(args.db)
    recorded = files_read_to_end(path) if args.db and path.exists() else None
    source = open_named_sources(args.sources, False, bounds, recorded, args.allow_bucket)
    stack.callback(source.close)
    files = [
        FileSpan(file.path, file.size, delivered=delivery_time(file.path))
        for file in readable_files(source)
    ]
    for line in pruned_file_lines(source):
        narrate(line)
    return request, files


def _request(
    args: argparse.Namespace,
    indicators: Sequence[Indicator] | None,
    since: int | None,
    until: int | None,
    newest: int,
    store: Store | None,
) -> Pivot:
    event_filter = parse_filter_option(args, EVENTS, newest)
    query = EventQuery(event_filter, since, until, args.writes, args.errors)
    request = query.pivot(newest, store)
    if indicators is None:
        return request
    wanted = IndicatorSelector(indicators, store)
    return Pivot(
        "indicators",
        AllOf((request.selector, wanted)),
        request.start,
        request.end,
        request.around,
    )


_STREAMED = ("table", "jsonl")
"""The formats in which each event can be printed as it is found."""


class _Printer:
    """Prints events as they are found if the format and order allow it, else at the end."""

    def __init__(self, args: argparse.Namespace, counts: IndicatorCounts | None) -> None:
        self._args = args
        self._counts = counts
        self._streams = args.order == "found" and args.format in _STREAMED
        self.count = 0

    @property
    def is_full(self) -> bool:
        """Whether ``--limit`` events were found."""
        return self._args.limit is not None and self.count >= self._args.limit

    @property
    def order_hint(self) -> str:
        """Return a hint on how to sort a table that was printed as its events were found."""
        if self._streams and self._args.format == "table" and self.count > 1:
            return ", in the order found (--order time sorts them)"
        return ""

    def take(self, rows: Sequence[EventRow]) -> Sequence[EventRow]:
        """Print rows, or return the rows that must wait until the end."""
        if self._args.limit is not None:
            rows = rows[: self._args.limit - self.count]
        self.count += len(rows)
        if not self._streams:
            return rows
        for line in self._lines(rows):
            sys.stdout.write(line + "\n")
        sys.stdout.flush()
        return ()

    def end(self, rows: Sequence[EventRow]) -> None:
        """Print the rows that had to wait."""
        if self._streams:
            return
        if self._args.format not in _STREAMED:
            sys.stdout.write(self._export().text(rows, self._args.format))
            return
        for line in self._lines(rows):
            sys.stdout.write(line + "\n")

    def _lines(self, rows: Iterable[EventRow]) -> Iterator[str]:
        if self._args.format == "jsonl":
            for row in rows:
                yield json_line(self._object(row))
            return
        yield from table_lines(rows)

    def _object(self, row: EventRow) -> dict[str, Any]:
        event = event_row_object(row)
        if self._counts is not None:
            event["indicators"] = self._indicators(row)
        return event

    def _indicators(self, row: EventRow) -> list[str]:
        if self._counts is None:
            return []
        return [each.text for each in self._counts.of_event(row.event)]

    def _export(self) -> ListExport[EventRow]:
        """Return the export of events, with each event's indicators if any were asked for."""
        if self._counts is None:
            return EVENT_EXPORT
        column = ExportColumn("indicators", "Indicators", "list", self._indicators)
        return msgspec.structs.replace(EVENT_EXPORT, columns=(*EVENT_EXPORT.columns, column))


def _indicator_lines(counts: IndicatorCounts | None, is_cut: bool) -> Iterator[str]:
    """Yield a line for each indicator that was seen, and how many were.

    ``is_cut`` means that the search was stopped, so there may be more events of each.
    """
    if counts is None:
        return
    absent = 0
    for each in counts.counts:
        if not each.events:
            absent += 1
            continue
        yield (
            f"{visible(each.indicator.text, 60)}: {plural(each.events, 'event')}, "
            f"{plural(len(each.principals), 'principal')}, {format_time(each.first)} to "
            f"{format_time(each.last)}"
        )
    until = " before the search was stopped" if is_cut else ""
    seen = len(counts.counts) - absent
    yield f"{seen:,} of {plural(len(counts.counts), 'indicator')} seen{until}"
