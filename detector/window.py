"""Windows are sets of hits, and alerts are derived from them.

A hit is an event that passed a rule's filter. Under ``WindowKey`` hits are collected by event identity, so a
window only ever grows by set union, and what is derived from it depends on nothing but the set.

Tumbling windows are aligned to the Unix epoch, ``[floor(t / W) * W, + W)``, as ES|QL's DATE_TRUNC aligns spans of
a fixed length. Sliding finds every span ``[t, t + W)`` that starts at a hit and meets the rule; spans that overlap
are one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from detector.alert import Event, Value

Inputs = tuple[Value, ...]
"""What a rule's aggregates need of one event, in the rule's own order."""


class WindowKey(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """Where a hit is collected: rule, epoch-aligned bucket (``time // W``), values of the rule's other keys.

    A rule without a window keeps each event by itself: its bucket is the event's time, its key the event.
    """

    rule_id: str
    bucket: int
    key: tuple[Value, ...]


class Hit(NamedTuple):
    event: Event
    inputs: Inputs


class Span(NamedTuple):
    """A half-open span of seconds since the epoch, with the hits in it."""

    start: int
    end: int
    hits: Sequence[Hit]


def tumbling(hits: Sequence[Hit], width: int) -> Iterator[Span]:
    """The epoch-aligned windows of ``width`` seconds over ``hits``, which are in order of time."""
    at = 0
    while at < len(hits):
        start = hits[at].event.time // width * width
        stop = _first_at(hits, at, start + width)
        yield Span(start, start + width, hits[at:stop])
        at = stop


def sliding(hits: Sequence[Hit], width: int, meets: Callable[[Sequence[Hit]], bool],
            before: float = float("inf")) -> Iterator[Span]:
    """The unions of overlapping spans ``[t, t + width)`` that ``meets`` holds for; ``t`` is the time of a hit.

    ``hits`` are in order of time; spans start ``before`` some time. Spans that only meet (one ends where the next
    begins) stay two.
    """
    first = stop = begun = 0
    end: int | None = None
    while first < len(hits) and (time := hits[first].event.time) < before:
        stop = _first_at(hits, max(first, stop), time + width)
        if meets(hits[first:stop]):
            if end is not None and time >= end:
                yield _span(hits, begun, end)
                end = None
            begun = first if end is None else begun
            end = time + width
        first = _first_at(hits, first, time + 1)
    if end is not None:
        yield _span(hits, begun, end)


def _span(hits: Sequence[Hit], begun: int, end: int) -> Span:
    return Span(hits[begun].event.time, end, hits[begun:_first_at(hits, begun, end)])


def _first_at(hits: Sequence[Hit], at: int, time: int) -> int:
    """The place of the first hit from ``at`` on that is not before ``time``."""
    while at < len(hits) and hits[at].event.time < time:
        at += 1
    return at
