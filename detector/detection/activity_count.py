"""The count of what the records of a chunk show of each principal."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from detector.detection.activity.activity import Opening
from detector.detection.activity.actor import Actor, actor_of_record, opened_by_record
from detector.detection.activity.chunk import ChunkActivity, GroupCount, Numbers
from detector.detection.activity.parts import CallOutcome, Traits
from detector.detection.signature_cache import ClientFacts, SignatureCache
from detector.formats import Records
from detector.text.time import DAY, HOUR

Clients = Sequence[tuple[ClientFacts, Mapping[str | None, list[int]]]]
"""The indexes of the records of each client by region."""
_SIGN_IN = "signin.amazonaws.com"
"""The service that says by a message alone that a call failed."""


def count_activity(
    records: Records,
    times: Sequence[int | None],
    clients: Clients,
    cache: SignatureCache,
    opening: set[int],
) -> ChunkActivity:
    """Return the activity of a chunk's records.

    ``times`` are those of each record, None for one that counts nothing. Those at ``opening`` may
    have opened a session.
    """
    actors, traits, regions = Numbers[Actor](), Numbers[Traits](), Numbers[str]()
    outcomes, outcome_of = _outcomes(records, cache)
    groups: list[GroupCount] = []
    openings: dict[Opening, tuple[int, int]] = {}
    is_timed = None not in times
    for facts, by_region in clients:
        number_of_traits = traits[facts.traits]
        for region, indexes in by_region.items():
            number_of_region = regions[region or ""]
            for actor, of_actor in _by_actor(facts, records, indexes):
                parts = (actors[actor], number_of_traits, number_of_region)
                timed: Sequence[int] = of_actor
                if not is_timed:
                    timed = [index for index in of_actor if times[index] is not None]
                if not timed:
                    continue
                groups += _count(parts, timed, times, outcome_of)  # type: ignore[arg-type]
                if not opening.isdisjoint(timed):
                    _add_openings(openings, records, times, actor, opening.intersection(timed))
    return ChunkActivity(
        list(actors), list(traits), list(regions), outcomes, groups, list(openings.items())
    )


def _outcomes(records: Records, cache: SignatureCache) -> tuple[list[CallOutcome], list[int]]:
    """Return what is counted of calls, and the number of that of each record."""
    numbers = Numbers[CallOutcome]()
    outcome_of = [0] * len(records.times)
    for call, indexes in records.by_call.items():
        outcome = cache.calls[call].outcome
        number = numbers[outcome]
        for index in indexes:
            outcome_of[index] = number
        if call[0] == _SIGN_IN and not outcome.is_failed:
            failed = outcome._replace(is_failed=True)
            for index in indexes:
                if b'"errorMessage"' in records.canonical(index):
                    outcome_of[index] = numbers[failed]
    return list(numbers), outcome_of


def _by_actor(
    facts: ClientFacts, records: Records, indexes: Sequence[int]
) -> Iterable[tuple[Actor, Sequence[int]]]:
    """Return the records by caller: one, but for those that only the whole record names."""
    if facts.actor is not None:
        return ((facts.actor, indexes),)
    by_actor: dict[Actor, list[int]] = defaultdict(list)
    for index in indexes:
        by_actor[actor_of_record(records.canonical(index))].append(index)
    return by_actor.items()


def _count(
    parts: tuple[int, int, int],
    indexes: Sequence[int],
    times: Sequence[int],
    outcome_of: Sequence[int],
) -> list[GroupCount]:
    """Count the records of a client in a region, by day."""
    known = [times[index] for index in indexes]
    first, last = min(known), max(known)
    day = first // DAY
    if last // DAY != day:
        by_day: dict[int, list[int]] = defaultdict(list)
        for index in indexes:
            by_day[times[index] // DAY].append(index)
        return [
            group
            for of_day in by_day.values()
            for group in _count(parts, of_day, times, outcome_of)
        ]
    calls: dict[int, int] = {}
    for index in indexes:
        number = outcome_of[index]
        calls[number] = calls.get(number, 0) + 1
    return [GroupCount(*parts, day, first, last, _hours_of(known, first, last), calls)]


def _hours_of(times: Iterable[int], first: int, last: int) -> int:
    """Return the bits of the hours of the day that have a time."""
    if first // HOUR == last // HOUR:
        return 1 << first % DAY // HOUR
    bits = 0
    for hour in {time % DAY // HOUR for time in times}:
        bits |= 1 << hour
    return bits


def _add_openings(
    openings: dict[Opening, tuple[int, int]],
    records: Records,
    times: Sequence[int | None],
    opener: Actor,
    indexes: Iterable[int],
) -> None:
    """Add the sessions that calls to STS opened.

    Of those that a service opens, which are many, only the role is kept."""
    for index in indexes:
        time = times[index]
        opened = opened_by_record(records.canonical(index))
        if time is None or opened is None:
            continue
        if opener.kind == "service":
            opened = opened._replace(session="")
        opening = Opening(opener, opened)
        first, last = openings.get(opening, (time, time))
        openings[opening] = min(first, time), max(last, time)
