"""Evaluates a rule and its variants on hits in memory, without reading the logs again.

A variant with the same filter and keys counts the same hits in other windows or against other
thresholds. Most hits are in no window that could be an alert; their times alone show this.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import islice
from operator import sub
from typing import NamedTuple, cast

from detector.detection.derive import (
    derive,
    has_distinct,
    values_in,
    window_finding,
    window_spans,
)
from detector.detection.event import KeptEvent, Series
from detector.detection.finding import Facets, Finding, alert_id
from detector.detection.window import Hit, HitSpan, ListedHits
from detector.rules.rule import Rule
from detector.rules.rule_summary import WindowMode
from detector.store.segments.hit_columns import HitColumns, SeriesHits
from detector.workbench.window_counts import WindowCounts, is_counted

_NO_ROW = cast(KeptEvent, None)
"""Stands for the event of a hit, which is not needed to find spans."""
_COLD = 1 << 62
_WIDTHS = 16
"""The number of window widths whose counts are cached."""


class Firing(NamedTuple):
    """An alert reduced to what a comparison needs: its series, times and number of events.

    ``first`` and ``end`` are the indexes of its hits in the series if these are contiguous;
    otherwise ``finding`` is set."""

    series: Series
    start: int
    until: int
    first_event: int
    last_event: int
    events: int
    first: int = 0
    end: int = 0
    finding: Finding | None = None

    @property
    def alert_id(self) -> str:
        """The id that the alert has, or would have if the rule were in force."""
        if self.finding is not None:
            return self.finding.alert_id
        return alert_id(self.series.rule_id, self.start, self.series.key or ())

    @property
    def name(self) -> tuple[object, ...]:
        """A key that identifies the alert and is cheaper to compute than its id."""
        return self.series, self.start, self.finding.alert_id if self.finding else ""


class HeldRule:
    """The hits of a rule, and the alerts of its variants on them."""

    def __init__(self, rule: Rule, mode: WindowMode, columns: HitColumns) -> None:
        self.rule = rule
        self.mode = mode
        self._columns = columns
        self._found: dict[str, list[Firing]] = {}
        self._counts: dict[int, dict[Series, WindowCounts]] = {}
        self._tight: dict[tuple[int, int], int] = {}
        self._arns: dict[int, str | None] = {}
        """By ``id`` of a series' hits: the only calling ARN, or None if there are several."""

    @property
    def hits(self) -> int:
        """The number of hits held."""
        return len(self._columns)

    @property
    def span(self) -> tuple[int, int] | None:
        """The times of the first and the last hit; None without hits."""
        return self._columns.span

    def firings(self, variant: Rule) -> list[Firing]:
        """Return the alerts of a variant that counts the same hits, in order of time."""
        if variant.fingerprint not in self._found:
            found = sorted(
                self._derived(variant), key=lambda each: (each.first_event, each.name[2])
            )
            self._found[variant.fingerprint] = found
        return self._found[variant.fingerprint]

    def finding(self, variant: Rule, firing: Firing) -> Finding:
        """Build the full finding of an alert."""
        if firing.finding is not None:
            return firing.finding
        hits = self._series(variant)[firing.series]
        whole = self._columns.hits(hits, firing.first, firing.end)
        span = HitSpan(firing.start, firing.until, ListedHits(whole))
        finding = window_finding(variant, self.mode, firing.series.key or (), span)
        assert finding is not None
        return finding

    def principal(self, variant: Rule, firing: Firing) -> str:
        """Return the caller's ARN, the first in order of several; ``""`` if no caller has one."""
        if firing.finding is not None:
            return firing.finding.principal
        hits = self._series(variant)[firing.series]
        if id(hits) not in self._arns:
            every = {each.arn for each in set(hits.callers)}
            self._arns[id(hits)] = every.pop() if len(every) == 1 else None
        only = self._arns[id(hits)]
        if only is not None:
            return only
        arns = {each.arn for each in hits.callers[firing.first : firing.end]} - {""}
        return min(arns, default="")

    def facets(self, variant: Rule, firing: Firing) -> Facets:
        """Return the alert's callers and origins; error codes only if its finding is built."""
        if firing.finding is not None:
            return firing.finding.facets
        hits = self._series(variant)[firing.series]
        callers = set(hits.callers[firing.first : firing.end])
        return Facets(
            regions=sorted(set(hits.regions[firing.first : firing.end]) - {""}),
            accounts=sorted({each.caller_account for each in callers} - {""}),
            arns=sorted({each.arn for each in callers} - {""}),
            roles=sorted({each.role_arn for each in callers} - {""}),
            access_keys=sorted({each.access_key for each in callers} - {""}),
            identity_types=sorted({each.identity_type for each in callers} - {""}),
            source_addresses=sorted({each.source_address for each in callers} - {""}),
            user_agents=sorted({each.user_agent for each in callers} - {""}),
            error_codes=[],
            denied=0,
        )

    def series_hits(self, variant: Rule) -> Iterator[tuple[Series, SeriesHits]]:
        """Yield each series with its hits."""
        yield from self._series(variant).items()

    def whole_hits(self, hits: SeriesHits) -> list[Hit]:
        """Return the complete hits of a series, with their events."""
        return self._columns.hits(hits, 0, len(hits))

    def fires_sliding(
        self, variant: Rule, series: Series, hits: SeriesHits, first: int, end: int
    ) -> bool:
        """Tell whether a windowed rule would fire with sliding windows.

        Only windows that overlap the hits from index ``first`` to ``end`` count."""
        width = variant.query.window
        if variant.query.shape != "window" or width is None:
            return False
        begun, last = hits.times[first], hits.times[end - 1]
        near = bisect_left(hits.times, begun - width)
        light = _light_hits(hits, near, bisect_right(hits.times, last + width))
        spans = window_spans(variant, "sliding", series.key or (), light)
        return any(span.start <= last and span.end > begun for span in spans)

    def _series(self, variant: Rule) -> dict[Series, SeriesHits]:
        return cast(dict[Series, SeriesHits], self._columns.series(variant.query.window or 1))

    def _derived(self, variant: Rule) -> Iterator[Firing]:
        grouping = variant.query.grouping
        is_windowed = grouping is not None and not grouping.merges
        if is_counted(variant, self.mode):
            try:
                yield from self._counted_firings(variant)
                return
            except TypeError:  # an input is multivalued: evaluate each window below
                pass
        for series, hits in self._series(variant).items():
            if is_windowed:
                yield from self._window_firings(variant, series, hits)
            elif len(hits) >= variant.query.min_hits:
                yield from self._alert_firings(variant, series, hits)

    def _alert_firings(self, variant: Rule, series: Series, hits: SeriesHits) -> Iterator[Firing]:
        """Yield the alerts of a rule without windows."""
        if variant.query.shape == "terms":
            whole = self._run_starts(hits, variant.query.window or 1)
        else:
            whole = self.whole_hits(hits)
        for finding in derive(variant, self.mode, series.key or (), whole):
            start, until = finding.extent
            yield Firing(
                series,
                start,
                until,
                finding.first_event,
                finding.last_event,
                finding.event_count,
                finding=finding,
            )

    def _run_starts(self, hits: SeriesHits, history: int) -> list[Hit]:
        """Return the hits that no other hit of the series precedes by less than ``history``."""
        last = -_COLD
        starts = []
        for index, time in enumerate(hits.times):
            if time - last >= history:
                starts += self._columns.hits(hits, index, index + 1)
            last = time
        return starts

    def _counted_firings(self, variant: Rule) -> list[Firing]:
        """Return the alerts of a rule that depends only on the counts of each window."""
        query = variant.query
        width = query.window
        assert width is not None
        counted = self._counts.setdefault(width, {})
        if len(self._counts) > _WIDTHS:
            del self._counts[next(iter(self._counts))]
        found = []
        for series, hits in self._series(variant).items():
            times = hits.times
            if self._tightest(hits, query.min_hits) >= width:
                continue
            counts = counted.get(series)
            if counts is None:
                counts = counted[series] = WindowCounts(hits, width)
            for start, first, end in counts.passing(query.min_hits, query.min_distinct):
                found.append(
                    Firing(
                        series,
                        start,
                        start + width,
                        times[first],
                        times[end - 1],
                        end - first,
                        first,
                        end,
                    )
                )
        return found

    def _tightest(self, hits: SeriesHits, number: int) -> int:
        """Return the shortest time in seconds that spans ``number`` consecutive hits."""
        key = id(hits), number
        if key not in self._tight:
            lasts = islice(hits.times, number - 1, None)
            self._tight[key] = min(map(sub, lasts, hits.times), default=_COLD)
        return self._tight[key]

    def _window_firings(self, variant: Rule, series: Series, hits: SeriesHits) -> Iterator[Firing]:
        key = series.key or ()
        for first, end in _clusters(hits.times, variant):
            if not has_distinct(values_in(hits.inputs[first:end]), variant.query.min_distinct):
                continue
            light = _light_hits(hits, first, end)
            index = first
            for span in window_spans(variant, self.mode, key, light):
                index = hits.times.index(span.hits[0].time, index, end)
                yield Firing(
                    series,
                    span.start,
                    span.end,
                    span.hits[0].time,
                    span.hits[-1].time,
                    len(span.hits),
                    index,
                    index + len(span.hits),
                )


def _light_hits(hits: SeriesHits, first: int, end: int) -> list[Hit]:
    """Return hits with times and inputs only, without their events."""
    return [
        Hit(time, b"", inputs, _NO_ROW)
        for time, inputs in zip(hits.times[first:end], hits.inputs[first:end], strict=True)
    ]


def _clusters(times: Sequence[int], variant: Rule) -> Iterator[tuple[int, int]]:
    """Yield the (first, end) of runs of hits that may contain alerts.

    A hit outside all runs is in no span of ``width`` seconds with the minimum number of hits. Runs
    near each other are merged, because their alerts may merge."""
    query = variant.query
    width, least = query.window, query.min_hits
    assert width is not None
    if len(times) < least:
        return
    if least <= 1:
        yield 0, len(times)
        return
    reach = 2 * max(width, variant.gap)
    first, end = -1, -1
    lasts = islice(times, least - 1, None)
    dense = [
        index
        for index, (begun, last) in enumerate(zip(times, lasts, strict=False))
        if last - begun < width
    ]
    for index in dense:
        if first >= 0 and (index < end or times[index] - times[end - 1] < reach):
            end = index + least
            continue
        if first >= 0:
            yield first, end
        first, end = index, index + least
    if first >= 0:
        yield first, end
