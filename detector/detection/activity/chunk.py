"""The activity of a chunk: counts by client, region and day, with dictionary-encoded names.

There are far fewer names than counts, and most names recur in every chunk. Chunks are therefore
summed by group first; only the sums are then added to the counts of each principal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from detector.detection.activity.activity import (
    Activity,
    ActivityKind,
    SessionOpening,
    ValueCount,
    limit_values,
)
from detector.detection.activity.actor import Actor
from detector.detection.activity.parts import TRAIT_KINDS, CallOutcome, Traits
from detector.text.numbers import Numbers


class GroupCount(msgspec.Struct, array_like=True, gc=False):
    """The calls of a client in a region on a day.

    ``actor``, ``traits`` and ``region`` are indexes into the lists of ``ChunkActivity``. ``first``
    and ``last`` are epoch seconds, ``hours`` has a bit for each hour of the day with a call,
    ``calls`` has the number of calls by the index of their outcome."""

    actor: int
    traits: int
    region: int
    day: int
    first: int
    last: int
    hours: int
    calls: dict[int, int]


class ChunkActivity(msgspec.Struct, array_like=True):
    """The counts of a chunk, with the dictionaries that their indexes refer to."""

    actors: list[Actor] = []
    traits: list[Traits] = []
    regions: list[str] = []
    outcomes: list[CallOutcome] = []
    groups: list[GroupCount] = []
    openings: list[tuple[SessionOpening, tuple[int, int]]] = []

    def encode(self) -> bytes:
        """Return the counts as MessagePack; ``b""`` if nothing was counted."""
        if not self.groups:
            return b""
        return msgspec.msgpack.encode(self)


_decoder = msgspec.msgpack.Decoder(ChunkActivity)


class _PairedActivity(msgspec.Struct, array_like=True):
    """The form that state written by an earlier version may have: each trait with its kind."""

    actors: list[Actor]
    traits: list[tuple[tuple[str, str], ...]]
    regions: list[str]
    outcomes: list[CallOutcome]
    groups: list[GroupCount]
    openings: list[tuple[SessionOpening, tuple[int, int]]]


_paired_decoder = msgspec.msgpack.Decoder(_PairedActivity)


def _decode(data: bytes) -> ChunkActivity:
    try:
        return _decoder.decode(data)
    except msgspec.ValidationError:
        paired = _paired_decoder.decode(data)
    traits = []
    for pairs in paired.traits:
        known = dict(pairs)
        network, program, account, key = (known.get(kind, "") for kind in TRAIT_KINDS)
        traits.append((network, program, account, key))
    return ChunkActivity(
        paired.actors, traits, paired.regions, paired.outcomes, paired.groups, paired.openings
    )


class _ChunkTraits(msgspec.Struct, array_like=True, gc=False):
    """The first parts of a ``ChunkActivity``; the rest is not decoded."""

    actors: msgspec.Raw = msgspec.Raw()
    traits: list[Traits] = []


_traits_decoder = msgspec.msgpack.Decoder(_ChunkTraits)


def networks_of(activity: bytes) -> set[str]:
    """Return the networks in the encoded activity of a chunk."""
    if not activity:
        return set()
    traits = _traits_decoder.decode(activity).traits
    return {network for network, *_ in traits if network}


class _Sum:
    """The counts of a group over all chunks; ``calls`` are by the index of the outcome."""

    __slots__ = ("calls", "first", "hours", "last")

    def __init__(self, group: GroupCount) -> None:
        self.first = group.first
        self.last = group.last
        self.hours = group.hours
        self.calls: dict[int, int] = {}


def activity_of(chunks: Iterable[bytes]) -> Activity:
    """Return the sum of chunks' activities, each encoded by ``ChunkActivity.encode``."""
    activity = Activity({}, {})
    actors, traits = Numbers[Actor](), Numbers[Traits]()
    regions, outcomes = Numbers[str](), Numbers[CallOutcome]()
    sums: dict[tuple[int, int, int, int], _Sum] = {}
    for data in chunks:
        if not data:
            continue
        chunk = _decode(data)
        own_actors = [actors[each] for each in chunk.actors]
        own_traits = [traits[each] for each in chunk.traits]
        own_regions = [regions[each] for each in chunk.regions]
        own_outcomes = [outcomes[each] for each in chunk.outcomes]
        for group in chunk.groups:
            key = (
                own_actors[group.actor],
                own_traits[group.traits],
                own_regions[group.region],
                group.day,
            )
            of_group = sums.get(key)
            if of_group is None:
                sums[key] = of_group = _Sum(group)
            else:
                if group.first < of_group.first:
                    of_group.first = group.first
                if group.last > of_group.last:
                    of_group.last = group.last
                of_group.hours |= group.hours
            calls = of_group.calls
            for own_number, count in group.calls.items():
                number = own_outcomes[own_number]
                calls[number] = calls.get(number, 0) + count
        for opening, span in chunk.openings:
            activity.add_opening(opening, span)
    of_number = list(actors), list(traits), list(regions), list(outcomes)
    for (actor, trait, region, day), of_group in sums.items():
        values = (*of_number[1][trait], of_number[2][region])
        _spread(activity, of_number[0][actor], values, day, of_group, of_number[3])
    for day_activity in activity.days.values():
        for kind, counts in day_activity.values.items():
            limit_values(kind, counts)
    return activity


_SPREAD_KINDS: tuple[ActivityKind, ...] = (*TRAIT_KINDS, "region", "session")


def _spread(
    activity: Activity,
    actor: Actor,
    values: tuple[str, ...],
    number: int,
    of_group: _Sum,
    outcomes: Sequence[CallOutcome],
) -> None:
    """Add the counts of a group to its principal's day, and to each of the group's ``values``."""
    day = activity.day((actor.kind, actor.name, number))
    by_call = day.values.setdefault("call", {})
    calls = failed = denied = 0
    for of_outcome, count in of_group.calls.items():
        label, is_failed, is_denied, is_write = outcomes[of_outcome]
        of_call = by_call.get(label)
        if of_call is None:
            by_call[label] = of_call = ValueCount()
        calls += count
        of_call.calls += count
        if is_failed:
            failed += count
            of_call.failed += count
        if is_denied:
            denied += count
            of_call.denied += count
        if is_write:
            day.writes += count
    span = ValueCount(calls, failed, denied, of_group.first, of_group.last)
    day.count(span, of_group.hours)
    for kind, value in zip(_SPREAD_KINDS, (*values, actor.session), strict=True):
        if not value:
            continue
        of_kind = day.values.setdefault(kind, {})
        known = of_kind.get(value)
        if known is None:
            of_kind[value] = ValueCount(calls, failed, denied, of_group.first, of_group.last)
        else:
            known.add(span)
