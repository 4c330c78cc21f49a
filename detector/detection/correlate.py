"""Signals -> flags on an alert: what else its principal did near its window, and what is unusual about it.

Signals are events of the alert's lineage, within ``SIGNAL_REACH`` of its window, that a flag rule lets through. They are found
in the logs again, in the files whose span of event times overlaps, and kept as a set for each alert; the baseline is
made of spans. So an alert's flags depend on the records alone: what arrives later is searched when it arrives, and
revises them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import msgspec

from detector.cloudtrail.record import EventSignature, Head, Record
from detector.cloudtrail.tool_signatures import tool_signatures, tool_signatures_of
from detector.detection.alert import Alert, Flag, Risk
from detector.detection.baseline import Baseline, is_new
from detector.detection.event import Event
from detector.detection.principal import STS, RelatedPrincipals
from detector.detection.principal_index import PrincipalIndex, related_hashes
from detector.detection.record_search import ChunkRequest, SearchRequest, search_file
from detector.detection.risk import RiskTable
from detector.rules.dispatch import Dispatch
from detector.rules.rule import Rule

SIGNAL_REACH = 30 * 60
"""Seconds before and after a window within which an event of the same principal speaks of the
alert."""


class Signals(msgspec.Struct):
    """What a search found for one alert: its signals by flag, and its lineage with what it learned
    of it."""

    lineage: RelatedPrincipals
    events: dict[str, list[Event]]


class AlertContext(msgspec.Struct, frozen=True):
    """What is known around an alert."""

    flags: list[Flag]
    baseline: Baseline | None
    risk: Risk | None


class PendingSearch(NamedTuple):
    """An alert to search for: ``searched`` is the file sequence up to which it was, ``own`` are its
    own events."""

    request: SearchRequest[RelatedPrincipals]
    searched: int
    own: Sequence[Event]


class ChunkRef(NamedTuple):
    """A chunk of a file: its first and last event time, who is in it, and the sequence of the
    file."""

    path: str
    offset: int
    first: int
    last: int
    principal_index: bytes
    sequence: int


class Signal(NamedTuple):
    """An event of the lineage of the alert ``name``: the flags that speak of it; none where it only
    opens a session."""

    name: str
    event: Event
    flags: tuple[str, ...]


ChunkRequests = Mapping[int, ChunkRequest[RelatedPrincipals]]
"""What is looked for in the chunks of a file, by their offset."""


def find_signals(path: str, watches: ChunkRequests, flagging: Dispatch) -> Iterator[Signal]:
    """The signals in a file for the watches of each chunk, by its offset."""

    def telling(call: EventSignature) -> bool:
        """Whether such a record may be a signal, or open a session."""
        return bool(flagging.rules_for(call)) or Head(None, *call).event_source == STS

    for watch, event, record, _raw in search_file(path, watches, telling):
        flags = flags_of(event, record, flagging)
        if flags or event.issued_key:
            yield Signal(watch.name, event, flags)


def collect_signals(due: Sequence[PendingSearch], found: Iterable[Signal]) -> dict[str, Signals]:
    """The signals of each alert, from those of all files. An alert that has nothing near it has no
    entry."""
    signals: dict[str, Signals] = {}
    issuing: dict[str, list[Event]] = defaultdict(list)
    lineages = {each.request.name: each.request.selector for each in due}
    own = {
        each.request.name: {(event.account, event.event_id) for event in each.own} for each in due
    }
    for name, event, flags in found:
        near = signals.setdefault(name, Signals(lineages[name], defaultdict(list)))
        if event.issued_key:
            issuing[name].append(event)
        if (event.account, event.event_id) not in own[name]:
            for flag in flags:
                near.events[flag].append(event)
    for name, events in issuing.items():
        signals[name].lineage = signals[name].lineage.with_hops(events)
    return signals


def flagging_events(rules: Iterable[Rule]) -> Dispatch:
    """The rules whose flag speaks of single events; that of another shape speaks of the windows
    that it finds."""
    return Dispatch(rule for rule in rules if rule.flag and rule.query.shape == "filter")


def flags_of(event: Event, record: Record, flagging: Dispatch) -> tuple[str, ...]:
    """The flags that speak of an event, sorted."""
    return tuple(
        sorted(
            {
                rule.flag
                for rule in flagging[event.provider, event.action]
                if rule.flag and _lets(rule, record, event.time)
            }
        )
    )


def _lets(rule: Rule, record: Record, time: int) -> bool:
    """Whether a rule's filter lets a record through; not where what it asks for is nested too deep
    to be looked at."""
    try:
        return rule.query.accepts(record, time)
    except RecursionError:
        return False


def group_by_file(
    due: Sequence[PendingSearch], pieces: Iterable[ChunkRef]
) -> Iterator[tuple[str, ChunkRequests]]:
    """The files to search, and what for, as the ``pieces`` come; those of a file follow on each
    other.

    A watch is due in a piece near it in time that it was not searched for in, and that holds
    records of its lineage beside the alert's own. ``due`` is in order of start."""
    starts = [each.request.start for each in due]
    longest = max((each.request.end - each.request.start for each in due), default=0)
    wanted = [related_hashes(each.request.selector) for each in due]
    own: list[dict[tuple[str, int], set[int]]] = []
    for each in due:
        there: dict[tuple[str, int], set[int]] = defaultdict(set)
        for event in each.own:
            there[event.position.source, event.position.offset].add(event.position.index)
        own.append(there)

    def asked(piece: ChunkRef) -> ChunkRequest[RelatedPrincipals]:
        presence: PrincipalIndex | None = None
        watches = []
        for place in range(
            bisect_left(starts, piece.first - longest), bisect_right(starts, piece.last)
        ):
            watch, searched, _ = due[place]
            if watch.end <= piece.first or piece.sequence <= searched:
                continue
            presence = presence or PrincipalIndex(piece.principal_index)
            marks = wanted[place]
            if marks is None or presence.holds(
                marks, own[place].get((piece.path, piece.offset), frozenset())
            ):
                watches.append(watch)
        return ChunkRequest(watches, piece.principal_index)

    for path, of_file in groupby(pieces, attrgetter("path")):
        if watched := {
            piece.offset: those for piece in of_file if (those := asked(piece)).requests
        }:
            yield path, watched


def context_of(
    alert: Alert,
    events: Sequence[Event],
    counted: Sequence[Flag],
    baseline: Baseline,
    table: RiskTable,
) -> AlertContext:
    """The alert's flags, from its signals as ``counted``, from its own ``events`` and from the
    baseline."""
    if not events:  # it is about a log file: no call speaks of it
        return AlertContext([], None, table.risk(alert.rule.risk_score, [], []))
    start = alert.window.start if alert.window else alert.first_event
    flags = [*counted, *_own(events), *_unusual(alert, baseline, start)]
    flags.sort(key=lambda flag: (-table.flags.get(flag.flag, 0), flag.flag))
    return AlertContext(
        flags,
        baseline,
        table.risk(alert.rule.risk_score, flags, tool_signatures_of(alert.facets.user_agents)),
    )


def _own(events: Sequence[Event]) -> Iterator[Flag]:
    """Flags that speak of the alert's own hits."""
    tests: dict[str, Callable[[Event], object]] = {
        "denied-calls": lambda event: event.error_code,
        "tool-tell": lambda event: tool_signatures(event.user_agent),
    }
    for name, holds in tests.items():
        if times := [event.time for event in events if holds(event)]:
            yield Flag(name, len(times), min(times), max(times))


def _unusual(alert: Alert, baseline: Baseline, start: int) -> Iterator[Flag]:
    if not baseline.has_enough_history(start):
        return
    firsts = [
        first for first in (baseline.principal_first, baseline.key_first) if first is not None
    ]
    if firsts and is_new(max(firsts), start):
        yield Flag("first-seen-principal", 1, max(firsts), max(firsts))
    if baseline.unused_regions:
        yield Flag(
            "unused-region", len(baseline.unused_regions), alert.first_event, alert.last_event
        )
