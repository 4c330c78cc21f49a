"""Explains a rule's result for a principal or an event, as text and as a JSON object."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from detector.detection.event import Event
from detector.detection.record_search import Selector
from detector.ecs.fields import FieldTable
from detector.investigation.pivot import EventRow, Pivot, read_pivot
from detector.investigation.selectors import field_equals
from detector.rules.dispatch import Dispatch
from detector.sources.file_span import FileSpan
from detector.text.plural import plural
from detector.text.time import format_time
from detector.workbench.bench import Bench
from detector.workbench.conditions import ConditionAnswer, FilterConditions
from detector.workbench.explain import (
    CallerSelector,
    FilterFunnel,
    NearestWindow,
    callers_named,
    event_answers,
    nearest_windows,
    shape_note,
)
from detector.workbench.held_rule import Firing
from detector.workbench.variant import ParameterValues, VariantError

_EVER = 1 << 40
_MARKS = {True: "yes", False: "no", None: "?"}

EventRows = Callable[[Selector], Iterator[Sequence[EventRow]]]
"""Reads the events of a selector from the logs, in batches; each row includes its JSON."""


class Explanation(NamedTuple):
    """Why a rule fired or not: ``lines`` for display, ``content`` for JSON.

    Only for an event, ``unmet`` is the first condition that it does not satisfy, and ``windows``
    are the nearest windows that contain it."""

    lines: tuple[str, ...]
    content: dict[str, Any]
    unmet: str = ""
    windows: tuple[NearestWindow, ...] = ()


def rows_of_files(
    files: Callable[[Selector], Iterable[FileSpan]], warn: Callable[[str], None]
) -> EventRows:
    """Return a reader of events from files; ``warn`` receives the reason for each unread file."""

    def read(selector: Selector) -> Iterator[Sequence[EventRow]]:
        unread: tuple[str, ...] = ()
        request = Pivot("", selector, 0, _EVER, _EVER)
        for batch in read_pivot(request, files(selector), Dispatch([])):
            unread = batch.progress.unread
            yield batch.rows
        for reason in unread:
            warn(reason)

    return read


def explain_principal(
    bench: Bench, name: str, values: ParameterValues, fields: FieldTable, read: EventRows
) -> Explanation:
    """Explain a principal's windows, or, if it has no hits, which conditions exclude its events.

    The variant with ``values`` is explained. Raises VariantError."""
    rule, held = bench.maker.rule_with(values), bench.held(values)
    is_wanted = callers_named(name)
    firings = [each for each in held.firings(rule) if name in held.facets(rule, each).names]
    lines = [f"{rule.name}: {rule.meaning}", f"{name}: {_alerts_text(firings)}"]
    windows = nearest_windows(held, rule, is_wanted)
    lines += _window_lines(windows)
    content: dict[str, Any] = {
        "principal": name,
        "alerts": [each.alert_id for each in firings],
        "windows": [each.as_json() for each in windows],
    }
    series = (hits for _, hits in held.series_hits(rule))
    if any(is_wanted(caller) for hits in series for caller in set(hits.callers)):
        if not windows:
            lines.append(f"  {shape_note(rule)}")
        return Explanation(tuple(lines), content)
    funnel = FilterFunnel(rule, fields)
    for rows in read(CallerSelector(name)):
        funnel.add(rows)
    counts = funnel.counts()
    if funnel.events:
        total = plural(funnel.events, "event")
        lines.append(f"  none of its {total} passes the filter; events that meet each condition:")
        lines += [f"  {count:8,}  {_stepped(step, text)}" for step, text, count in counts]
    else:
        lines.append("  the logs have no event by this principal")
    content["events"] = funnel.events
    content["conditions"] = [
        {"step": step or None, "condition": text, "events": count} for step, text, count in counts
    ]
    return Explanation(tuple(lines), content)


def explain_event(
    bench: Bench, event_id: str, values: ParameterValues, fields: FieldTable, read: EventRows
) -> Explanation:
    """Explain the answers of the conditions for an event, and the windows that contain it.

    The variant with ``values`` is explained. Raises VariantError if the logs lack the event."""
    rule = bench.maker.rule_with(values)
    selector = field_equals(fields["event.id"], event_id)
    found = next((row for rows in read(selector) for row in rows), None)
    if found is None:
        raise VariantError(f"{event_id}: no such event in the logs")
    event = found.event
    steps = event_answers(FilterConditions(rule, fields), found.raw, event)
    passes = any(all(answer.holds for answer in answers) for _, answers in steps)
    windows: list[NearestWindow] = []
    if passes:
        windows = nearest_windows(
            bench.held(values), rule, lambda caller: caller.arn == event.arn, event.time
        )
    lines = [f"{rule.name}: {rule.meaning}", _event_line(event)]
    lines += [
        f"  {_MARKS[answer.holds]:>3}  {_stepped(step, answer.text)}{_met(answer)}"
        for step, answers in steps
        for answer in answers
    ]
    if passes and not windows:
        lines.append(f"  it passes the filter; {shape_note(rule)}")
    lines += _window_lines(windows)
    content = {
        "event_id": event.event_id,
        "passes": passes,
        "conditions": [
            {
                "step": step or None,
                "condition": answer.text,
                "holds": answer.holds,
                "value": answer.value,
            }
            for step, answers in steps
            for answer in answers
        ],
        "windows": [each.as_json() for each in windows],
    }
    unmet = "" if passes else _first_unmet(steps)
    return Explanation(tuple(lines), content, unmet, tuple(windows))


def _first_unmet(steps: Sequence[tuple[str, Sequence[ConditionAnswer]]]) -> str:
    return next(
        _stepped(step, answer.text)
        for step, answers in steps
        for answer in answers
        if answer.holds is not True
    )


def _alerts_text(firings: Sequence[Firing]) -> str:
    if not firings:
        return "no alert"
    newest = firings[-1]
    times = format_time(newest.first_event)
    if newest.last_event > newest.first_event:
        times += f" – {format_time(newest.last_event)}"
    return f"{plural(len(firings), 'alert')}, the latest {times}"


def _window_lines(windows: Sequence[NearestWindow]) -> Iterator[str]:
    for each in windows:
        yield f"  {'fires' if each.fires else 'nearest'}: {each.sentence}"
        for line in each.lines():
            yield f"    {line}"


def _event_line(event: Event) -> str:
    caller = event.arn or "(no ARN)"
    return f"{event.action} by {caller} in {event.region}, {format_time(event.time)}"


def _met(answer: ConditionAnswer) -> str:
    return f": {answer.value}" if answer.value else ""


def _stepped(step: str, text: str) -> str:
    return f"{step}: {text}" if step else text
