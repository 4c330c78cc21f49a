"""The count of what the records of a chunk show of each principal."""

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
from detector.detection.activity.chunk import ChunkActivity, GroupCount, Numbers
from detector.detection.activity.parts import CallOutcome, Traits
from detector.detection.signature_cache import (
    CallFacts,
    ClientFacts,
    OriginFacts,
    SignatureGroup,
)
from detector.formats import Records
from detector.text.time import DAY, HOUR

_SIGN_IN = "signin.amazonaws.com"
"""The service that says by a message alone that a call failed."""


def count_activity(records: Records, groups: Sequence[SignatureGroup]) -> ChunkActivity:
    """Return the activity of a chunk's records, of which those that are events count."""
    by_origin: dict[int, list[SignatureGroup]] = defaultdict(list)
    for group in groups:
        if group.timed:
            by_origin[id(group.origin)].append(group)
    counter = _Counter(records)
    for of_origin in by_origin.values():
        counter.add(of_origin)
    return counter.activity()


class _Counter:
    """The counts of a chunk's events, with the numbers of their parts."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._times: Sequence[Any] = records.times
        self._actors = Numbers[Actor]()
        self._traits = Numbers[Traits]()
        self._regions = Numbers[str]()
        self._outcomes = Numbers[CallOutcome]()
        self._counts: dict[tuple[int, int, int, int], GroupCount] = {}
        self._openings: dict[SessionOpening, tuple[int, int]] = {}

    def activity(self) -> ChunkActivity:
        """Return what was counted."""
        return ChunkActivity(
            list(self._actors),
            list(self._traits),
            list(self._regions),
            list(self._outcomes),
            list(self._counts.values()),
            list(self._openings.items()),
        )

    def add(self, groups: Sequence[SignatureGroup]) -> None:
        """Count the events of a client in a region."""
        actor = groups[0].origin.client.actor
        first = min(group.first for group in groups)
        last = max(group.last for group in groups)
        if actor is None or first // HOUR != last // HOUR:
            for group in groups:
                self._add_group(group)
            return
        # The usual chunk of a trail: one caller, within an hour.
        parts = self._parts_of(actor, groups[0].origin)
        count = self._extended(parts, first, last, 1 << first % DAY // HOUR)
        for group in groups:
            if _is_told_by_message(group):
                self._add_group(group)
                continue
            self._add_calls(count, group.call.outcome, len(group.timed))
            if group.call.may_open_session:
                self._add_openings(actor, group.timed)

    def _add_group(self, group: SignatureGroup) -> None:
        """Count the events of a signature."""
        call = group.call
        for actor, indexes in self._by_actor(group.origin.client, group.timed):
            parts = self._parts_of(actor, group.origin)
            if _is_told_by_message(group):
                for outcome, of_outcome in self._by_outcome(call, indexes):
                    self._count(parts, outcome, of_outcome)
            else:
                self._count(parts, call.outcome, indexes)
            if call.may_open_session:
                self._add_openings(actor, indexes)

    def _parts_of(self, actor: Actor, origin: OriginFacts) -> tuple[int, int, int]:
        """Return the numbers of an actor and of what follows from its client and region."""
        return (
            self._actors[actor],
            self._traits[origin.client.traits],
            self._regions[origin.region],
        )

    def _by_actor(
        self, client: ClientFacts, indexes: Sequence[int]
    ) -> Iterable[tuple[Actor, Sequence[int]]]:
        """Return events by caller: one, but for those that only the whole record names."""
        if client.actor is not None:
            return ((client.actor, indexes),)
        by_actor: dict[Actor, list[int]] = defaultdict(list)
        for index in indexes:
            by_actor[actor_of_record(self._records.canonical(index))].append(index)
        return by_actor.items()

    def _by_outcome(
        self, call: CallFacts, indexes: Sequence[int]
    ) -> Iterable[tuple[CallOutcome, Sequence[int]]]:
        """Return sign-ins by outcome: one that failed may have a message without a code."""
        by_outcome: dict[CallOutcome, list[int]] = defaultdict(list)
        for index in indexes:
            raw = self._records.canonical(index)
            is_failed = b'"errorMessage"' in raw and has_error_message(raw)
            by_outcome[call.outcome._replace(is_failed=is_failed)].append(index)
        return by_outcome.items()

    def _count(
        self, parts: tuple[int, int, int], outcome: CallOutcome, indexes: Sequence[int]
    ) -> None:
        """Count events of a client in a region with one outcome, by day."""
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
        count.first = min(count.first, first)
        count.last = max(count.last, last)
        count.hours |= hours
        return count

    def _add_calls(self, count: GroupCount, outcome: CallOutcome, calls: int) -> None:
        number = self._outcomes[outcome]
        count.calls[number] = count.calls.get(number, 0) + calls

    def _add_openings(self, opener: Actor, indexes: Iterable[int]) -> None:
        """Add the sessions that calls to STS opened.

        Of those that a service opens, which are many, only the role is kept."""
        for index in indexes:
            opened = opened_by_record(self._records.canonical(index))
            if opened is None:
                continue
            if opener.kind == "service":
                opened = opened._replace(session="")
            opening = SessionOpening(opener, opened)
            time = self._times[index]
            first, last = self._openings.get(opening, (time, time))
            self._openings[opening] = min(first, time), max(last, time)


def _is_told_by_message(group: SignatureGroup) -> bool:
    """Tell whether only a message, which a signature lacks, tells if the calls failed."""
    return group.signature.event_source == _SIGN_IN and not group.call.outcome.is_failed


def _hours_of(times: Iterable[int], first: int, last: int) -> int:
    """Return the bits of the hours of the day that have a time."""
    if first // HOUR == last // HOUR:
        return 1 << first % DAY // HOUR
    bits = 0
    for hour in {time % DAY // HOUR for time in times}:
        bits |= 1 << hour
    return bits
