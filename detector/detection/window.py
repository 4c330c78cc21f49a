"""Windows are sets of hits, and alerts are derived from them.

A hit is an event that passed a rule's filter. Under ``WindowKey`` hits are collected by event identity, so a
window only ever grows by set union, and what is derived from it depends on nothing but the set.

Tumbling windows are aligned to the Unix epoch, ``[floor(t / W) * W, + W)``, as ES|QL's DATE_TRUNC aligns spans of
a fixed length. Sliding finds every span ``[t, t + W)`` that starts at a hit and meets the rule. Trailing finds every
span of the last ``W`` seconds up to a hit: what a rule that looks back so far would see just after it. Spans that
overlap are one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from detector.detection.event import Event
from detector.ecs.values import Value
from detector.esql.plan.accumulators import Inputs


class WindowKey(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Where a hit is collected: rule, epoch-aligned bucket (``time // W``), values of the rule's
    other keys.

    A rule without a window keeps each event by itself: its bucket is the event's time, its key the
    event."""

    rule_id: str
    bucket: int
    key: tuple[Value, ...]


class Hit(NamedTuple):
    event: Event
    inputs: Inputs


class HitSpan(NamedTuple):
    """A half-open span of seconds since the epoch, with the hits in it."""

    start: int
    end: int
    hits: Sequence[Hit]


class HitAggregator(Protocol):
    """What ``meets`` is asked about: inputs join it, and leave it, the first first."""

    def add(self, row: Inputs, /) -> None: ...
    def retract(self) -> None: ...
    def __len__(self) -> int: ...


G = TypeVar("G", bound=HitAggregator)


def tumbling(
    hits: Sequence[Hit], width: int, group: Callable[[], G], meets: Callable[[G, int], bool]
) -> Iterator[int]:
    """The starts of the epoch-aligned windows over ``hits`` that meet a rule. ``hits`` are in order
    of time."""
    at = 0
    while at < len(hits):
        start = hits[at].event.time // width * width
        window = group()
        while at < len(hits) and hits[at].event.time < start + width:
            window.add(hits[at].inputs)
            at += 1
        if meets(window, start):
            yield start


def sliding(
    hits: Sequence[Hit], width: int, group: Callable[[], G], meets: Callable[[G, int], bool]
) -> Iterator[int]:
    """The starts of the spans that begin at a hit and meet a rule. ``hits`` are in order of
    time."""
    moving, at, held = group(), 0, 0
    for start, until in _moments(hits):
        while at < len(hits) and hits[at].event.time < start + width:
            moving.add(hits[at].inputs)
            at += 1
        if meets(moving, start):
            yield start
        for _ in range(until - held):
            moving.retract()
        held = until


def lookback(
    hits: Sequence[Hit], width: int, group: Callable[[], G], meets: Callable[[G, int], bool]
) -> Iterator[int]:
    """The starts of the spans that end just after a hit and meet a rule. ``hits`` are in order of
    time."""
    moving, held, at = group(), 0, 0
    for time, until in _moments(hits):
        for hit in hits[at:until]:
            moving.add(hit.inputs)
        at = until
        while hits[held].event.time <= time - width:
            moving.retract()
            held += 1
        if meets(moving, time - width + 1):
            yield time - width + 1


def _moments(hits: Sequence[Hit]) -> Iterator[tuple[int, int]]:
    """Each time at which there are hits, and the place after the last of them."""
    for place, hit in enumerate(hits, 1):
        if place == len(hits) or hits[place].event.time != hit.event.time:
            yield hit.event.time, place


def merge_spans(
    hits: Sequence[Hit], starts: Iterable[int], width: int, gap: int
) -> Iterator[HitSpan]:
    """The spans of ``width`` seconds at ``starts``, which ascend; those that begin less than
    ``gap`` apart are one."""
    found: list[tuple[int, int]] = []
    last: int | None = None
    for start in starts:
        if last is not None and start - last < gap:
            found[-1] = found[-1][0], start + width
        else:
            found.append((start, start + width))
        last = start
    for start, end in found:
        first = bisect_left(hits, start, key=_time)
        yield HitSpan(start, end, hits[first : bisect_left(hits, end, first, key=_time)])


def _time(hit: Hit) -> int:
    return hit.event.time
