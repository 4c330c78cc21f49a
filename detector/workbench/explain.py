"""Explain, window by window, why a rule did or did not fire for a principal; find near misses."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from detector.cloudtrail.record import Record, decode
from detector.detection.baseline import principal_of
from detector.detection.event import Event, EventClient, Series
from detector.detection.principal import required_substring, session_principal
from detector.ecs.fields import FieldTable
from detector.esql import ast
from detector.esql.plan.query import Query
from detector.esql.tree_walk import walk
from detector.investigation.pivot import EventRow
from detector.rules.rule import Rule
from detector.store.segments.hit_columns import SeriesHits
from detector.text.plural import counted, plural
from detector.text.time import format_duration, format_exact, format_time
from detector.workbench.candidates import noun_of
from detector.workbench.conditions import ConditionAnswer, FilterConditions, threshold_answers
from detector.workbench.held_rule import Firing, HeldRule


class NearestWindow(NamedTuple):
    """The window of a series that is an alert or comes nearest to one.

    ``share`` is the smallest ratio of a number to its threshold, at most 1. ``seconds`` is the time
    from the first to the last hit. ``later`` says when the missing events came, or is ``""``."""

    series: Series
    principal: str
    fires: bool
    share: float
    start: int
    until: int
    seconds: int
    events: int
    answers: tuple[ConditionAnswer, ...]
    later: str

    def lines(self) -> Iterator[str]:
        """Yield the window and each condition with its answer, as lines of text."""
        yield (
            f"{plural(self.events, 'event')} in {_seconds(self.seconds)}, "
            f"window {format_time(self.start)} – {format_time(self.until)}"
        )
        for answer in self.answers:
            mark = {True: "yes", False: "no", None: "?"}[answer.holds]
            yield f"{mark:>3}  {answer.text}: {answer.value or 'not shown by the query'}"

    @property
    def sentence(self) -> str:
        """What is missing, on one line: ``9 of 10 regions in 34 s; the 10th came 6 s later``."""
        short = [answer for answer in self.answers if answer.holds is not True]
        met = ", ".join(map(_measure, short or self.answers)) or plural(self.events, "event")
        later = f"; {self.later}" if self.later else ""
        return f"{met} in {_seconds(self.seconds)}{later}"

    def as_json(self) -> dict[str, Any]:
        """Return the object that ``--format jsonl`` prints."""
        return {
            "principal": self.principal or None,
            "key": list(self.series.key or ()),
            "fires": self.fires,
            "share": round(self.share, 4),
            "start": format_time(self.start),
            "end": format_time(self.until),
            "events": self.events,
            "seconds": self.seconds,
            "conditions": [
                {"condition": each.text, "holds": each.holds, "value": each.value}
                for each in self.answers
            ],
            "later": self.later or None,
        }


def callers_named(name: str) -> Callable[[EventClient], bool]:
    """Return a test for callers that are the principal ``name``: an ARN, role, session or key."""

    def is_named(caller: EventClient) -> bool:
        return _is_named(caller, name)

    return is_named


def _is_named(caller: EventClient | Event, name: str) -> bool:
    own = (caller.arn, caller.role_arn, caller.access_key)
    return name in own or (bool(caller.arn) and principal_of(caller.arn) == name)


class CallerSelector(NamedTuple):
    """Selects the events of the principal ``name``: an ARN, a role, a session or a key."""

    name: str

    def includes(self, event: Event, _record: Record) -> bool:
        return _is_named(event, self.name)

    def principal_keys(self) -> frozenset[str] | None:
        if ":role/" not in self.name:
            return frozenset({principal_of(self.name), self.name})
        session = session_principal(self.name)
        return None if session is None else frozenset({session})

    def required_substrings(self) -> list[bytes] | None:
        part = required_substring(self.name.rpartition(":")[2])
        return None if part is None else [part]


def nearest_windows(
    held: HeldRule,
    rule: Rule,
    is_wanted: Callable[[EventClient], bool] | None = None,
    time: int | None = None,
) -> list[NearestWindow]:
    """Return the nearest window of each series; windows that fire come first.

    ``is_wanted`` restricts them to series with a hit by such a caller, ``time`` to windows with a
    hit at that time. The list is empty for a rule that does not count over windows."""
    if rule.query.shape not in ("window", "lookback") or not _requirements(rule.query):
        return []
    firing: dict[Series, Firing] = {}
    for each in held.firings(rule):
        known = firing.get(each.series)
        is_there = time is None or each.first_event <= time <= each.last_event
        if is_there and (known is None or each.events > known.events):
            firing[each.series] = each
    found = []
    for series, hits in held.series_hits(rule):
        if is_wanted is not None and not any(map(is_wanted, set(hits.callers))):
            continue
        if time is None or time in hits.times:
            found.append(_nearest(held, rule, series, hits, firing.get(series), time))
    return sorted(found, key=lambda each: (-each.share, -each.events, each.principal))


def near_misses(held: HeldRule, rule: Rule, least_share: float = 0.5) -> list[NearestWindow]:
    """Return the windows that nearly became alerts of a rule, the nearest first."""
    return [
        each for each in nearest_windows(held, rule) if not each.fires and each.share >= least_share
    ]


class _Requirement(NamedTuple):
    """A minimum number of distinct values of an input, or of events if ``input`` is None."""

    input: int | None
    least: int


def _requirements(query: Query) -> list[_Requirement]:
    """Return the minimums above 1 that a window must reach."""
    found = [_Requirement(index, least) for index, least in query.min_distinct]
    found.append(_Requirement(None, query.min_hits))
    return [each for each in found if each.least > 1]


def _nearest(
    held: HeldRule,
    rule: Rule,
    series: Series,
    hits: SeriesHits,
    firing: Firing | None,
    time: int | None,
) -> NearestWindow:
    query, width = rule.query, rule.query.window or 1
    if firing is not None and firing.end:
        start, until, first, end = firing.start, firing.until, firing.first, firing.end
        share = 1.0
    else:
        aligned = query.shape == "window" and held.mode == "tumbling"
        share, first, end = _best(hits, width, _requirements(query), aligned, time)
        start = hits.times[first]
        if aligned:
            start = start // width * width
        elif query.shape == "lookback":
            start = hits.times[end - 1] - width + 1
        until = start + width
    columns = query.result(start, series.key or (), hits.inputs[first:end], until, conditions=False)
    answers = tuple(threshold_answers(query, columns))
    arns = {each.arn for each in hits.callers[first:end]} - {""}
    return NearestWindow(
        series,
        min(arns, default=""),
        firing is not None,
        min([share, *_unmet_shares(answers)]),
        start,
        until,
        hits.times[end - 1] - hits.times[first],
        end - first,
        answers,
        "" if firing else _later(held, rule, series, hits, first, end),
    )


def _best(
    hits: SeriesHits,
    width: int,
    requirements: Sequence[_Requirement],
    aligned: bool,
    wanted: int | None = None,
) -> tuple[float, int, int]:
    """Return the share and the (first, end) hits of the window that comes nearest to an alert.

    With ``wanted``, only windows that span this time count. Windows are any ``width`` seconds, or
    those of the clock if ``aligned``."""
    best = (-1.0, 0.0, 0, 0)
    counters = [Counter[object]() for _ in requirements]
    first = 0
    for end, time in enumerate(hits.times, start=1):
        for requirement, counter in zip(requirements, counters, strict=True):
            if requirement.input is not None:
                counter[_value(hits, end - 1, requirement.input)] += 1
        begin = time // width * width if aligned else time - width + 1
        while hits.times[first] < begin:
            _drop(hits, first, requirements, counters)
            first += 1
        if not _ends_window(hits.times, end, width, aligned):
            continue
        shares = [
            min(1.0, (end - first if each.input is None else len(counter)) / each.least)
            for each, counter in zip(requirements, counters, strict=True)
        ]
        candidate = (min(shares), sum(shares), first, end)
        is_there = wanted is None or hits.times[first] <= wanted <= time
        if is_there and candidate[:2] > best[:2]:
            best = candidate
    return best[0], best[2], best[3]


def _ends_window(times: Sequence[int], end: int, width: int, aligned: bool) -> bool:
    """Tell whether the hit before index ``end`` is the last hit of its window."""
    if end == len(times):
        return True
    if aligned:
        return times[end] // width != times[end - 1] // width
    return times[end] != times[end - 1]


def _drop(
    hits: SeriesHits,
    index: int,
    requirements: Sequence[_Requirement],
    counters: Sequence[Counter[object]],
) -> None:
    for requirement, counter in zip(requirements, counters, strict=True):
        if requirement.input is not None:
            value = _value(hits, index, requirement.input)
            counter[value] -= 1
            if not counter[value]:
                del counter[value]


def _later(
    held: HeldRule, rule: Rule, series: Series, hits: SeriesHits, first: int, end: int
) -> str:
    """Say how late the missing events came, or that a window boundary separates them."""
    width, requirements = rule.query.window or 1, _requirements(rule.query)
    could_fire = (
        held.mode == "tumbling"
        and _best(hits, width, requirements, aligned=False, wanted=hits.times[first])[0] >= 1
    )
    if could_fire and held.fires_sliding(rule, series, hits, first, end):
        return (
            f"within any {format_exact(width)} it would fire, but the clock parts them: "
            "--window sliding"
        )
    sentences = []
    for index, least in requirements:
        values = {_value(hits, at, index) for at in range(first, end)}
        if len(values) >= least:
            continue
        last = hits.times[end - 1]
        for at in range(end, len(hits)):
            if hits.times[at] - last > max(10 * width, 60):
                break
            values.add(_value(hits, at, index))
            if len(values) == least:
                name = "event" if index is None else _counted_noun(rule.query)
                wait = _seconds(hits.times[at] - last)
                sentences.append((index is None, f"the {_ordinal(least)} {name} came {wait} later"))
                break
    if not sentences:
        return ""
    return min(sentences)[1]


def _counted_noun(query: Query) -> str:
    """Return the singular noun for the distinct values that a query counts."""
    fields = {
        node.arguments[0].name
        for node in walk(query.tree)
        if isinstance(node, ast.Call)
        and node.name == "count_distinct"
        and isinstance(node.arguments[0], ast.Column)
    }
    if len(fields) != 1:
        return "value"
    noun = noun_of(fields.pop())
    return noun.removesuffix("es" if noun.endswith("sses") else "s")


_AT_LEAST = re.compile(r"([≥>])([0-9]+) (.+)")


def _unmet_shares(answers: Iterable[ConditionAnswer]) -> Iterator[float]:
    """Yield the ratio of value to minimum for each minimum that is not reached."""
    for answer in answers:
        needed = _AT_LEAST.fullmatch(answer.text)
        if answer.holds is False and needed and answer.value.isdecimal():
            least = int(needed[2]) + (needed[1] == ">")
            yield int(answer.value) / least


def _measure(answer: ConditionAnswer) -> str:
    """Format a condition with its value: ``9 of 10 regions``."""
    needed = _AT_LEAST.fullmatch(answer.text)
    if needed is None:
        return f"{answer.value} (needs {answer.text})"
    sign, number, noun = needed.groups()
    if answer.holds:
        return counted(answer.value, noun)
    if sign == ">":
        return f"{counted(answer.value, noun)} (needs more than {number})"
    return f"{answer.value} of {number} {noun}"


def _value(hits: SeriesHits, at: int, index: int | None) -> object:
    """Return what is counted for a hit: its index, or the value of an input."""
    if index is None:
        return at
    value = hits.inputs[at][index]
    return tuple(value) if isinstance(value, list) else value


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def _seconds(seconds: int) -> str:
    return format_duration(seconds) if seconds else "under 1 s"


class FilterFunnel:
    """Counts how many events satisfy each condition of a rule's filter."""

    def __init__(self, rule: Rule, fields: FieldTable) -> None:
        self._conditions = FilterConditions(rule, fields)
        self.events = 0
        self.passed = 0
        self._counts: Counter[tuple[str, str]] = Counter()
        self._rule = rule

    def add(self, rows: Sequence[EventRow]) -> None:
        """Evaluate the conditions on events; the rows must include their JSON."""
        for row in rows:
            self.events += 1
            record = decode(row.raw)
            if self._rule.query.rows(record, row.event.time):
                self.passed += 1
            for step, answers in self._conditions.answers(record, row.event.time):
                for answer in answers:
                    self._counts[step, answer.text] += bool(answer.holds)

    def counts(self) -> list[tuple[str, str, int]]:
        """Return each step and condition with the number of events that satisfy it."""
        return [
            (step, text, self._counts[step, text])
            for step, conditions in self._conditions.steps
            for text, _, _ in conditions
        ]


def event_answers(
    conditions: FilterConditions, raw: bytes, event: Event
) -> list[tuple[str, list[ConditionAnswer]]]:
    """Return the answers of the conditions for an event with the JSON ``raw``, by step."""
    return conditions.answers(decode(raw), event.time)


def shape_note(rule: Rule) -> str:
    """Say when a rule fires that does not count over windows."""
    query = rule.query
    match query.shape:
        case "terms":
            return f"fires on the first event after {format_exact(query.window or 0)} without one"
        case "sequence":
            return (
                f"fires where its steps follow each other within {format_exact(query.window or 0)}"
            )
        case "filter":
            return "each event that passes is an alert"
    return "the rule has no least number to measure near misses by"
