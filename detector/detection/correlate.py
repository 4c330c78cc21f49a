"""Correlation: signals near an alert become its flags.

A signal is an event that a flag rule matches, by the alert's related principals and within
``SIGNAL_REACH`` of its window. The logs are searched for signals, in the files whose event times
overlap. Each signal is kept once, however many alerts it is near; the baseline consists of spans.
An alert's flags therefore depend on the records alone: records that arrive later are searched then,
and revise the flags.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import msgspec

from detector.cloudtrail.tool_signatures import tool_signatures, tool_signatures_of
from detector.detection.alert import AlertContext, Flag
from detector.detection.baseline import Baseline, is_new
from detector.detection.event import Event, uuid_text
from detector.detection.finding import Finding
from detector.detection.principal import RelatedPrincipals
from detector.detection.principal_index import PrincipalIndex, related_hashes
from detector.detection.record_search import SearchRequest
from detector.detection.risk import RiskTable
from detector.detection.signals.related_records import ChunkRequest, ChunkRequests

SIGNAL_REACH = 30 * 60
"""Seconds before and after a window within which an event is a signal of the alert."""


OwnEvent = tuple[str, int, int]
"""The location of one of an alert's own events: path, chunk offset, index in the chunk."""


class OwnCall(msgspec.Struct, frozen=True, gc=False):
    """An alert's own event, which is not a signal of it: only the fields that flags need."""

    identity: bytes
    other_id: str | None
    """Its id; None if the id is the identity as a lower-case UUID."""
    time: int
    error_code: str
    user_agent: str

    @property
    def event_id(self) -> str:
        return self.other_id or uuid_text(self.identity)


class PendingSearch(NamedTuple):
    """An alert whose signals are to be searched for.

    Files up to the sequence number ``searched`` have been searched; ``own`` are the alert's
    events."""

    request: SearchRequest[RelatedPrincipals]
    searched: int
    own: Set[OwnEvent]


class ChunkRef(NamedTuple):
    """A chunk of a file, with its event times, its principals and the file's sequence number."""

    path: str
    offset: int
    first: int
    last: int
    principal_index: bytes
    sequence: int


def find_hops(
    searches: Iterable[PendingSearch], openings: Iterable[Event]
) -> dict[str, RelatedPrincipals]:
    """Return, by alert id, the related principals of the alerts that gain some by a hop.

    ``openings`` are the signals that opened a session."""
    by_name: dict[str, list[Event]] = defaultdict(list)
    for event in sorted(openings):
        for name in {event.arn, event.access_key, event.role_arn, event.issued_key}:
            by_name[name].append(event)
    for events in by_name.values():
        events.sort(key=attrgetter("time"))
    related: dict[str, RelatedPrincipals] = {}
    for (alert_id, before, start, end), *_ in searches:
        near: list[Event] = []
        for name in (*before.own.arns, *before.own.keys, *before.own.roles):
            events = by_name.get(name, [])
            first = bisect_left(events, start, key=attrgetter("time"))
            near += events[first : bisect_left(events, end, first, key=attrgetter("time"))]
        after = before.with_hops(near)
        if after != before:
            related[alert_id] = after
    return related


def group_by_file(
    searches: Sequence[PendingSearch], chunks: Iterable[ChunkRef]
) -> Iterator[tuple[str, ChunkRequests]]:
    """Group the chunks to search by file, with the requests for each.

    A chunk is searched for an alert if it is near in time, is newer than the alert's last search,
    and has records of the alert's related principals other than its own events. ``searches`` are in
    order of start; in ``chunks``, the chunks of a file are adjacent."""
    planner = _SearchPlanner(searches)
    for path, of_file in groupby(chunks, attrgetter("path")):
        requests = {}
        for chunk in of_file:
            request = planner.request_for(chunk)
            if request.requests:
                requests[chunk.offset] = request
        if requests:
            yield path, requests


class _SearchPlanner:
    """Plans for which searches a chunk must be read."""

    def __init__(self, searches: Sequence[PendingSearch]) -> None:
        self._searches = searches
        self._joined = _joined(searches)
        self._starts = [search.request.start for search in searches]
        self._longest = max(
            (search.request.end - search.request.start for search in searches), default=0
        )
        self._of_anybody: list[int] = []
        self._by_hash: dict[int, list[int]] = defaultdict(list)
        """The numbers of joined searches by the hashes of their principals."""
        for number, (request, _) in enumerate(self._joined):
            hashes = related_hashes(request.selector)
            if hashes is None:
                self._of_anybody.append(number)
            for name in hashes or ():
                self._by_hash[name].append(number)
        self._wanted = frozenset(self._by_hash)
        self._own: dict[tuple[str, int], dict[int, list[int]]] = defaultdict(dict)
        """The indexes of the own events of each search, by chunk."""
        for member, search in enumerate(searches):
            for path, offset, index in search.own:
                self._own[path, offset].setdefault(member, []).append(index)

    def request_for(self, chunk: ChunkRef) -> ChunkRequest:
        """Return the requests for a chunk."""
        near = range(
            bisect_left(self._starts, chunk.first - self._longest),
            bisect_right(self._starts, chunk.last),
        )
        numbers = sorted(self._due(chunk, near)) if near else ()
        return ChunkRequest(
            [self._joined[number].request for number in numbers], chunk.principal_index
        )

    def _due(self, chunk: ChunkRef, near: range) -> set[int]:
        """Return the joined searches with a member in ``near`` for which a chunk must be searched.

        That is the case if the chunk has records of the principals other than the member's own
        events."""
        due = {
            number
            for number in self._of_anybody
            if next(self._members_due(number, chunk, near), None) is not None
        }
        index = PrincipalIndex(chunk.principal_index)
        own = self._own.get((chunk.path, chunk.offset), {})
        for hashes, indexes in index.lookup(index.common(self._wanted)):
            for number in {each for name in hashes for each in self._by_hash.get(name, ())} - due:
                if any(
                    not set(indexes).issubset(own.get(member, ()))
                    for member in self._members_due(number, chunk, near)
                ):
                    due.add(number)
        return due

    def _members_due(self, number: int, chunk: ChunkRef, near: range) -> Iterator[int]:
        """Yield those members of a joined search that reach the chunk and have not searched it."""
        members = self._joined[number].members
        for member in members[bisect_left(members, near.start) : bisect_left(members, near.stop)]:
            request, searched, _ = self._searches[member]
            if request.end > chunk.first and chunk.sequence > searched:
                yield member


class _JoinedSearch(NamedTuple):
    """Searches for the same principals with overlapping spans, joined into one request."""

    request: SearchRequest[RelatedPrincipals]
    members: list[int]
    """The numbers of the joined searches, in order."""


def _joined(searches: Iterable[PendingSearch]) -> list[_JoinedSearch]:
    """Join searches for the same principals; ``searches`` are in order of start."""
    joined: list[_JoinedSearch] = []
    last: dict[bytes, int] = {}
    for member, (request, *_) in enumerate(searches):
        principals = msgspec.msgpack.encode(request.selector)
        number = last.get(principals)
        if number is None or joined[number].request.end < request.start:
            last[principals] = len(joined)
            joined.append(_JoinedSearch(request, [member]))
            continue
        before, members = joined[number]
        members.append(member)
        if before.end < request.end:
            joined[number] = _JoinedSearch(before._replace(end=request.end), members)
    return joined


def context_of(
    finding: Finding,
    events: Sequence[OwnCall],
    signal_flags: Sequence[Flag],
    baseline: Baseline,
    table: RiskTable,
) -> AlertContext:
    """Derive an alert's flags and risk.

    The flags come from its signals (``signal_flags``), from its own ``events`` (only needed if
    ``has_event_flags``) and from the baseline."""
    if not finding.event_ids:  # an alert about a log file has the rule's risk
        return AlertContext([], None, table.risk(finding.rule.risk_score, [], []))
    flags = [*signal_flags, *_event_flags(events), *_baseline_flags(finding, baseline)]
    flags.sort(key=lambda flag: (-table.flags.get(flag.flag, 0), flag.flag))
    tools = tool_signatures_of(finding.facets.user_agents)
    return AlertContext(flags, baseline, table.risk(finding.rule.risk_score, flags, tools))


def has_event_flags(finding: Finding) -> bool:
    """Return whether an alert's own events raise flags."""
    facets = finding.facets
    return bool(facets.denied or tool_signatures_of(facets.user_agents))


def _event_flags(events: Sequence[OwnCall]) -> Iterator[Flag]:
    """Yield the flags that the alert's own events raise."""
    tests: dict[str, Callable[[OwnCall], object]] = {
        "denied-calls": lambda event: event.error_code,
        "tool-tell": lambda event: tool_signatures(event.user_agent),
    }
    for name, test in tests.items():
        times = [event.time for event in events if test(event)]
        if times:
            yield Flag(name, len(times), min(times), max(times))


def _baseline_flags(finding: Finding, baseline: Baseline) -> Iterator[Flag]:
    if not baseline.has_enough_history(finding.start):
        return
    newest = baseline.newest_first()
    if newest is not None and is_new(newest, finding.start):
        yield Flag("first-seen-principal", 1, newest, newest)
    if baseline.unused_regions:
        count = len(baseline.unused_regions)
        yield Flag("unused-region", count, finding.first_event, finding.last_event)
