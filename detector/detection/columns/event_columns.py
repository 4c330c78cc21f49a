"""Events by identity, as columns: an object for each kind of event, not for each event."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import compress
from typing import Any

import msgspec

from detector.detection.columns.identity_set import IdentitySet
from detector.detection.event import KeptEvent, Position, unite_events
from detector.formats.decoded.hit_runs import RecordRuns
from detector.formats.native.columns import IDENTITY, RowOrder, gather, identities_in


class EventColumns(Mapping[bytes, KeptEvent]):
    """Events by identity, one a row.

    ``identities`` follow each other. ``kinds`` are events of which many rows have all but identity,
    time and position; ``kind`` is the number of each row's. ``chunks`` are file and offset,
    ``chunk`` the number of each row's, ``index`` the record's there. Records that claim one
    identity may be added: until ``unite`` is called, or anything is asked by identity, each has
    a row."""

    def __init__(self, events: Mapping[bytes, KeptEvent] | None = None) -> None:
        self.identities = bytearray()
        self.times = array("q")
        self.kinds: list[KeptEvent] = []
        self.kind = array("i")
        self.chunks: list[tuple[str, int]] = []
        self.chunk = array("i")
        self.index = array("q")
        self._kind_numbers: dict[int, int] = {}
        """By the id of the kind, which is held."""
        self._chunk_numbers: dict[tuple[str, int], int] = {}
        self._rows: dict[bytes, int] | None = None
        self._is_united = True
        for identity, event in (events or {}).items():
            self.add(identity, event)

    def __reduce__(self) -> tuple[Callable[..., EventColumns], tuple[Any, ...]]:
        columns = self.identities, self.times, self.kind, self.chunk, self.index
        return _restore, (*columns, self.kinds, self.chunks)

    def __len__(self) -> int:
        self.unite()
        return len(self.times)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._by_identity())

    def __getitem__(self, identity: bytes) -> KeptEvent:
        return self._event(self._by_identity()[identity])

    def __contains__(self, identity: object) -> bool:
        return identity in self._by_identity()

    def __setitem__(self, identity: bytes, event: KeptEvent) -> None:
        """Put another event in the place of one that is here."""
        self._set(self._by_identity()[identity], event)

    @property
    def added(self) -> int:
        """The number of events that were added, copies of others included."""
        return len(self.times)

    def add(self, identity: bytes, event: KeptEvent) -> None:
        """Add an event."""
        place = event.position
        chunk = self.chunk_number(place.source, place.offset)
        self.add_alike(event, chunk, identity, [event.time], [place.index])

    def add_alike(
        self,
        kind: KeptEvent,
        chunk: int,
        identities: bytes,
        times: Sequence[int],
        indexes: Sequence[int],
    ) -> None:
        """Add events of a kind; ``chunk`` is the number of theirs."""
        self._rows, self._is_united = None, False
        self.identities += identities
        self.times.extend(times)
        self.index.extend(indexes)
        self.kind.extend([self._kind_number(kind)] * len(times))
        self.chunk.extend([chunk] * len(times))

    def add_runs(
        self,
        events: Sequence[KeptEvent | None],
        chunk: int,
        runs: RecordRuns,
        times: Sequence[int | None],
    ) -> int:
        """Add the records of runs, each of which has one event but for what is a row's own.

        None where a run has no hits. ``times`` are those of the records of the chunk, of which
        ``chunk`` is the number. Returns how many were added."""
        self._rows, self._is_united = None, False
        kinds = [-1 if event is None else self._kind_number(event) for event in events]
        rows = runs.rows(kinds, times)
        self.identities += rows.identities
        self.times += rows.times
        self.index += rows.indexes
        self.kind += rows.kinds
        self.chunk += array("i", [chunk]) * len(rows.times)
        return len(rows.times)

    def add_all(self, other: EventColumns) -> None:
        """Add the events of others."""
        if not other.added:
            return  # as of most small files
        self._rows, self._is_united = None, False
        kinds = list(map(self._kind_number, other.kinds))
        chunks = [self.chunk_number(*place) for place in other.chunks]
        self.identities += other.identities
        self.times.extend(other.times)
        self.index.extend(other.index)
        self.kind.extend(gather(array("i", kinds), other.kind))
        self.chunk.extend(gather(array("i", chunks), other.chunk))

    def chunk_number(self, source: str, offset: int) -> int:
        """Return the number of a chunk."""
        number = self._chunk_numbers.setdefault((source, offset), len(self.chunks))
        if number == len(self.chunks):
            self.chunks.append((source, offset))
        return number

    def unite(self) -> None:
        """Leave one row of each identity."""
        if not self._is_united:
            if IdentitySet().add_all(bytes(self.identities)) < len(self.times):
                self._unite(self.names())
            self._is_united = True

    def names(self) -> list[bytes]:
        """Return the identity of each row."""
        return identities_in(self.identities)

    def rows(self) -> Iterator[tuple[KeptEvent, bytes, KeptEvent]]:
        """Yield the kind, the identity and the event of each row."""
        for row, identity in enumerate(self.names()):
            yield self.kinds[self.kind[row]], identity, self._event(row)

    def times_by_identity(self) -> dict[bytes, int]:
        """Return the time of each event by its identity."""
        return dict(zip(self._by_identity(), self.times, strict=True))

    def without(self, identities: Collection[bytes]) -> EventColumns:
        """Return the events but for some."""
        self.unite()
        if not identities:
            return self
        marks = IdentitySet()
        marks.add_all(b"".join(identities))
        own = bytes(self.identities)
        stands = bytearray(b"\1") * len(self.times)
        for row in marks.among(own):
            stands[row] = own[IDENTITY * row : IDENTITY * (row + 1)] not in identities
        return self.selected(stands)

    def with_kinds(self, change: Callable[[KeptEvent], KeptEvent]) -> EventColumns:
        """Return the events with each kind changed."""
        changed = self.selected([True] * len(self))
        changed.kinds = list(map(change, self.kinds))
        changed._kind_numbers = {id(kind): number for number, kind in enumerate(changed.kinds)}
        return changed

    def with_own_kinds(self) -> EventColumns:
        """Return the events with a copy of each kind, those with one identity by themselves."""
        changed = self.selected([True] * self.added)
        changed._set_tables(list(map(msgspec.structs.replace, self.kinds)), changed.chunks)
        return changed

    def counts(self) -> Counter[str]:
        """Count the events by the path of their file."""
        counts: Counter[str] = Counter()
        self.unite()
        for number, count in Counter(self.chunk).items():
            counts[self.chunks[number][0]] += count
        return counts

    def _kind_number(self, kind: KeptEvent) -> int:
        number = self._kind_numbers.setdefault(id(kind), len(self.kinds))
        if number == len(self.kinds):
            self.kinds.append(kind)
        return number

    def _by_identity(self) -> dict[bytes, int]:
        """Return the rows by identity."""
        self.unite()
        if self._rows is None:
            self._rows = {identity: row for row, identity in enumerate(self.names())}
        return self._rows

    def _unite(self, names: Sequence[bytes]) -> None:
        """Leave one row of each identity, where the first of them is."""
        first: dict[bytes, int] = {}
        stands = bytearray(b"\1") * len(names)
        for row, identity in enumerate(names):
            present = first.setdefault(identity, row)
            if present == row:
                continue
            stands[row] = 0
            before = self._event(present)
            united = unite_events(identity, before, self._event(row))
            if united is not before:
                self._set(present, united, self.kind[row])
        left = self.selected(stands)
        self.identities, self.times = left.identities, left.times
        self.kind, self.chunk, self.index = left.kind, left.chunk, left.index

    def _set(self, row: int, event: KeptEvent, kind: int | None = None) -> None:
        """Put an event in the place of a row's; it may be of this ``kind``."""
        place = event.position
        if kind is None or not _is_of_kind(event, self.kinds[kind]):
            kind = self._kind_number(event)
        self.times[row], self.kind[row] = event.time, kind
        self.chunk[row] = self.chunk_number(place.source, place.offset)
        self.index[row] = place.index

    def selected(self, is_selected: Sequence[Any]) -> EventColumns:
        """Return the rows that are selected."""
        selected = EventColumns()
        rows = RowOrder(array("i", compress(range(self.added), is_selected)))
        selected.identities = bytearray(rows.identities(bytes(self.identities)))
        for name in ("times", "kind", "chunk", "index"):
            setattr(selected, name, rows.column(getattr(self, name)))
        selected._set_tables(self.kinds.copy(), self.chunks.copy())
        selected._is_united = self._is_united
        return selected

    def _set_tables(self, kinds: list[KeptEvent], chunks: list[tuple[str, int]]) -> None:
        self.kinds, self.chunks = kinds, chunks
        self._kind_numbers = {id(kind): number for number, kind in enumerate(kinds)}
        self._chunk_numbers = {chunk: number for number, chunk in enumerate(chunks)}

    def _event(self, row: int) -> KeptEvent:
        position = Position(*self.chunks[self.chunk[row]], self.index[row])
        return self.kinds[self.kind[row]].placed(self.times[row], position)


def _is_of_kind(event: KeptEvent, kind: KeptEvent) -> bool:
    return event.matches is kind.matches and kind.placed(event.time, event.position) == event


def _restore(
    identities: bytearray,
    times: array[int],
    kind: array[int],
    chunk: array[int],
    index: array[int],
    kinds: list[KeptEvent],
    chunks: list[tuple[str, int]],
) -> EventColumns:
    columns = EventColumns()
    columns.identities, columns.times = identities, times
    columns.kind, columns.chunk, columns.index = kind, chunk, index
    columns._set_tables(kinds, chunks)
    columns._is_united = False
    return columns
