"""The spans of days into which a backfill is divided."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from detector.sources.time_bounds import SLACK
from detector.text.time import DAY, format_time


class Span(NamedTuple):
    """Event times ``[start, end)`` in epoch seconds."""

    start: int
    end: int

    @property
    def name(self) -> str:
        """The span as a folder name: ``20260301T000000Z-20260308T000000Z``."""
        return "-".join(format_time(time).replace("-", "").replace(":", "") for time in self)

    @property
    def delivery_days(self) -> tuple[str, str]:
        """The first and last day folder, as ``2026/03/01``, whose files may hold the span's events.

        A file is delivered after its events, usually within minutes; files delivered up to a day
        later are read."""
        return day_folder(self.start), day_folder(self.end - 1 + SLACK)


def day_folder(time: int) -> str:
    """Return a day's folders as named in trails: ``2026/03/01``."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y/%m/%d")


def cut_into_spans(whole: Span, days: int) -> Iterator[Span]:
    """Cut a span at every ``days``-th midnight (UTC) after its start."""
    start = whole.start
    while start < whole.end:
        midnight = start - start % DAY
        end = min(whole.end, midnight + days * DAY)
        yield Span(start, end)
        start = end


def days_of(span: Span) -> list[str]:
    """Return the day folders whose files may hold a span's events."""
    first = span.start - span.start % DAY
    return [day_folder(time) for time in range(first, span.end + SLACK, DAY)]
