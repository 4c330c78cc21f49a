"""Windows: sets of hits, and the spans that meet a rule.

A hit is an event that passed a rule's filter. The hits of a series are collected by event identity,
so a window only grows by set union, and what is derived depends on the set alone.

Tumbling windows are aligned to the Unix epoch, ``[floor(t / W) * W, + W)``, as ES|QL's DATE_TRUNC
aligns spans of a fixed length. Sliding finds every span ``[t, t + W)`` that starts at a hit and
meets the rule. Lookback finds every span of the last ``W`` seconds up to a hit: what a rule that
looks back so far would see just after it. Spans that overlap are merged.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple, Protocol, TypeVar

from detector.detection.event import KeptEvent
from detector.esql.plan.accumulators import Inputs


class Hit(NamedTuple):
    """An event that passed a rule's filter, with its aggregate inputs.

    Hits are in order of ``(time, identity)``."""

    time: int
    identity: bytes
    inputs: Inputs
    row: KeptEvent


_time = attrgetter("time")


class HitSpan(NamedTuple):
    """A half-open span in epoch seconds, with the hits in it."""

    start: int
    end: int
    hits: Sequence[Hit]


class HitAggregator(Protocol):
    """A group of hits that a condition is evaluated on.

    Inputs are added, and retracted in the order in which they were added."""

    def add(self, row: Inputs, /) -> None: ...
    def retract(self) -> None: ...
    def __len__(self) -> int: ...


A = TypeVar("A", bound=HitAggregator)


def tumbling(
    hits: Sequence[Hit], width: int, new_group: Callable[[], A], meets: Callable[[A, int], bool]
) -> Iterator[int]:
    """Yield the starts of the epoch-aligned windows that meet a rule.

    ``hits`` are in order of time; ``meets(group, start)`` is the rule's condition."""
    for start, inside in groupby(hits, key=lambda hit: hit.time // width * width):
        group = new_group()
        for hit in inside:
            group.add(hit.inputs)
        if meets(group, start):
            yield start


def sliding(
    hits: Sequence[Hit], width: int, new_group: Callable[[], A], meets: Callable[[A, int], bool]
) -> Iterator[int]:
    """Yield the starts of spans from a hit that meet a rule.

    ``hits`` are in order of time; ``meets(group, start)`` is the rule's condition."""
    group, coming = new_group(), iter(hits)
    upcoming = next(coming, None)
    for start, together in groupby(hits, key=_time):
        while upcoming is not None and upcoming.time < start + width:
            group.add(upcoming.inputs)
            upcoming = next(coming, None)
        if meets(group, start):
            yield start
        for _ in together:
            group.retract()


def lookback(
    hits: Sequence[Hit], width: int, new_group: Callable[[], A], meets: Callable[[A, int], bool]
) -> Iterator[int]:
    """Yield the starts of spans to a hit that meet a rule.

    ``hits`` are in order of time; ``meets(group, start)`` is the rule's condition."""
    group, leaving = new_group(), iter(hits)
    oldest = next(leaving, None)
    for time, together in groupby(hits, key=_time):
        for hit in together:
            group.add(hit.inputs)
        while oldest is not None and oldest.time <= time - width:
            group.retract()
            oldest = next(leaving, None)
        if meets(group, time - width + 1):
            yield time - width + 1


def merge_spans(
    hits: Sequence[Hit], starts: Iterable[int], width: int, duration: int
) -> Iterator[HitSpan]:
    """Merge spans of ``width`` seconds that overlap, or begin soon after a merged one began.

    ``starts`` ascend; soon is less than ``duration`` seconds: what begins later begins anew."""
    spans: list[tuple[int, int]] = []
    last: int | None = None
    for start in starts:
        overlaps = last is not None and start - last < width
        if overlaps or (spans and start - spans[-1][0] < duration):
            spans[-1] = spans[-1][0], start + width
        else:
            spans.append((start, start + width))
        last = start
    for start, end in spans:
        first = bisect_left(hits, start, key=_time)
        yield HitSpan(start, end, hits[first : bisect_left(hits, end, first, key=_time)])
