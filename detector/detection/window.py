"""Windows: sets of hits, and the spans that meet a rule.

A hit is an event that passed a rule's filter. The hits of a series are collected by event identity,
so a window only grows by set union, and the results depend on the set alone.

Tumbling windows are aligned to the Unix epoch, ``[floor(t / W) * W, + W)``, as ES|QL's DATE_TRUNC
aligns intervals of a fixed length. Sliding finds every span ``[t, t + W)`` that starts at a hit and
meets the rule. Lookback finds every span of the last ``W`` seconds up to a hit: what a rule with
that lookback would see right after the hit. Spans that overlap are merged.
"""

from __future__ import annotations

from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple, Protocol, TypeVar, overload

from detector.detection.event import KeptEvent
from detector.detection.finding import Facets
from detector.esql.plan.accumulators import Inputs


class Hit(NamedTuple):
    """An event that passed a rule's filter, with its aggregate inputs.

    Hits are in order of ``(time, identity)``."""

    time: int
    identity: bytes
    inputs: Inputs
    row: KeptEvent


class HitSeries(Sequence[Hit]):
    """The hits of a series; a ``Hit`` is only made when it is accessed."""

    @property
    @abstractmethod
    def times(self) -> Sequence[int]:
        """The times of the hits, in epoch seconds; each access may copy them."""

    @abstractmethod
    def inputs(self) -> Sequence[Inputs]:
        """Return the inputs of each hit."""

    @abstractmethod
    def event_ids(self) -> list[str]:
        """Return the id of each hit's event."""

    @abstractmethod
    def facets(self) -> Facets:
        """Return the facets of the hits' events."""

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> HitSeries: ...
    @abstractmethod
    def __getitem__(self, index: int | slice) -> Hit | HitSeries: ...


class ListedHits(HitSeries):
    """A series of hits that are already made."""

    def __init__(self, hits: Sequence[Hit]) -> None:
        self._hits = hits
        self._times = [hit.time for hit in hits]

    @property
    def times(self) -> Sequence[int]:
        return self._times

    def inputs(self) -> Sequence[Inputs]:
        return [hit.inputs for hit in self._hits]

    def event_ids(self) -> list[str]:
        return [hit.row.id_of(hit.identity) for hit in self._hits]

    def facets(self) -> Facets:
        return Facets.of([hit.row for hit in self._hits])

    def __len__(self) -> int:
        return len(self._hits)

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> HitSeries: ...
    def __getitem__(self, index: int | slice) -> Hit | HitSeries:
        if isinstance(index, slice):
            return ListedHits(self._hits[index])
        return self._hits[index]


def as_series(hits: Sequence[Hit]) -> HitSeries:
    """Return hits of one series as a ``HitSeries``."""
    return hits if isinstance(hits, HitSeries) else ListedHits(hits)


class HitSpan(NamedTuple):
    """A half-open span in epoch seconds, with the hits in it."""

    start: int
    end: int
    hits: HitSeries


class HitAggregator(Protocol):
    """A group of hits on which a condition is evaluated.

    Inputs are retracted in the order in which they were added."""

    def add(self, row: Inputs, /) -> None: ...
    def retract(self) -> None: ...
    def __len__(self) -> int: ...


A = TypeVar("A", bound=HitAggregator)


def tumbling(
    times: Sequence[int],
    inputs: Sequence[Inputs],
    width: int,
    new_group: Callable[[], A],
    meets: Callable[[A, int], bool],
) -> Iterator[int]:
    """Yield the starts of the epoch-aligned windows that meet a rule.

    ``times`` and ``inputs`` are those of hits, in order of time; ``meets(group, start)`` is the
    rule's condition."""
    for start, first, end in epoch_windows(times, width):
        group = new_group()
        for row in inputs[first:end]:
            group.add(row)
        if meets(group, start):
            yield start


def epoch_windows(times: Sequence[int], width: int) -> Iterator[tuple[int, int, int]]:
    """Yield each epoch-aligned window with hits: its start, and its hits' slice ``[first,
    end)``."""
    first = 0
    while first < len(times):
        start = times[first] // width * width
        end = bisect_left(times, start + width, first)
        yield start, first, end
        first = end


def sliding(
    times: Sequence[int],
    inputs: Sequence[Inputs],
    width: int,
    new_group: Callable[[], A],
    meets: Callable[[A, int], bool],
) -> Iterator[int]:
    """Yield the starts of the spans beginning at a hit that meet a rule.

    The arguments are those of ``tumbling``."""
    group, upcoming = new_group(), 0
    for start, together in groupby(times):
        while upcoming < len(times) and times[upcoming] < start + width:
            group.add(inputs[upcoming])
            upcoming += 1
        if meets(group, start):
            yield start
        for _ in together:
            group.retract()


def lookback(
    times: Sequence[int],
    inputs: Sequence[Inputs],
    width: int,
    new_group: Callable[[], A],
    meets: Callable[[A, int], bool],
) -> Iterator[int]:
    """Yield the starts of the spans ending at a hit that meet a rule.

    The arguments are those of ``tumbling``."""
    group, coming, oldest = new_group(), iter(inputs), 0
    for time, together in groupby(times):
        for _ in together:
            group.add(next(coming))
        while times[oldest] <= time - width:
            group.retract()
            oldest += 1
        if meets(group, time - width + 1):
            yield time - width + 1


def merge_spans(
    hits: HitSeries, starts: Iterable[int], width: int, duration: int
) -> Iterator[HitSpan]:
    """Merge spans of ``width`` seconds that overlap, or begin soon after a merged one began.

    ``starts`` ascend; soon means less than ``duration`` seconds. A later start begins a new
    span."""
    spans: list[tuple[int, int]] = []
    last: int | None = None
    for start in starts:
        overlaps = last is not None and start - last < width
        if overlaps or (spans and start - spans[-1][0] < duration):
            spans[-1] = spans[-1][0], start + width
        else:
            spans.append((start, start + width))
        last = start
    times = hits.times
    for start, end in spans:
        first = bisect_left(times, start)
        yield HitSpan(start, end, hits[first : bisect_left(times, end, first)])
