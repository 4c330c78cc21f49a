"""Derivation: a pure function from a series' hits to a rule's findings."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from itertools import pairwise
from typing import Any

from detector.detection import sequences, window
from detector.detection.event import EVENT_TIME
from detector.detection.finding import Finding, Window, alert_id
from detector.detection.window import Hit, HitSeries, HitSpan, ListedHits, as_series
from detector.ecs.values import Value
from detector.esql.plan.accumulators import Inputs
from detector.esql.plan.grouping import HitGroup
from detector.rules.rule import Rule
from detector.rules.rule_summary import WindowMode


def max_gap(rule: Rule, mode: WindowMode) -> int:
    """Return the seconds over which the hits of a series affect each other.

    0: each tumbling window is independent.
    """
    query = rule.query
    if query.window is None or (query.shape == "window" and mode == "tumbling" and not rule.gap):
        return 0
    return max(query.window, rule.gap)


def supersede_window(rule: Rule) -> int:
    """Return the seconds within which a new alert supersedes a withdrawn one.

    An overlapping alert is superseded in any case. Only rules for new terms need more: their alert
    moves when an earlier event with the new value arrives.
    """
    if rule.query.shape != "terms":
        return 0
    assert rule.query.window is not None
    return rule.query.window


def derive(
    rule: Rule,
    mode: WindowMode,
    key: tuple[Value, ...],
    hits: Sequence[Hit],
    start: float = -math.inf,
    end: float = math.inf,
) -> Iterator[Finding]:
    """Derive the findings of a rule that begin in ``[start, end)``.

    ``hits`` are those of one series in order of time, including those up to ``max_gap`` before
    ``start`` and after ``end``, since they affect the alerts."""
    query, series = rule.query, as_series(hits)
    match query.shape:
        case "filter" if query.window is None:
            for hit in series:
                yield _event_finding(rule, key, hit, {})
        case "filter":
            yield from _grouped_events(rule, key, series, start, end)
        case "terms":
            yield from _new_terms(rule, key, series, start, end)
        case "sequence":
            yield from _sequences(rule, key, series, start, end)
        case _ if max_gap(rule, mode):
            yield from _windows(rule, mode, key, series, start, end)
        case _:
            yield from _separate_windows(rule, mode, key, series, start, end)


def _windows(
    rule: Rule,
    mode: WindowMode,
    key: tuple[Value, ...],
    hits: HitSeries,
    start: float,
    end: float,
) -> Iterator[Finding]:
    """Derive the alerts of a rule with aggregates whose windows affect each other."""
    for span in window_spans(rule, mode, key, hits, start, end):
        finding = window_finding(rule, mode, key, span)
        if finding is not None:
            yield finding


def _separate_windows(
    rule: Rule,
    mode: WindowMode,
    key: tuple[Value, ...],
    hits: HitSeries,
    start: float,
    end: float,
) -> Iterator[Finding]:
    """Derive the alerts of windows that neither overlap nor are merged.

    One result row decides whether a window is an alert and what the alert shows."""
    query = rule.query
    width = query.window
    assert width is not None
    for begun, first, last in window.epoch_windows(hits.times, width):
        if last - first < query.min_hits or not start <= begun < end:
            continue
        span = HitSpan(begun, begun + width, hits[first:last])
        columns = query.result(begun, key, span.hits.inputs(), span.end)
        if columns is not None:
            yield _window_finding(rule, mode, key, span, columns)


def window_finding(
    rule: Rule, mode: WindowMode, key: tuple[Value, ...], span: HitSpan
) -> Finding | None:
    """Make the finding of a span from ``window_spans``; None if the query returns no row for it."""
    query = rule.query
    inputs = span.hits.inputs()
    columns = query.result(span.start, key, inputs, span.end)
    if columns is None:  # parts of a merged span meet the conditions, the whole does not
        columns = query.result(span.start, key, inputs, span.end, conditions=False)
    if columns is None:
        return None
    return _window_finding(rule, mode, key, span, columns)


def _window_finding(
    rule: Rule,
    mode: WindowMode,
    key: tuple[Value, ...],
    span: HitSpan,
    columns: dict[str, Value],
) -> Finding:
    return _finding(
        rule,
        alert_id(rule.rule_id, span.start, key),
        Window("sliding" if rule.query.shape == "lookback" else mode, span.start, span.end),
        rule.query.format_key(key),
        columns,
        span.hits,
    )


def window_spans(
    rule: Rule,
    mode: WindowMode,
    key: tuple[Value, ...],
    hits: Sequence[Hit],
    start: float = -math.inf,
    end: float = math.inf,
) -> Iterator[HitSpan]:
    """Find the windows, merged into spans, for which a rule with aggregates raises an alert.

    The arguments are those of ``derive``; only the hits' times and inputs are read."""
    query = rule.query
    looks_back = query.shape == "lookback"
    width = query.window
    assert width is not None

    def meets(group: HitGroup, window_start: int) -> bool:
        # A lookback span is anchored at its last hit.
        anchor = window_start + width - 1 if looks_back else window_start
        return (
            start <= anchor < end
            and len(group) >= query.min_hits
            and query.group_passes(group, window_start, key, window_start + width)
        )

    series = as_series(hits)
    inputs = series.inputs()
    if not may_raise_alert(rule, len(inputs), values_in(inputs)):
        return
    if looks_back:
        find_starts = window.lookback
    elif mode == "sliding":
        find_starts = window.sliding
    else:
        find_starts = window.tumbling
    starts = find_starts(series.times, inputs, width, query.sliding_aggregator, meets)
    # Tumbling windows never overlap; they are merged only if the rule has a gap.
    yield from window.merge_spans(series, starts, width, rule.gap)


DistinctValues = Callable[[int], Set[Any]]
"""Returns the distinct values of the hits' input at an index; TypeError if some are lists.

They may include ``EVENT_TIME``, a placeholder for times that differ."""


def values_in(inputs: Sequence[Inputs]) -> DistinctValues:
    """Return a function that collects the distinct values in rows of inputs."""
    return lambda index: {row[index] for row in inputs}


def may_raise_alert(rule: Rule, count: int, values: DistinctValues) -> bool:
    """Return whether ``count`` hits of a series may be enough for an alert; True if unknown."""
    query = rule.query
    if count < query.min_hits:
        return False
    if query.grouping is None or query.grouping.merges:
        return True
    return has_distinct(values, query.min_distinct)


def is_long_enough(rule: Rule, first: int, last: int) -> bool:
    """Return whether the span of hits' times may be long enough for an alert; True if unknown.

    ``first`` and ``last`` are in epoch seconds, and are the times in the hits' inputs."""
    return all(least.has(first, last) for least in rule.query.min_spans)


def has_distinct(values: DistinctValues, least: Iterable[tuple[int, int]]) -> bool:
    """Return whether hits may have enough distinct values; True if unknown.

    ``least`` are pairs of an input's index and the least number of its distinct values."""
    for index, number in least:
        try:
            distinct = values(index)
        except TypeError:  # a hit with several values has a list
            continue
        if len(distinct) < number and EVENT_TIME not in distinct:
            return False
    return True


def _grouped_events(
    rule: Rule, key: tuple[Value, ...], hits: HitSeries, start: float, end: float
) -> Iterator[Finding]:
    """Derive one alert for an event and the events that follow within the rule's gap."""
    gap = rule.query.window
    assert gap is not None
    times = [time for time in hits.times if start <= time < end]
    for span in window.merge_spans(hits, times, 1, gap):
        yield _finding(
            rule,
            alert_id(rule.rule_id, span.start, key),
            Window("sliding", span.start, span.end),
            rule.query.format_key(key),
            rule.query.result(span.start, key, [span.hits[0].inputs]) or {},
            span.hits,
        )


def _new_terms(
    rule: Rule, key: tuple[Value, ...], hits: Sequence[Hit], start: float, end: float
) -> Iterator[Finding]:
    """Derive an alert for each hit that has no other hit within the history before it."""
    history = rule.query.window
    assert history is not None
    last: int | None = None
    for hit in hits:
        time = hit.time
        if (last is None or time - last >= history) and start <= time < end:
            yield _event_finding(rule, key, hit, rule.query.format_key(key))
        last = time


def _sequences(
    rule: Rule, key: tuple[Value, ...], hits: Sequence[Hit], start: float, end: float
) -> Iterator[Finding]:
    """Derive an alert for each span of overlapping sequences that complete in ``[start, end)``."""
    query = rule.query
    assert query.sequence is not None and query.window is not None
    complete = (
        (first, last)
        for first, last in sequences.find_sequences(hits, query.sequence, query.window)
        if start <= last < end
    )
    for span in sequences.sequence_spans(hits, complete, query.sequence.ending):
        key_columns = query.format_key(key)
        yield _finding(
            rule,
            alert_id(rule.rule_id, span.start, key),
            Window("sliding", span.start, span.end),
            key_columns,
            query.common_result(span.hits.inputs()) | key_columns,
            span.hits,
        )


def _event_finding(
    rule: Rule, key: tuple[Value, ...], hit: Hit, alert_key: dict[str, Value]
) -> Finding:
    event_id = hit.row.id_of(hit.identity)
    if rule.query.window is None:
        key = (hit.row.client.account, event_id)
    return _finding(
        rule,
        alert_id(rule.rule_id, event_id, key),
        None,
        alert_key,
        rule.query.result(hit.time, (), [hit.inputs]) or {},
        ListedHits([hit]),
    )


def _finding(
    rule: Rule,
    name: str,
    alert_window: Window | None,
    key: dict[str, Value],
    columns: dict[str, Value],
    hits: HitSeries,
) -> Finding:
    return Finding(
        alert_id=name,
        rule=rule.summary,
        window=alert_window,
        key=key,
        columns=columns,
        event_ids=_distinct(sorted(hits.event_ids())),
        first_event=hits.times[0],
        last_event=hits.times[-1],
        facets=hits.facets(),
    )


def _distinct(ordered: list[str]) -> list[str]:
    """Return sorted texts without duplicates; no set is built unless there are some."""
    if any(before == text for before, text in pairwise(ordered)):
        return list(dict.fromkeys(ordered))
    return ordered
