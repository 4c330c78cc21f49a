"""Correlation: signals near an alert become its flags.

A signal is an event of the alert's related principals, within ``SIGNAL_REACH`` of its window, that
a flag rule matches. Signals are searched in the logs, in the files whose span of event times
overlaps, and each is kept once, whichever alerts it is near; the baseline is made of spans. So an
alert's flags depend on the records alone: what arrives later is searched when it arrives, and
revises them.
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
"""Where the record of an alert's own event is: the path, the offset of the chunk, the index
there."""


class OwnCall(msgspec.Struct, frozen=True, gc=False):
    """An alert's own event, which is no signal of it, and what it is asked for."""

    identity: bytes
    other_id: str | None
    """Its id; None where that is the UUID in lower case that the identity is."""
    time: int
    error_code: str
    user_agent: str

    @property
    def event_id(self) -> str:
        return self.other_id or uuid_text(self.identity)


class PendingSearch(NamedTuple):
    """An alert whose signals are to be searched.

    ``searched`` is the file sequence up to which that was done, ``own`` are the alert's events."""

    request: SearchRequest[RelatedPrincipals]
    searched: int
    own: Set[OwnEvent]


class ChunkRef(NamedTuple):
    """A chunk of a file: event times, principals, the file's sequence."""

    path: str
    offset: int
    first: int
    last: int
    principal_index: bytes
    sequence: int


def find_hops(
    searches: Iterable[PendingSearch], openings: Iterable[Event]
) -> dict[str, RelatedPrincipals]:
    """Return the related principals of alerts to which others add some, by alert.

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

    A chunk is searched for an alert where it is near in time, newer than the alert's last search,
    and has records of its related principals beside the alert's own. ``searches`` are in order of
    start; the chunks of a file follow each other in ``chunks``."""
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
    """Which searches a chunk is due for."""

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
        """Return what to search in a chunk."""
        near = range(
            bisect_left(self._starts, chunk.first - self._longest),
            bisect_right(self._starts, chunk.last),
        )
        numbers = sorted(self._due(chunk, near)) if near else ()
        return ChunkRequest(
            [self._joined[number].request for number in numbers], chunk.principal_index
        )

    def _due(self, chunk: ChunkRef, near: range) -> set[int]:
        """Return the joined searches of which one of ``near`` is due for a chunk.

        It is where the chunk has records of its principals beside its own events."""
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
        """Yield the searches joined as ``number`` that reach a chunk which is new to them."""
        members = self._joined[number].members
        for member in members[bisect_left(members, near.start) : bisect_left(members, near.stop)]:
            request, searched, _ = self._searches[member]
            if request.end > chunk.first and chunk.sequence > searched:
                yield member


class _JoinedSearch(NamedTuple):
    """The searches for the same principals whose spans overlap, as one request."""

    request: SearchRequest[RelatedPrincipals]
    members: list[int]
    """Their numbers, in order."""


def _joined(searches: Iterable[PendingSearch]) -> list[_JoinedSearch]:
    """Join searches, which are in order of start."""
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

    The flags come from its signals, as ``signal_flags``, from its own ``events`` (which are not
    needed unless ``has_event_flags``) and from the baseline."""
    if not finding.event_ids:  # an alert about a log file: its risk is the rule's
        return AlertContext([], None, table.risk(finding.rule.risk_score, [], []))
    flags = [*signal_flags, *_event_flags(events), *_baseline_flags(finding, baseline)]
    flags.sort(key=lambda flag: (-table.flags.get(flag.flag, 0), flag.flag))
    tools = tool_signatures_of(finding.facets.user_agents)
    return AlertContext(flags, baseline, table.risk(finding.rule.risk_score, flags, tools))


def has_event_flags(finding: Finding) -> bool:
    """Return whether events of an alert raise flags by themselves."""
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
