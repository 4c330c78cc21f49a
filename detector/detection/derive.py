"""Windows -> alerts: what a rule says of a set of hits. A pure function, called for every window that has changed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from detector.detection import window
from detector.detection.alert import Alert, Facets, Window, alert_id
from detector.detection.window import Hit, HitSpan
from detector.ecs.values import Value
from detector.esql.plan.accumulators import SlidingAggregator
from detector.rules.rule import Rule
from detector.rules.rule_summary import WindowMode


def max_gap(rule: Rule, mode: WindowMode) -> int:
    """How far apart hits of one series may be, in seconds, and still tell on each other beyond
    their bucket.

    0: each bucket stands by itself.
    """
    query = rule.query
    if query.window is None or (query.shape == "window" and mode == "tumbling" and not rule.gap):
        return 0
    return max(query.window, rule.gap)


def supersede_window(rule: Rule) -> int:
    """Within how many seconds an alert takes the place of another of its series that is no more,
    beside overlapping.

    The first sight of something moves when an earlier one becomes known.
    """
    return rule.query.window or 0 if rule.query.shape == "terms" else 0


def derive(
    rule: Rule,
    mode: WindowMode,
    key: tuple[Value, ...],
    hits: Sequence[Hit],
    start: float = -math.inf,
    end: float = math.inf,
) -> Iterator[Alert]:
    """The alerts of ``rule`` over ``hits`` of one series, which are in order of time.

    Only what begins in ``[start, end)``: hits before and after, as far as ``max_gap``, are there to
    tell on it."""
    query = rule.query
    match query.shape:
        case "filter" if query.window is None:
            for hit in hits:
                yield _event(rule, key, hit, {})
        case "filter":
            yield from _together(rule, key, hits, start, end)
        case "terms":
            yield from _firsts(rule, key, hits, start, end)
        case _:
            yield from _groups(rule, mode, key, hits, start, end)


def _groups(
    rule: Rule,
    mode: WindowMode,
    key: tuple[Value, ...],
    hits: Sequence[Hit],
    start: float,
    end: float,
) -> Iterator[Alert]:
    query = rule.query
    looks_back = query.shape == "lookback"
    width = query.window
    assert width is not None

    def meets(group: SlidingAggregator, at: int) -> bool:
        begins = at + width - 1 if looks_back else at  # by the hit that a span is known by
        return (
            start <= begins < end
            and len(group) >= query.min_hits
            and query.group_passes(group, at, key, at + width)
        )

    cut = (
        window.lookback if looks_back else window.sliding if mode == "sliding" else window.tumbling
    )
    starts = cut(hits, width, query.sliding_aggregator, meets)
    # Two tumbling windows never overlap, and stay two unless the rule puts together what lies
    # close.
    for span in window.merge_spans(hits, starts, width, max(width, rule.gap)):
        inputs = [hit.inputs for hit in span.hits]
        columns = query.result(span.start, key, inputs, span.end)
        if columns is None:  # it holds of parts of the span, not of it all
            columns = query.result(span.start, key, inputs, span.end, conditions=False)
        if columns is not None:
            about = Window("sliding" if looks_back else mode, span.start, span.end)
            yield _alert(
                rule,
                alert_id(rule.rule_id, span.start, key),
                about,
                query.format_key(key),
                columns,
                span,
            )


def _together(
    rule: Rule, key: tuple[Value, ...], hits: Sequence[Hit], start: float, end: float
) -> Iterator[Alert]:
    """Events of a rule that puts together what lies close: one alert for all that follow on each
    other."""
    times = [hit.event.time for hit in hits]
    for span in window.merge_spans(hits, _ascending(times), 1, rule.query.window or 1):
        if start <= span.start < end:
            columns = rule.query.result(span.start, key, [span.hits[0].inputs]) or {}
            yield _alert(
                rule,
                alert_id(rule.rule_id, span.start, key),
                Window("sliding", span.start, span.end),
                rule.query.format_key(key),
                columns,
                span,
            )


def _ascending(times: Iterable[int]) -> Iterator[int]:
    last: int | None = None
    for time in times:
        if time != last:
            yield time
        last = time


def _firsts(
    rule: Rule, key: tuple[Value, ...], hits: Sequence[Hit], start: float, end: float
) -> Iterator[Alert]:
    """The hits with none before them for as long as the rule remembers."""
    last: int | None = None
    for hit in hits:
        time = hit.event.time
        if (last is None or time - last >= (rule.query.window or 0)) and start <= time < end:
            yield _event(rule, key, hit, rule.query.format_key(key))
        last = time


def _event(rule: Rule, key: tuple[Value, ...], hit: Hit, shown: dict[str, Value]) -> Alert:
    time = hit.event.time
    return _alert(
        rule,
        alert_id(rule.rule_id, hit.event.event_id, key),
        None,
        shown,
        rule.query.result(time, (), [hit.inputs]) or {},
        HitSpan(time, time + 1, [hit]),
    )


def _alert(
    rule: Rule,
    name: str,
    about: Window | None,
    key: dict[str, Value],
    columns: dict[str, Value],
    span: HitSpan,
) -> Alert:
    events = [hit.event for hit in span.hits]
    return Alert(
        alert_id=name,
        rule=rule.summary,
        window=about,
        key=key,
        columns=columns,
        event_ids=sorted({event.event_id for event in events}),
        first_event=events[0].time,
        last_event=events[-1].time,
        facets=Facets.of(events),
    )
