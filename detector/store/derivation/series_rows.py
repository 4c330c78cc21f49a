"""The hits of a series as rows of segments; ``Hit`` objects are built on demand.

In a window of a million calls by one caller, a hit takes some twenty bytes, and what its hits have
in common is unpacked once.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Sequence, Set
from typing import Any, NamedTuple, overload

from detector.detection.event import (
    EVENT_REGION,
    EVENT_TIME,
    EventCall,
    EventClient,
    KeptEvent,
    Series,
    inputs_at,
)
from detector.detection.finding import Facets
from detector.detection.window import Hit, HitSeries
from detector.ecs.getters import present
from detector.esql.plan.accumulators import Inputs
from detector.store.packing.parts import NumberedMatches
from detector.store.packing.segment import Segment


class _Part(NamedTuple):
    """A segment that holds hits, and the number of their series in it."""

    segment: Segment
    series: int


class SeriesRows:
    """The hits of a series; once sorted, in order of time and identity.

    ``width`` is the bucket width of its rule, in seconds."""

    def __init__(self, series: Series, width: int) -> None:
        self.times = array("q")
        self._series = series
        self._width = width
        self._parts: list[_Part] = []
        self._part = array("I")
        self._row = array("I")
        self._is_sorted = True
        """Whether the hits are sorted; the hits of a single segment always are."""
        self._stale: dict[tuple[int, int], Inputs] = {}
        """The inputs of rows that contradicting records claim, by (part, row)."""
        self._marked: dict[tuple[int, int], Inputs] = {}
        """Inputs with marks in place of the time and the region, by (part, match)."""
        self._inputs: dict[tuple[int, int, int, str], Inputs] = {}
        """Inputs by (part, match, time, region), shared by the hits that agree in these."""
        self._rows: dict[tuple[object, ...], KeptEvent] = {}
        """Events by part, time and the parts that a row has in common with others."""

    def __len__(self) -> int:
        return len(self.times)

    @property
    def has_stale(self) -> bool:
        """Whether contradicting records claim any of the hits."""
        return bool(self._stale)

    def add(self, segment: Segment, number: int, stale: Set[int]) -> None:
        """Add the hits in a segment; ``number`` is the number of the series in it.

        ``stale`` are the segment's rows with stale matches."""
        part = len(self._parts)
        self._parts.append(_Part(segment, number))
        rows: Sequence[int] = segment.numbers_of(self._series)
        if not stale.isdisjoint(rows):
            rows = [row for row in rows if row not in stale or self._keeps_stale(part, row)]
        times = [segment.times[row] for row in rows]
        if self.times and times and times[0] <= self.times[-1]:
            self._is_sorted = False
        self._part.extend([part] * len(rows))
        self._row.extend(rows)
        self.times.extend(times)

    def _keeps_stale(self, part: int, row: int) -> bool:
        """Store the inputs of a row with stale matches; return whether the row is a hit."""
        hit = self._parts[part].segment.hit(row, self._series, self._width)
        if hit is None:
            return False
        self._stale[part, row] = hit.inputs
        return True

    def sort(self) -> None:
        """Sort the hits by time and identity, one second at a time to save memory."""
        if self._is_sorted:
            return
        by_time: dict[int, array[int]] = {}
        for index, time in enumerate(self.times):
            by_time.setdefault(time, array("I")).append(index)
        parts, rows = self._part, self._row
        self.times, self._part, self._row = array("q"), array("I"), array("I")
        for time in sorted(by_time):
            ordered = sorted(
                (self._parts[parts[index]].segment.identity(rows[index]), parts[index], rows[index])
                for index in by_time[time]
            )
            self.times.extend([time] * len(ordered))
            self._part.extend([part for _, part, _ in ordered])
            self._row.extend([row for _, _, row in ordered])

    def places(self, indexes: range) -> Iterator[tuple[Segment, int]]:
        """Yield the segment and the row of each hit."""
        for part, row in self._numbers(indexes):
            yield self._parts[part].segment, row

    def by_segment(self, indexes: range) -> Iterator[tuple[Segment, Sequence[int]]]:
        """Yield each segment that holds some of the hits, with the numbers of their rows in it."""
        for part, rows in self._rows_by_part(indexes):
            yield self._parts[part].segment, rows

    def values_of(self, place: int, indexes: range) -> set[Any]:
        """Return the distinct values of an input; all event times count as one value, their mark.

        Raises TypeError if a value is a list."""
        if self._stale:
            return {row[place] for row in self.inputs(indexes)}
        values: set[Any] = set()
        for part, rows in self._rows_by_part(indexes):
            segment = self._parts[part].segment
            for match in segment.matches_of(rows):
                value = self._marked_inputs(part, match)[place]
                if value == EVENT_REGION:
                    of_match = [row for row in rows if segment.match[row] == match]
                    values.update(map(present, segment.regions_of(of_match)))
                else:
                    values.add(value)
        return values

    def inputs(self, indexes: range) -> list[Inputs]:
        """Return the inputs of hits."""
        parts = self._rows_by_part(indexes)
        if len(parts) == 1 and not self._stale:
            ((part, rows),) = parts
            matches = self._parts[part].segment.matches_of(rows)
            if len(matches) == 1:
                return self._alike_inputs(part, rows, *matches)
        return [self._inputs_of(*numbers) for numbers in self._numbers(indexes)]

    def _alike_inputs(self, part: int, rows: Sequence[int], match: int) -> list[Inputs]:
        """Return the inputs of hits of one match; hits with the same time and region share them."""
        segment = self._parts[part].segment
        values = list(self._marked_inputs(part, match))
        times_at = [index for index, value in enumerate(values) if value == EVENT_TIME]
        regions_at = [index for index, value in enumerate(values) if value == EVENT_REGION]
        made: dict[tuple[int, str], Inputs] = {}
        own = list(zip([segment.times[row] for row in rows], segment.regions_of(rows), strict=True))
        for time, region in dict.fromkeys(own):
            for index in times_at:
                values[index] = time * 1000
            for index in regions_at:
                values[index] = present(region)
            made[time, region] = tuple(values)
        return [made[each] for each in own]

    def hit(self, index: int) -> Hit:
        """Return a hit; its row is shared by equal rows, so the row's position may be another's."""
        part, row = self._part[index], self._row[index]
        segment, time = self._parts[part].segment, self.times[index]
        name = part, time, segment.common_parts(row)
        kept = self._rows.get(name)
        if kept is None:
            kept = self._rows[name] = segment.row(row)
        return Hit(time, segment.identity(row), self._inputs_of(part, row), kept)

    def _numbers(self, indexes: range) -> Iterator[tuple[int, int]]:
        """Yield the (part, row) numbers of each hit."""
        within = slice(indexes.start, indexes.stop)
        return zip(self._part[within], self._row[within], strict=True)

    def _rows_by_part(self, indexes: range) -> Collection[tuple[int, Sequence[int]]]:
        """Return (part, numbers of the hits' rows in it, in order) for each part with hits."""
        within = slice(indexes.start, indexes.stop)
        parts, rows = self._part[within], self._row[within]
        distinct = sorted(set(parts))
        if len(distinct) == 1:
            return [(distinct[0], rows)]
        by_part = {part: array("I") for part in distinct}
        for part, row in zip(parts, rows, strict=True):
            by_part[part].append(row)
        return by_part.items()

    def _marked_inputs(self, part: int, match: int) -> Inputs:
        """Return the inputs of a match, with marks in place of the time and the region."""
        inputs = self._marked.get((part, match))
        if inputs is None:
            segment, series = self._parts[part]
            inputs = segment.inputs(_inputs_in(segment.numbered_matches[match], series))
            self._marked[part, match] = inputs
        return inputs

    def _inputs_of(self, part: int, row: int) -> Inputs:
        if (part, row) in self._stale:
            return self._stale[part, row]
        segment = self._parts[part].segment
        time, region, match = segment.times[row], segment.region(row), segment.match[row]
        inputs = self._inputs.get((part, match, time, region))
        if inputs is None:
            inputs = inputs_at(self._marked_inputs(part, match), time, region)
            self._inputs[part, match, time, region] = inputs
        return inputs


def _inputs_in(matches: NumberedMatches, series: int) -> int:
    """Return the number of the inputs with which a series matches. Raises LookupError."""
    for number, inputs in matches:
        if number == series:
            return inputs
    raise LookupError(f"no hit of the series {series}")


class RowSlice(HitSeries):
    """Consecutive hits of a series."""

    def __init__(self, series: SeriesRows, indexes: range) -> None:
        self._series = series
        self._indexes = indexes

    @property
    def times(self) -> Sequence[int]:
        return self._series.times[self._indexes.start : self._indexes.stop]

    def inputs(self) -> Sequence[Inputs]:
        return self._series.inputs(self._indexes)

    def event_ids(self) -> list[str]:
        return [segment.event_id(row) for segment, row in self._series.places(self._indexes)]

    def facets(self) -> Facets:
        clients: set[EventClient] = set()
        calls: list[tuple[EventCall, int]] = []
        regions: set[str] = set()
        for segment, rows in self._series.by_segment(self._indexes):
            clients |= segment.callers_of(rows)
            calls += segment.calls_of(rows)
            regions.update(segment.regions_of(rows))
        denied = sum(count for call, count in calls if call.error_code)
        return Facets.of_parts(clients, {call for call, _ in calls}, regions, denied)

    def __len__(self) -> int:
        return len(self._indexes)

    @overload
    def __getitem__(self, index: int) -> Hit: ...
    @overload
    def __getitem__(self, index: slice) -> RowSlice: ...
    def __getitem__(self, index: int | slice) -> Hit | RowSlice:
        if isinstance(index, slice):
            return RowSlice(self._series, self._indexes[index])
        return self._series.hit(self._indexes[index])
