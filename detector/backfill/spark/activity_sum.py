"""Sums of chunk activities, in the same form as one chunk's activity."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from detector.detection.activity.activity import SessionOpening
from detector.detection.activity.actor import Actor
from detector.detection.activity.chunk import ChunkActivity, GroupCount
from detector.detection.activity.parts import CallOutcome, Traits
from detector.text.numbers import Numbers

_decode = msgspec.msgpack.Decoder(ChunkActivity).decode


def sum_activity(bodies: Sequence[bytes]) -> bytes:
    """Add up encoded chunk activities."""
    if len(bodies) == 1:
        return bodies[0]
    actors, traits = Numbers[Actor](), Numbers[Traits]()
    regions, outcomes = Numbers[str](), Numbers[CallOutcome]()
    groups: dict[tuple[int, int, int, int], GroupCount] = {}
    openings: dict[SessionOpening, tuple[int, int]] = {}
    for chunk in map(_decode, bodies):
        for group in chunk.groups:
            calls = {
                outcomes[chunk.outcomes[number]]: count for number, count in group.calls.items()
            }
            key = (
                actors[chunk.actors[group.actor]],
                traits[chunk.traits[group.traits]],
                regions[chunk.regions[group.region]],
                group.day,
            )
            known = groups.get(key)
            if known is None:
                groups[key] = GroupCount(*key, group.first, group.last, group.hours, calls)
                continue
            known.first, known.last = min(known.first, group.first), max(known.last, group.last)
            known.hours |= group.hours
            for number, count in calls.items():
                known.calls[number] = known.calls.get(number, 0) + count
        for opening, (first, last) in chunk.openings:
            before = openings.get(opening, (first, last))
            openings[opening] = min(first, before[0]), max(last, before[1])
    return ChunkActivity(
        list(actors),
        list(traits),
        list(regions),
        list(outcomes),
        list(groups.values()),
        list(openings.items()),
    ).encode()
