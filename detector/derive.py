"""Windows -> alerts: what a rule says of a set of hits. A pure function, called for every window that has changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from detector.alert import Alert, Facets, Mode, Value, Window, alert_id
from detector.rules.rule import Rule
from detector.window import Hit, Span, sliding, tumbling


def derive(rule: Rule, mode: Mode, key: tuple[Value, ...], hits: Sequence[Hit],
           before: float = float("inf")) -> Iterator[Alert]:
    """The alerts of ``rule`` over ``hits`` of one series, which are in order of time.

    Sliding spans start ``before`` some time: where the caller has not all hits after it.
    """
    width = rule.query.window
    if width is None:
        yield from _events(rule, key, hits)
        return

    def columns(start: int, hits: Sequence[Hit]) -> dict[str, Value] | None:
        if len(hits) < rule.query.minimum:
            return None
        return rule.query.result(start, key, [hit.inputs for hit in hits])

    if mode == "tumbling":
        spans = tumbling(hits, width)
    else:
        spans = sliding(hits, width, lambda within: columns(within[0].event.time, within) is not None,
                        before)
    for span in spans:
        if (found := columns(span.start, span.hits)) is not None:
            yield _alert(rule, alert_id(rule.rule_id, span.start, key), Window(mode, span.start, span.end),
                         dict(zip(rule.query.key_names, key, strict=True)), found, span)


def _events(rule: Rule, key: tuple[Value, ...], hits: Sequence[Hit]) -> Iterator[Alert]:
    for hit in hits:
        time = hit.event.time
        if (found := rule.query.result(time, (), [hit.inputs])) is not None:
            yield _alert(rule, alert_id(rule.rule_id, hit.event.event_id, key), None, {}, found,
                         Span(time, time + 1, [hit]))


def _alert(rule: Rule, name: str, window: Window | None, key: dict[str, Value], columns: dict[str, Value],
           span: Span) -> Alert:
    events = [hit.event for hit in span.hits]
    return Alert(
        alert_id=name, rule=rule.summary, window=window, key=key, columns=columns,
        event_ids=sorted({event.event_id for event in events}),
        first_event=events[0].time, last_event=events[-1].time, facets=Facets.of(events),
    )
