"""Counts the activity of each principal in a chunk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from detector.detection.activity.activity import SessionOpening
from detector.detection.activity.actor import (
    Actor,
    actor_of_record,
    has_error_message,
    opened_by_record,
)
from detector.detection.activity.chunk import ChunkActivity, GroupCount
from detector.detection.activity.parts import CallOutcome, Traits
from detector.detection.grouping.chunk_events import CallGroups, ChunkEvents, OriginEvents
from detector.detection.signature_cache import CallFacts, OriginFacts
from detector.formats import Records
from detector.text.numbers import Numbers
from detector.text.time import DAY, HOUR


def count_activity(records: Records, events: ChunkEvents) -> ChunkActivity:
    """Return the activity of a chunk's events."""
    counter = _Counter(records, events.groups)
    for origin, of_origin in events.by_origin.items():
        counter.add_origin(origin, of_origin)
    return counter.activity()


class _Counter:
    """Counts a chunk's events, and numbers the parts that the counts refer to."""

    def __init__(self, records: Records, groups: CallGroups) -> None:
        self._records = records
        self._times: Sequence[Any] = records.times
        self._groups = groups
        self._actors = Numbers[Actor]()
        self._traits = Numbers[Traits]()
        self._regions = Numbers[str]()
        self._outcomes = Numbers[CallOutcome]()
        calls = {number: groups.calls[number] for number in dict.fromkeys(groups.numbers)}
        outcomes = {number: self._outcomes[call.outcome] for number, call in calls.items()}
        self._outcome_of_group = list(map(outcomes.__getitem__, groups.numbers))
        self._sign_ins = self._groups_of({n for n, call in calls.items() if call.is_sign_in})
        self._to_sts = self._groups_of({n for n, call in calls.items() if call.may_open_session})
        self._counts: dict[tuple[int, int, int, int], GroupCount] = {}
        self._openings: dict[SessionOpening, tuple[int, int]] = {}

    def _groups_of(self, calls: set[int]) -> set[int]:
        """Return the numbers of the groups whose call is one of ``calls``, given by number."""
        if not calls:
            return calls
        return {group for group, call in enumerate(self._groups.numbers) if call in calls}

    def activity(self) -> ChunkActivity:
        """Return the activity counted so far."""
        return ChunkActivity(
            list(self._actors),
            list(self._traits),
            list(self._regions),
            list(self._outcomes),
            list(self._counts.values()),
            list(self._openings.items()),
        )

    def add_origin(self, origin: OriginFacts, events: OriginEvents) -> None:
        """Count the events of an origin; the fast path is for origins within one hour."""
        actor, traits = origin.client.activity()
        parts = self._traits[traits], self._regions[origin.region]
        groups, first, last = events.groups, events.first, events.last
        hour = first // HOUR
        if actor is None or last // HOUR != hour or not self._sign_ins.isdisjoint(groups):
            for group in groups:
                self._add_group(group, actor, parts)
            return
        count = self._extended((self._actors[actor], *parts), first, last, 1 << hour % 24)
        calls, outcomes, sizes = count.calls, self._outcome_of_group, self._groups.sizes
        for group in groups:
            outcome = outcomes[group]
            calls[outcome] = calls.get(outcome, 0) + sizes[group]
        if not self._to_sts.isdisjoint(groups):
            for group in filter(self._to_sts.__contains__, groups):
                self.add_openings(actor, self._groups.members[group])

    def _add_group(self, group: int, caller: Actor | None, parts: tuple[int, int]) -> None:
        """Count the events of a group by their times.

        ``caller`` is None if only the whole record names it; ``parts`` are the numbers of traits
        and region."""
        call = self._groups.calls[self._groups.numbers[group]]
        for actor, indexes in self._by_actor(caller, self._groups.members[group]):
            key = self._actors[actor], *parts
            if call.is_sign_in:
                for outcome, of_outcome in self._by_outcome(call, indexes):
                    self._count(key, outcome, of_outcome)
            else:
                self._count(key, call.outcome, indexes)
            if call.may_open_session:
                self.add_openings(actor, indexes)

    def _by_actor(
        self, known: Actor | None, indexes: Sequence[int]
    ) -> Iterable[tuple[Actor, Sequence[int]]]:
        """Return the events by caller: all by ``known``; if None, by the caller in each record."""
        if known is not None:
            return ((known, indexes),)
        by_actor: dict[Actor, list[int]] = defaultdict(list)
        for index in indexes:
            by_actor[actor_of_record(self._records.encoded(index))].append(index)
        return by_actor.items()

    def _by_outcome(
        self, call: CallFacts, indexes: Sequence[int]
    ) -> Iterable[tuple[CallOutcome, Sequence[int]]]:
        """Return sign-ins by outcome: a failed one may have an error message without a code."""
        by_outcome: dict[CallOutcome, list[int]] = defaultdict(list)
        for index in indexes:
            raw = self._records.canonical(index)
            is_failed = b'"errorMessage"' in raw and has_error_message(raw)
            by_outcome[call.outcome._replace(is_failed=is_failed)].append(index)
        return by_outcome.items()

    def _count(
        self, parts: tuple[int, int, int], outcome: CallOutcome, indexes: Sequence[int]
    ) -> None:
        """Count, by day, events of a client in a region that have the same outcome."""
        known = [self._times[index] for index in indexes]
        first, last = min(known), max(known)
        day = first // DAY
        if last // DAY != day:
            by_day: dict[int, list[int]] = defaultdict(list)
            for index in indexes:
                by_day[self._times[index] // DAY].append(index)
            for of_day in by_day.values():
                self._count(parts, outcome, of_day)
            return
        count = self._extended(parts, first, last, _hours_of(known, first, last))
        self._add_calls(count, outcome, len(known))

    def _extended(
        self, parts: tuple[int, int, int], first: int, last: int, hours: int
    ) -> GroupCount:
        """Return the count of a client in a region on a day, with its span widened."""
        key = (*parts, first // DAY)
        count = self._counts.get(key)
        if count is None:
            count = self._counts[key] = GroupCount(*key, first, last, hours, {})
            return count
        count.first = min(count.first, first)
        count.last = max(count.last, last)
        count.hours |= hours
        return count

    def _add_calls(self, count: GroupCount, outcome: CallOutcome, calls: int) -> None:
        number = self._outcomes[outcome]
        count.calls[number] = count.calls.get(number, 0) + calls

    def add_openings(self, opener: Actor, indexes: Iterable[int]) -> None:
        """Add the sessions that calls to STS opened.

        Services open many sessions; of these, only the role is kept."""
        is_service = opener.kind == "service"
        for index in indexes:
            opened = opened_by_record(self._records.encoded(index))
            if opened is None:
                continue
            if is_service:
                opened = Actor(opened.kind, opened.name)
            opening = SessionOpening(opener, opened)
            time = self._times[index]
            known = self._openings.get(opening)
            if known is None:
                self._openings[opening] = time, time
            elif not known[0] <= time <= known[1]:
                self._openings[opening] = min(known[0], time), max(known[1], time)


def _hours_of(times: Iterable[int], first: int, last: int) -> int:
    """Return a bit set of the hours of the day in which any of ``times`` lies."""
    if first // HOUR == last // HOUR:
        return 1 << first % DAY // HOUR
    bits = 0
    for hour in {time % DAY // HOUR for time in times}:
        bits |= 1 << hour
    return bits
