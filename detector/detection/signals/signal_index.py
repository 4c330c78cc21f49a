"""An index of signals by principal and time; each signal is kept once.

Thousands of alerts may be near thousands of signals, so alerts do not store their signals. They are
looked up in the sorted signals of the alert's callers, and counted as index ranges.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import NamedTuple

from detector.detection.alert import Flag
from detector.detection.principal import RelatedPrincipals
from detector.detection.signals.signal_event import (
    SignalEvent,
    moment,
    signal_identity,
    signal_time,
)


class SignalCaller(NamedTuple):
    """Who called; fields are named as in ``Event``."""

    arn: str
    access_key: str
    role_arn: str


class SignalKey(NamedTuple):
    """What signals are grouped by: caller, flag raised, and key of the session opened."""

    caller: SignalCaller
    flag: str
    issued_key: str


_Timelines = dict[str, list[SignalEvent]]
"""Signals by flag, in order of time."""


class _Span(NamedTuple):
    """Signals of a flag: the slice ``[first, last)`` of a timeline."""

    flag: str
    events: Sequence[SignalEvent]
    first: int
    last: int

    def holds(self, event: SignalEvent) -> bool:
        """Return whether a signal is in the span."""
        number = bisect_left(self.events, event, self.first, self.last)
        return number < self.last and self.events[number] == event

    def ends(self, own: Set[bytes]) -> Iterator[int]:
        """Yield the times of the first and the last signal whose identity is not in ``own``."""
        numbers = range(self.first, self.last)
        for order in (numbers, reversed(numbers)):
            for number in order:
                event = self.events[number]
                if signal_identity(event) not in own:
                    yield signal_time(event)
                    break


class SignalIndex:
    """Signals by caller. All signals with the same identity have the same time."""

    def __init__(self, signals: Mapping[SignalKey, Iterable[SignalEvent]]) -> None:
        ordered = {key: sorted(set(events)) for key, events in signals.items()}
        self._events = {
            signal_identity(event): event for each in ordered.values() for event in each
        }
        """By identity."""
        disputed = _disputed(ordered, len(self._events))
        self._disputed: list[tuple[SignalKey, SignalEvent]] = []
        """Signals whose identity records of several callers share; an alert counts each once."""
        self._timelines: dict[SignalCaller, _Timelines] = {}
        self._of_name: dict[str, list[SignalCaller]] = defaultdict(list)
        self._of_role: dict[str, _Timelines] = {}
        self._issuing: dict[str, list[tuple[SignalKey, list[SignalEvent]]]] = defaultdict(list)
        for key, events in ordered.items():
            claimed = events
            if disputed:
                self._disputed += [
                    (key, event) for event in events if signal_identity(event) in disputed
                ]
                claimed = [event for event in events if signal_identity(event) not in disputed]
            if claimed:
                self._add(key, claimed)
        for timelines in (*self._timelines.values(), *self._of_role.values()):
            for timeline in timelines.values():
                timeline.sort()

    def flags(
        self, related: RelatedPrincipals, start: int, end: int, own: Callable[[], Set[bytes]]
    ) -> list[Flag]:
        """Return the flags that signals of related principals in ``[start, end)`` raise, by name.

        ``own`` returns the identities of events that do not count; it is only called if there are
        signals."""
        spans: dict[str, list[_Span]] = defaultdict(list)
        for span in self._spans(related, start, end):
            spans[span.flag].append(span)
        if not spans:
            return []
        left_out = own() & self._events.keys()
        own_events = [self._events[identity] for identity in left_out]
        flags = (_flag(name, spans[name], own_events, left_out) for name in sorted(spans))
        return [flag for flag in flags if flag is not None]

    def events(
        self, related: RelatedPrincipals, start: int, end: int, own: Set[bytes]
    ) -> dict[str, list[tuple[int, bytes]]]:
        """Return the signals that ``flags`` counts, by flag, as sorted (time, identity)."""
        found: _Timelines = defaultdict(list)
        for span in self._spans(related, start, end):
            events = span.events[span.first : span.last]
            found[span.flag] += [event for event in events if signal_identity(event) not in own]
        return {
            flag: [(signal_time(event), signal_identity(event)) for event in sorted(events)]
            for flag, events in sorted(found.items())
            if events
        }

    def _add(self, key: SignalKey, events: list[SignalEvent]) -> None:
        caller, flag, issued_key = key
        timelines = self._timelines.get(caller)
        if timelines is None:
            timelines = self._timelines[caller] = defaultdict(list)
            for name in {caller.arn, caller.access_key} - {""}:
                self._of_name[name].append(caller)
        timelines[flag] += events
        if caller.role_arn:
            self._of_role.setdefault(caller.role_arn, defaultdict(list))[flag] += events
        if issued_key:
            self._issuing[issued_key].append((key, events))

    def _spans(self, related: RelatedPrincipals, start: int, end: int) -> Iterator[_Span]:
        """Yield the signals of related principals in a span of time, each once."""
        # An encoded time sorts before every signal of that time.
        begin, stop = moment(start), moment(end)
        for flag, events in self._timelines_of(related):
            first = bisect_left(events, begin)
            last = bisect_left(events, stop, first)
            if first < last:
                yield _Span(flag, events, first, last)

    def _timelines_of(
        self, related: RelatedPrincipals
    ) -> Iterator[tuple[str, Sequence[SignalEvent]]]:
        """Yield the related signals, each once, as (flag, timeline)."""
        own, hop = related.own, related.hop
        for role in own.roles:
            yield from self._of_role.get(role, {}).items()
        callers: set[SignalCaller] = set()
        for name in (*own.arns, *own.keys, *hop.arns, *hop.keys):
            callers.update(self._of_name.get(name, ()))
        for caller in callers:
            if caller.role_arn not in own.roles and related.has_caller(caller):
                yield from self._timelines[caller].items()
        yield from self._others(related)

    def _others(self, related: RelatedPrincipals) -> Iterator[tuple[str, Sequence[SignalEvent]]]:
        """Yield the signals that opened a related session, and disputed signals once."""
        for issued_key in related.own.keys:
            for key, events in self._issuing.get(issued_key, ()):
                if not related.has_caller(key.caller):
                    yield key.flag, events
        yielded: set[tuple[str, SignalEvent]] = set()
        for key, event in self._disputed:
            is_new = (key.flag, event) not in yielded
            if is_new and related.has_session(key.caller, key.issued_key):
                yielded.add((key.flag, event))
                yield key.flag, [event]


def _disputed(signals: Mapping[SignalKey, Sequence[SignalEvent]], count: int) -> set[bytes]:
    """Return the identities shared by records of several callers or several opened sessions.

    ``count`` is the number of distinct identities."""
    claims: dict[tuple[SignalCaller, str], list[Sequence[SignalEvent]]] = defaultdict(list)
    for key, events in signals.items():
        claims[key.caller, key.issued_key].append(events)
    # An event may raise several flags.
    of_each = [each[0] if len(each) == 1 else set().union(*each) for each in claims.values()]
    if sum(map(len, of_each)) == count:
        return set()
    claimed: set[bytes] = set()
    disputed: set[bytes] = set()
    for claim in of_each:
        identities = set(map(signal_identity, claim))
        disputed |= claimed & identities
        claimed |= identities
    return disputed


def _flag(
    name: str, spans: Sequence[_Span], own_events: Iterable[SignalEvent], own: Set[bytes]
) -> Flag | None:
    """Count the signals of spans except the alert's own; None if there are no others."""
    count = sum(span.last - span.first for span in spans)
    count -= sum(span.holds(event) for event in own_events for span in spans)
    if not count:
        return None
    others = [each for span in spans for each in span.ends(own)]
    return Flag(name, count, min(others), max(others))
