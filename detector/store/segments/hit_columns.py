"""All hits of a rule as columns by series, built once for many queries.

The times and inputs of hits, from which alerts are derived, and their callers and regions are held
in lists; everything else stays packed until a hit is shown.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import OrderedDict, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from operator import itemgetter

import msgspec

from detector.detection.event import EventClient, Series, inputs_at
from detector.detection.window import Hit
from detector.esql.plan.accumulators import Inputs
from detector.store.packing.segment import Segment

_UNPACKED = 8
"""How many segments are kept unpacked; each has thousands of hits."""
_ROW_BITS = 32


class SeriesHits(msgspec.Struct):
    """The hits of a series as columns, in order of time and identity.

    ``places`` holds the segment and the row of each hit, combined in one number."""

    times: list[int] = msgspec.field(default_factory=list)
    inputs: list[Inputs] = msgspec.field(default_factory=list)
    callers: list[EventClient] = msgspec.field(default_factory=list)
    regions: list[str] = msgspec.field(default_factory=list)
    places: array[int] = msgspec.field(default_factory=lambda: array("Q"))

    def __len__(self) -> int:
        return len(self.times)

    def copy(self) -> SeriesHits:
        return SeriesHits(
            self.times.copy(),
            self.inputs.copy(),
            self.callers.copy(),
            self.regions.copy(),
            self.places[:],
        )


class HitColumns:
    """The hits of a rule; ``packed`` are its segments, in order of their first time."""

    def __init__(self, rule_id: str, packed: Sequence[tuple[bytes, bytes]]) -> None:
        self.rule_id = rule_id
        self._packed = packed
        self._unpacked: OrderedDict[int, Segment] = OrderedDict()
        self._stale: list[tuple[int, int]] = []
        """(segment, row) of each event whose identity contradicting records claim."""
        self._by_width: dict[int, Mapping[Series, SeriesHits]] = {}
        self._series: dict[Series, SeriesHits] = defaultdict(SeriesHits)
        spans = []
        for number in range(len(packed)):
            segment = self._segment(number)
            self._add(number, segment)
            spans.append((segment.times[0], segment.times[-1]))
        if any(first <= last for (_, last), (first, _) in pairwise(spans)):
            for hits in self._series.values():
                self._sort(hits)

    def __len__(self) -> int:
        """The number of hits; a hit with several keys counts once per key."""
        return sum(map(len, self._series.values()))

    @property
    def span(self) -> tuple[int, int] | None:
        """The times of the first and the last hit; None without any."""
        times = [hits.times for hits in self._series.values() if hits.times]
        if not times:
            return None
        return min(each[0] for each in times), max(each[-1] for each in times)

    def series(self, width: int) -> Mapping[Series, SeriesHits]:
        """Return the hits by series, for buckets of ``width`` seconds.

        The width matters only for events whose identity contradicting records claim."""
        if not self._stale:
            return self._series
        if width not in self._by_width:
            self._by_width[width] = self._with_stale(width)
        return self._by_width[width]

    def hits(self, hits: SeriesHits, first: int, end: int) -> list[Hit]:
        """Return the complete hits with indexes ``[first, end)``."""
        whole = []
        for index in range(first, end):
            number, row = divmod(hits.places[index], 1 << _ROW_BITS)
            segment = self._segment(number)
            whole.append(
                Hit(hits.times[index], segment.identity(row), hits.inputs[index], segment.row(row))
            )
        return whole

    def _segment(self, number: int) -> Segment:
        segment = self._unpacked.get(number)
        if segment is None:
            segment = self._unpacked[number] = Segment.unpack(*self._packed[number])
            if len(self._unpacked) > _UNPACKED:
                self._unpacked.popitem(last=False)
        else:
            self._unpacked.move_to_end(number)
        return segment

    def _add(self, segment_number: int, segment: Segment) -> None:
        """Add the hits of a segment, and note its rows with stale matches for later."""
        is_of_rule = [series.rule_id == self.rule_id for series in segment.series]
        wanted = [
            [
                (self._series[segment.series[number]], segment.inputs(inputs))
                for number, inputs in matches
                if is_of_rule[number]
            ]
            for matches in segment.numbered_matches
        ]
        stale = set(segment.stale_rows())
        self._stale += [(segment_number, row) for row in sorted(stale)]
        base = segment_number << _ROW_BITS
        for row, match in enumerate(segment.match):
            if wanted[match] and row not in stale:
                time, caller, region = segment.times[row], segment.client(row), segment.region(row)
                for hits, inputs in wanted[match]:
                    hits.times.append(time)
                    hits.inputs.append(inputs_at(inputs, time, region))
                    hits.callers.append(caller)
                    hits.regions.append(region)
                    hits.places.append(base | row)

    def _sort(self, hits: SeriesHits) -> None:
        """Sort the hits of a series by time and identity, since its segments overlap."""
        if all(before < after for before, after in pairwise(hits.times)):
            return
        order = sorted(range(len(hits)), key=lambda index: self._order(hits, index))
        hits.times = [hits.times[index] for index in order]
        hits.inputs = [hits.inputs[index] for index in order]
        hits.callers = [hits.callers[index] for index in order]
        hits.regions = [hits.regions[index] for index in order]
        hits.places = array("Q", [hits.places[index] for index in order])

    def _order(self, hits: SeriesHits, index: int) -> tuple[int, bytes]:
        return hits.times[index], self._identity(hits.places[index])

    def _identity(self, place: int) -> bytes:
        number, row = divmod(place, 1 << _ROW_BITS)
        identities = self._packed[number][0]
        return bytes(identities[row * 16 : row * 16 + 16])

    def _with_stale(self, width: int) -> dict[Series, SeriesHits]:
        """Return the hits by series, including those of contradicting records."""
        found = dict(self._series)
        for series, hit, place in self._stale_hits(width):
            hits = found.get(series)
            if hits is None or hits is self._series.get(series):
                hits = found[series] = hits.copy() if hits else SeriesHits()
            keys = [self._order(hits, index) for index in range(len(hits))]
            index = bisect_right(keys, (hit.time, hit.identity))
            hits.times.insert(index, hit.time)
            hits.inputs.insert(index, hit.inputs)
            hits.callers.insert(index, hit.row.client)
            hits.regions.insert(index, hit.row.region)
            hits.places.insert(index, place)
        return found

    def _stale_hits(self, width: int) -> Iterator[tuple[Series, Hit, int]]:
        for number, row in self._stale:
            segment = self._segment(number)
            event = segment.row(row)
            matches = [*event.matches, *(match for _, them in event.stale for match in them)]
            for series in dict.fromkeys(map(itemgetter(0), matches)):
                if series.rule_id != self.rule_id:
                    continue
                hit = segment.hit(row, series, width)
                if hit is not None:
                    yield series, hit, number << _ROW_BITS | row
