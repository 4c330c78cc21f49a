"""Events by identity in columnar form: one object per kind of event, not per event."""

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
    """Events by identity, one per row.

    ``identities`` are concatenated. A kind is an event without identity, time and position, which
    many rows share: ``kind`` has, by row, an index into ``kinds``. ``chunk`` has, by row, an index
    into ``chunks``, each a file and an offset; ``index`` is the record's index in that chunk.
    Several records with the same identity may be added: each has its own row until ``unite`` is
    called or an event is looked up by identity."""

    def __init__(self, events: Mapping[bytes, KeptEvent] | None = None) -> None:
        self.identities = bytearray()
        self.times = array("q")
        self.kinds: list[KeptEvent] = []
        self.kind = array("i")
        self.chunks: list[tuple[str, int]] = []
        self.chunk = array("i")
        self.index = array("q")
        self._kind_numbers: dict[int, int] = {}
        """By the ``id()`` of the kind, which ``kinds`` keeps alive."""
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
        """Replace an event that is present. Raises KeyError if it is not."""
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
        """Add events of a kind; ``chunk`` is the number of the chunk that they are in."""
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
        """Add the records of runs; all records of a run share one kind of event.

        ``events`` has the kind of each run, None for a run without hits. ``times`` are those of all
        records of the chunk, whose number is ``chunk``. Returns the number of events added."""
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
        """Add all events of ``other``."""
        if not other.added:
            return  # as for most small files
        self._rows, self._is_united = None, False
        kinds = list(map(self._kind_number, other.kinds))
        chunks = [self.chunk_number(*place) for place in other.chunks]
        self.identities += other.identities
        self.times.extend(other.times)
        self.index.extend(other.index)
        self.kind.extend(gather(array("i", kinds), other.kind))
        self.chunk.extend(gather(array("i", chunks), other.chunk))

    def chunk_number(self, source: str, offset: int) -> int:
        """Return the number of a chunk, which is added if it is new."""
        number = self._chunk_numbers.setdefault((source, offset), len(self.chunks))
        if number == len(self.chunks):
            self.chunks.append((source, offset))
        return number

    def unite(self) -> None:
        """Merge rows with the same identity."""
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
        """Return the events except those with one of ``identities``."""
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
        """Return the events with ``change`` applied to each kind."""
        changed = self.selected([True] * len(self))
        changed.kinds = list(map(change, self.kinds))
        changed._kind_numbers = {id(kind): number for number, kind in enumerate(changed.kinds)}
        return changed

    def with_own_kinds(self) -> EventColumns:
        """Return the events with a copy of each kind; rows with the same identity stay separate."""
        changed = self.selected([True] * self.added)
        changed._set_tables(list(map(msgspec.structs.replace, self.kinds)), changed.chunks)
        return changed

    def counts(self) -> Counter[str]:
        """Return the number of events by the path of their file."""
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
        """Return the row number of each identity."""
        self.unite()
        if self._rows is None:
            self._rows = {identity: row for row, identity in enumerate(self.names())}
        return self._rows

    def _unite(self, names: Sequence[bytes]) -> None:
        """Merge the rows of each identity into the first of them."""
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
        """Overwrite a row with an event; ``kind`` is the number of a kind that it may be of."""
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
