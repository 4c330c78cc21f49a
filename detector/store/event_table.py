"""The events: what is kept of each record that a rule counted, or that is a signal.

Each event is stored once. If two records claim the same identity, the record with the smaller
content is kept, in whichever order they are read, with the matches of both.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from operator import itemgetter
from typing import NamedTuple

import msgspec

from detector.detection.columns.event_columns import EventColumns
from detector.detection.columns.identity_set import IdentitySet
from detector.detection.event import Event, KeptEvent, Match, unite_events
from detector.store.database import Database, raises_damaged
from detector.store.file_table import FileRead
from detector.store.files.file_packs import FileIds, Paths
from detector.store.packing.packed_hits import PackedHits
from detector.store.packing.packer import pack_columns
from detector.store.packing.segment import Packed, StoredRow, without_matches
from detector.store.packing.state_query import StateQuery, query_of
from detector.store.segments.segment_table import RowPlace, SegmentTable


class WrittenEvents(NamedTuple):
    """What ``EventTable`` found when it wrote events.

    ``known``: the identities that were stored before. ``revised``: of these, the events whose
    stored content has changed, as stored now, by identity.
    """

    known: Set[bytes]
    revised: dict[bytes, KeptEvent]


class EventTable:
    """The stored events."""

    def __init__(self, database: Database, segments: SegmentTable) -> None:
        self._database = database
        self._segments = segments
        self._known: IdentitySet | None = None

    def put(
        self,
        connection: sqlite3.Connection,
        rows: EventColumns,
        rules: Collection[str],
        reads: Sequence[FileRead] = (),
        packed: Iterable[PackedHits] = (),
        ids: FileIds | None = None,
    ) -> tuple[WrittenEvents, Counter[str]]:
        """Write the events of ``reads`` that rules counted: ``rows``, and the ``packed`` ones.

        Also returns by how much the number of duplicates of each file changes, by path: of all
        copies of an event, only the one in the file whose record is kept is no duplicate. Matches
        of rules that are not among ``rules`` are left out: a worker process that started while rule
        files changed may know rules that this process does not. ``ids`` are the file ids that are
        known already.
        """
        duplicates: Counter[str] = Counter()
        for read in reads:
            for (path, _), stats in read.partial.chunks.items():
                duplicates[path] += stats.hits
        places = self.locate(query_of(connection), rows)
        writing = _Writing(self, connection, rows, places, ids)
        for read in reads:
            if read.reread:
                duplicates[read.file.path] -= writing.reclaim(read)
        written, new = writing.put(_of_rules(rows, rules), is_fresh=True)
        for hits in packed:
            writing.put_packed(hits)
            duplicates.subtract(hits.counts())
        duplicates.subtract(new.counts())
        duplicates.update(writing.moved)
        return written, duplicates

    def put_signals(
        self, connection: sqlite3.Connection, rows: EventColumns
    ) -> tuple[dict[bytes, int], Set[bytes]]:
        """Write events that are signals.

        Returns the times of the events whose time may have changed, by identity, and the identities
        for which another record is kept now."""
        added = rows.added
        places = self.locate(query_of(connection), rows)
        repeated = rows.times_by_identity() if rows.added < added else {}
        hits = self._times_of_hits(query_of(connection), places)
        others = {identity: place for identity, place in places.items() if identity not in hits}
        writing = _Writing(self, connection, rows, others)
        # Signals that are found around alerts never change a stored hit.
        written, _ = writing.put(rows.without(hits), is_fresh=False)
        return repeated | hits | writing.stored_times(), written.revised.keys()

    def are_new(self, packed: Sequence[PackedHits], rows: EventColumns) -> list[bool]:
        """Tell, for each of ``packed``, whether all its events are certainly new.

        An event is new if it is not stored, and neither in ``rows`` nor in another of ``packed``.
        """
        known = self.known(self._segments.committed)
        seen, repeated = set(rows), set(rows)
        of_each = [hits.identities() for hits in packed]
        for identities in of_each:
            repeated |= identities & seen
            seen |= identities
        return [
            repeated.isdisjoint(identities)
            and not any(known.has_any(each.identities) for each in hits.segments)
            for hits, identities in zip(packed, of_each, strict=True)
        ]

    def known(self, query: StateQuery) -> IdentitySet:
        """Return the marks of all stored identities; only for the process that ingests.

        They are cached, so another process would miss the events written in the meantime."""
        if self._known is None:
            self._known = IdentitySet()
            for identities in self._segments.identities(query):
                self._known.add_all(identities)
        return self._known

    @raises_damaged
    def read(self, times: Mapping[bytes, int]) -> dict[bytes, Event]:
        """Return the committed events with these times, by identity."""
        query = self._segments.committed
        found: dict[bytes, Event] = {}
        paths = Paths(query)
        ordered = sorted((time, identity) for identity, time in times.items())
        if not ordered:
            return found
        for segment in self._segments.between(query, ordered[0][0], ordered[-1][0] + 1):
            first = bisect_left(ordered, (segment.times[0], b""))
            last = bisect_left(ordered, (segment.times[-1] + 1, b""))
            for time, identity in ordered[first:last]:
                number = segment.find(identity, time)
                if number is not None:
                    path = paths[segment.file_id(number)]
                    found[identity] = segment.row(number, path).event(identity)
        return found

    def rows_at(
        self, query: StateQuery, places: Mapping[bytes, RowPlace]
    ) -> dict[bytes, StoredRow]:
        """Return the rows at ``places``, by identity."""
        ordered = sorted(places.items(), key=lambda item: item[1])
        return {
            identity: self._segments.load(query, place.segment_id).stored(place.number)
            for identity, place in ordered
        }

    def _times_of_hits(
        self, query: StateQuery, places: Mapping[bytes, RowPlace]
    ) -> dict[bytes, int]:
        """Return the times of those events at ``places`` that are hits, by identity."""
        found: dict[bytes, int] = {}
        for identity, place in sorted(places.items(), key=itemgetter(1)):
            segment = self._segments.load(query, place.segment_id)
            if segment.is_hit(place.number):
                found[identity] = segment.times[place.number]
        return found

    def locate(self, query: StateQuery, rows: EventColumns) -> dict[bytes, RowPlace]:
        """Return the places of those events in ``rows`` that are stored, by identity."""
        rows.unite()
        known = self.known(query).among(bytes(rows.identities))
        if not known:
            return {}
        names = rows.names()
        times = {names[number]: rows.times[number] for number in known}
        return self._segments.locate(query, times)

    def write_packed(
        self, connection: sqlite3.Connection, segments: Iterable[Packed], is_fresh: bool
    ) -> None:
        """Write new events; ``is_fresh`` if they are hits."""
        for packed in segments:
            self._segments.append_packed(connection, packed, is_fresh)
            # If the transaction fails, surplus marks do no harm.
            self.known(query_of(connection)).add_all(packed.identities)

    def write(
        self,
        connection: sqlite3.Connection,
        rows: Sequence[StoredRow],
        replaced: Iterable[RowPlace],
        is_fresh: bool,
    ) -> None:
        """Write rows, and remove those at the places ``replaced``."""
        self._segments.remove(connection, replaced)
        self._segments.append(connection, rows, is_fresh)


class _Writing:
    """The writing of the events of one transaction."""

    def __init__(
        self,
        table: EventTable,
        connection: sqlite3.Connection,
        rows: EventColumns,
        places: Mapping[bytes, RowPlace],
        ids: FileIds | None = None,
    ) -> None:
        self._table = table
        self._connection = connection
        query = query_of(connection)
        self._rows = rows
        self._places = places
        self._stored = table.rows_at(query, self._places)
        self._changed: set[bytes] = set()
        self._reclaimed: set[bytes] = set()
        self.moved: Counter[str] = Counter()
        """By how much the duplicates of files change, by path.

        The causes are events whose kept record now comes from another file, and events that were
        not hits before."""
        self._paths = Paths(query)
        ((self._generation,),) = query("SELECT generation FROM progress")
        self._file_ids = FileIds(query) if ids is None else ids

    def reclaim(self, read: FileRead) -> int:
        """Assign to a reread file the events whose kept records it holds; return how many.

        If the file grew in between, it may be cut into other chunks. If it comes in several
        results, an earlier one may have brought an event already; such an event has the current
        generation, and an offset before this result's."""
        read_id = self._file_ids[read.file.path]
        is_whole = not read.file.resume
        start = min((offset for _, offset in read.partial.chunks), default=0)
        reclaimed = 0
        for identity, stored in list(self._stored.items()):
            row = read.partial.hits.get(identity)
            if row is None or stored.file_id != read_id:
                continue
            is_copy = stored.row.is_copy(row)
            is_due = stored.generation < self._generation or stored.row.position.offset >= start
            if is_whole or (is_due and (is_copy or _is_smaller(identity, row, stored.row))):
                reclaimed += 1
                self._reclaimed.add(identity)
                position = row.position if is_copy else stored.row.position
                placed = msgspec.structs.replace(stored.row, position=position)
                self._set(StoredRow(identity, placed, read_id, self._generation))
        return reclaimed

    def put(self, rows: EventColumns, is_fresh: bool) -> tuple[WrittenEvents, EventColumns]:
        """Write events; also return those that are new."""
        new = rows.without(self._stored)
        written = WrittenEvents(self._stored.keys(), {})
        for identity, stored in self._stored.copy().items():
            row = rows[identity]
            if stored.row.is_hit and not row.is_hit:
                continue  # rules of another version counted it
            if row.is_hit and not stored.row.is_hit:
                # A search stored the record, or another one with its id, before a rule counted it.
                if not stored.row.is_copy(row):
                    written.revised[identity] = row
                self.moved[row.position.source] -= identity not in self._reclaimed
                self._set(self._brought(identity, row))
                continue
            united = unite_events(identity, stored.row, row, is_placed=True)
            if united is stored.row:
                continue
            if stored.row.is_copy(united):
                self._set(stored._replace(row=united))
            else:
                written.revised[identity] = united
                self.moved[self._paths[stored.file_id]] += 1
                self.moved[united.position.source] -= 1
                self._set(self._brought(identity, united))
        changed = [self._stored[identity] for identity in self._changed]
        replaced = [self._places[identity] for identity in self._changed]
        self._table.write(self._connection, changed, replaced, is_fresh)
        packed = pack_columns(new, self._file_ids, self._generation)
        self._table.write_packed(self._connection, packed, is_fresh)
        return written, new

    def put_packed(self, hits: PackedHits) -> None:
        """Write packed events, none of which is stored yet."""
        packed = hits.placed(self._file_ids, self._generation)
        self._table.write_packed(self._connection, packed, is_fresh=True)

    def stored_times(self) -> dict[bytes, int]:
        """Return the current times of the events that were stored before, by identity."""
        return {identity: stored.row.time for identity, stored in self._stored.items()}

    def _set(self, stored: StoredRow) -> None:
        self._stored[stored.identity] = stored
        self._changed.add(stored.identity)

    def _brought(self, identity: bytes, row: KeptEvent) -> StoredRow:
        return StoredRow(identity, row, self._file_ids[row.position.source], self._generation)


def _is_smaller(identity: bytes, row: KeptEvent, other: KeptEvent) -> bool:
    return row.content(identity) < other.content(identity)


def _of_rules(rows: EventColumns, rules: Collection[str]) -> EventColumns:
    """Return rows without the matches of rules other than ``rules``."""
    used = {
        series.rule_id
        for matches in {id(kind.matches): kind.matches for kind in rows.kinds}.values()
        for series, _ in matches
    }
    if used <= set(rules):
        return rows

    def is_unknown(_: int, match: Match) -> bool:
        return match[0].rule_id not in rules

    return rows.with_kinds(lambda kind: without_matches(kind, is_unknown))
