"""The hits of a series as columns: each hit is made where it is looked at.

Hits of one second that differ in their identity alone share all else, so that a window of a million
calls by one caller takes some thirty bytes a hit.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple, overload

import msgspec

from detector.detection.event import KeptEvent, inputs_at
from detector.detection.window import Hit
from detector.esql.plan.accumulators import Inputs
from detector.store.packing.segment import IDENTITY, Segment


class SharedRow(msgspec.Struct):
    """The row of a hit, unpacked once for all hits that differ from it in identity and position."""

    segment: Segment
    number: int
    unpacked: KeptEvent | None = None

    @property
    def row(self) -> KeptEvent:
        """The row."""
        if self.unpacked is None:
            self.unpacked = self.segment.row(self.number)
        return self.unpacked


class _Kind(NamedTuple):
    """What hits have in common; the inputs are without their time."""

    inputs: Inputs
    shared: SharedRow


class PackedSeries:
    """The hits of a series, by time and identity once they are sorted."""

    def __init__(self) -> None:
        self.times = array("q")
        self._identities = bytearray()
        self._kind = array("I")
        self._kinds: list[_Kind] = []
        self._inputs: dict[int, Inputs] = {}
        """With the time, by kind."""

    def __len__(self) -> int:
        return len(self.times)

    def new_kind(self, inputs: Inputs, shared: SharedRow) -> int:
        """Return a number for hits of one time with these inputs, which are without the time."""
        self._kinds.append(_Kind(inputs, shared))
        return len(self._kinds) - 1

    def add(self, time: int, identity: bytes, kind: int) -> None:
        """Add a hit."""
        self.times.append(time)
        self._identities += identity
        self._kind.append(kind)

    def sort(self) -> None:
        """Sort by time and identity; what sorting takes, it takes for one second at a time."""
        by_time: dict[int, array[int]] = {}
        for index, time in enumerate(self.times):
            by_time.setdefault(time, array("I")).append(index)
        kinds, identities = self._kind, bytearray()
        self.times, self._kind = array("q"), array("I")
        for time in sorted(by_time):
            for index in sorted(by_time[time], key=self.identity):
                self.times.append(time)
                self._kind.append(kinds[index])
                identities += self.identity(index)
        self._identities = identities

    def identity(self, index: int) -> bytes:
        """Return the identity of a hit."""
        return bytes(self._identities[index * IDENTITY : (index + 1) * IDENTITY])

    def inputs_without_time(self, first: int, end: int) -> list[Inputs]:
        """Return the inputs of the hits in ``[first, end)``."""
        return [self._kinds[kind].inputs for kind in self._kind[first:end]]

    def hit(self, index: int) -> Hit:
        """Return a hit; the position of its row is that of one of its kind."""
        time, kind = self.times[index], self._kind[index]
        inputs = self._inputs.get(kind)
        if inputs is None:
            inputs = self._inputs[kind] = inputs_at(self._kinds[kind].inputs, time)
        return Hit(time, self.identity(index), inputs, self._kinds[kind].shared.row)


class SeriesSlice(Sequence[Hit]):
    """Some hits of a series that follow each other."""

    def __init__(self, series: PackedSeries, indexes: range) -> None:
        self._series = series
        self._indexes = indexes

    def __len__(self) -> int:
        return len(self._indexes)

    def __iter__(self) -> Iterator[Hit]:
        return map(self._series.hit, self._indexes)

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> SeriesSlice: ...
    def __getitem__(self, index: int | slice) -> Hit | SeriesSlice:
        if isinstance(index, slice):
            return SeriesSlice(self._series, self._indexes[index])
        return self._series.hit(self._indexes[index])
