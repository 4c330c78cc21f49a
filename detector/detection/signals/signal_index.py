"""The signals near alerts, each kept once, found by principal and time.

Thousands of alerts may be near thousands of signals. So no alert has signals of its own: what it
has is looked up among those of its callers, in order of time, and counted by their places.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from operator import attrgetter
from typing import NamedTuple

from detector.detection.alert import Flag
from detector.detection.event import KeptEvent
from detector.detection.principal import RelatedPrincipals


class SignalCaller(NamedTuple):
    """Who called, by the names of an ``Event``."""

    arn: str
    access_key: str
    role_arn: str


class FlaggedEvent(NamedTuple):
    """An event that raises a flag, and what tells whose signal it is."""

    time: int
    identity: bytes
    flag: str
    arn: str
    access_key: str
    role_arn: str
    issued_key: str

    @classmethod
    def of(
        cls, identity: bytes, row: KeptEvent, flag: str, time: int | None = None
    ) -> FlaggedEvent:
        """Return an event with its flag, and another ``time`` where another record stands."""
        client = row.client
        return cls(
            row.time if time is None else time,
            identity,
            flag,
            client.arn,
            client.access_key,
            client.role_arn,
            row.issued_key,
        )

    @property
    def caller(self) -> SignalCaller:
        return SignalCaller(self.arn, self.access_key, self.role_arn)


_time = attrgetter("time")
_Timelines = dict[str, list[FlaggedEvent]]
"""Events by flag, those of each in order of time."""


class _Span(NamedTuple):
    """Events of a flag, ``[first, last)`` of a timeline."""

    flag: str
    events: Sequence[FlaggedEvent]
    first: int
    last: int

    def holds(self, event: FlaggedEvent) -> bool:
        """Tell whether an event is among them."""
        number = bisect_left(self.events, event, self.first, self.last)
        return number < self.last and self.events[number] == event

    def ends(self, own: Set[bytes]) -> Iterator[int]:
        """Yield the times of the first and the last event that is not an alert's own."""
        numbers = range(self.first, self.last)
        for order in (numbers, reversed(numbers)):
            for number in order:
                if self.events[number].identity not in own:
                    yield self.events[number].time
                    break


class SignalIndex:
    """Events that raise flags, by caller."""

    def __init__(self, events: Iterable[FlaggedEvent]) -> None:
        ordered = sorted(set(events))
        self._by_identity: dict[bytes, list[FlaggedEvent]] = defaultdict(list)
        for event in ordered:
            self._by_identity[event.identity].append(event)
        disputed = {
            identity
            for identity, claims in self._by_identity.items()
            if len(claims) > 1 and len({(it.caller, it.issued_key) for it in claims}) > 1
        }
        self._disputed = [event for event in ordered if event.identity in disputed]
        """Events whose identity records of several callers claim: these count once for an alert."""
        self._timelines: dict[SignalCaller, _Timelines] = {}
        self._of_name: dict[str, list[SignalCaller]] = defaultdict(list)
        self._of_role: dict[str, _Timelines] = {}
        self._issuing: dict[str, list[FlaggedEvent]] = defaultdict(list)
        for event in ordered:
            if event.identity not in disputed:
                self._add(event)

    def flags(
        self, related: RelatedPrincipals, start: int, end: int, own: Callable[[], Set[bytes]]
    ) -> list[Flag]:
        """Return the flags that events of principals in ``[start, end)`` raise, by name.

        ``own`` returns the identities of those that do not count, which is asked only where some
        would."""
        spans: dict[str, list[_Span]] = defaultdict(list)
        for span in self._spans(related, start, end):
            spans[span.flag].append(span)
        if not spans:
            return []
        own_events: _Timelines = defaultdict(list)
        left_out = own() & self._by_identity.keys()
        for identity in left_out:
            for event in self._by_identity[identity]:
                own_events[event.flag].append(event)
        flags = (_flag(name, spans[name], own_events[name], left_out) for name in sorted(spans))
        return [flag for flag in flags if flag is not None]

    def events(
        self, related: RelatedPrincipals, start: int, end: int, own: Set[bytes]
    ) -> dict[str, list[FlaggedEvent]]:
        """Return what ``flags`` counts, by flag, in order of time."""
        found: _Timelines = defaultdict(list)
        for span in self._spans(related, start, end):
            events = span.events[span.first : span.last]
            found[span.flag] += [event for event in events if event.identity not in own]
        return {flag: sorted(events) for flag, events in sorted(found.items()) if events}

    def _add(self, event: FlaggedEvent) -> None:
        caller = event.caller
        timelines = self._timelines.get(caller)
        if timelines is None:
            timelines = self._timelines[caller] = defaultdict(list)
            for name in {caller.arn, caller.access_key} - {""}:
                self._of_name[name].append(caller)
        timelines[event.flag].append(event)
        if caller.role_arn:
            of_role = self._of_role.setdefault(caller.role_arn, defaultdict(list))
            of_role[event.flag].append(event)
        if event.issued_key:
            self._issuing[event.issued_key].append(event)

    def _spans(self, related: RelatedPrincipals, start: int, end: int) -> Iterator[_Span]:
        """Yield the events of principals in a span of time, each once."""
        for timelines in self._timelines_of(related):
            for flag, events in timelines.items():
                first = bisect_left(events, start, key=_time)
                last = bisect_left(events, end, first, key=_time)
                if first < last:
                    yield _Span(flag, events, first, last)
        for event in self._others(related):
            if start <= event.time < end:
                yield _Span(event.flag, [event], 0, 1)

    def _timelines_of(self, related: RelatedPrincipals) -> Iterator[_Timelines]:
        """Yield the timelines of roles, and of the other callers that are related."""
        own, hop = related.own, related.hop
        for role in own.roles:
            if role in self._of_role:
                yield self._of_role[role]
        callers: set[SignalCaller] = set()
        for name in (*own.arns, *own.keys, *hop.arns, *hop.keys):
            callers.update(self._of_name.get(name, ()))
        for caller in callers:
            if caller.role_arn not in own.roles and related.has_caller(caller):
                yield self._timelines[caller]

    def _others(self, related: RelatedPrincipals) -> Iterator[FlaggedEvent]:
        """Yield what opened a related session, and once what is disputed."""
        for key in related.own.keys:
            for event in self._issuing.get(key, ()):
                if not related.has_caller(event):
                    yield event
        yielded = set()
        for event in self._disputed:
            if (event.flag, event.identity) not in yielded and related.includes(event):
                yielded.add((event.flag, event.identity))
                yield event


def _flag(
    name: str, spans: Sequence[_Span], own_events: Iterable[FlaggedEvent], own: Set[bytes]
) -> Flag | None:
    """Count the events of spans but the alert's own; None where there are no others."""
    count = sum(span.last - span.first for span in spans)
    count -= sum(span.holds(event) for event in own_events for span in spans)
    if not count:
        return None
    others = [each for span in spans for each in span.ends(own)]
    return Flag(name, count, min(others), max(others))
