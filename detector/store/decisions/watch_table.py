"""The watches, their sightings, and the chunks that must still be searched for them."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from detector.detection.indicator import Indicator
from detector.store.database import Database, raises_damaged
from detector.store.decisions.decision_kinds import encode_json
from detector.store.decisions.indicator_index import IndicatorIndex
from detector.store.decisions.undo_journal import Change, UndoJournal
from detector.store.errors import StateError, UnknownFile
from detector.store.file_table import FileRead
from detector.store.files.file_packs import FileIds, Paths, packs_with
from detector.store.history_table import HistoryTable
from detector.store.packing.state_query import query_of
from detector.triage.watch import MOST_SIGHTINGS, Sighting, Watch, WatchRow

_SIGHTING_COLUMNS = "watch_id, identity, time, caller, action, region, address, error, found"

_RANKS = {"seen": 0, "waiting": 1, "lifted": 2, "undone": 3}

WatchChunks = Mapping[str, Sequence[int]]
"""The offsets of chunks to search, by path."""


class WatchTable:
    """All watches that were ever made, with their latest sightings.

    Which sightings are kept is decided by time and identity, so that it does not depend on the
    order in which records are read."""

    def __init__(self, database: Database, journal: UndoJournal, history: HistoryTable) -> None:
        self._database = database
        self._journal = journal
        self._history = history
        self._index: tuple[int, IndicatorIndex | None] | None = None
        """The index of the active watches, and the number of the history line when it was built."""

    @raises_damaged
    def all(self) -> list[WatchRow]:
        """Return all watches with their sightings: first seen, then waiting, then ended ones."""
        watches = self.stored()
        counts: dict[str, list[Sighting]] = defaultdict(list)
        for row in self._database.rows(f"SELECT {_SIGHTING_COLUMNS} FROM sighting"):
            counts[row[0]].append(Sighting(*row))
        rows = [_row(watch, counts.get(watch.watch_id, ())) for watch in watches]
        return sorted(rows, key=lambda row: (_RANKS[row.state], -row.watch.created))

    def active(self) -> list[Watch]:
        """Return the active watches, oldest first."""
        return [watch for watch in self.stored() if watch.active]

    def sightings(self, watch_id: str) -> list[Sighting]:
        """Return the sightings of a watch, latest first."""
        rows = self._database.rows(
            f"SELECT {_SIGHTING_COLUMNS} FROM sighting WHERE watch_id = ? "
            "ORDER BY time DESC, identity",
            watch_id,
        )
        return [Sighting(*row) for row in rows]

    # --- decisions

    def add(self, indicators: Iterable[Indicator], label: str = "") -> list[Watch]:
        """Create watches for those indicators that no active watch has yet; return them."""
        known = {watch.indicator.value for watch in self.active()}
        created = [
            Watch(each, label, self._database.author, self._database.clock(), secrets.token_hex(4))
            for each in indicators
            if each.value not in known
        ]
        self._decide("watched", created)
        return created

    def acknowledge(self, watch_ids: Sequence[str]) -> list[Watch]:
        """Acknowledge all sightings so far of the active ones among these watches.

        Raises StateError for an unknown watch."""
        now = self._database.clock()
        return self._change("watch acknowledged", watch_ids, acknowledged=now)

    def lift(self, watch_ids: Sequence[str]) -> list[Watch]:
        """End watches for good; their sightings stay. Raises StateError for an unknown watch."""
        return self._change("watch ended", watch_ids, lifted=self._database.clock())

    def _change(self, action: str, watch_ids: Sequence[str], **changed: float) -> list[Watch]:
        stored = {watch.watch_id: watch for watch in self.stored()}
        unknown = [each for each in watch_ids if each not in stored]
        if unknown:
            raise StateError(f"no watch {unknown[0]}: trailhound watch list shows them")
        watches = [
            msgspec.structs.replace(stored[each], **changed)
            for each in watch_ids
            if stored[each].active
        ]
        self._decide(action, watches)
        return watches

    def _decide(self, action: str, watches: Sequence[Watch]) -> None:
        with self._database.transaction() as connection:
            self._journal.decide(
                connection,
                action,
                [
                    Change("watch", watch.watch_id, encode_json(watch), watch.indicator.text)
                    for watch in watches
                ],
            )

    # --- chunks and sightings

    def worthwhile(self, reads: Sequence[FileRead]) -> list[tuple[str, int]]:
        """Return the (path, offset) of the new chunks that may hold watched indicators.

        A file that is reread only because the rules changed brings nothing new. Must be called
        before the files are written.
        """
        index = self._active_index()
        if index is None:
            return []
        return [
            place
            for read in reads
            if not (read.reread and self._has_size(read))
            for place, chunk in read.partial.chunks.items()
            if chunk.principal_index and index.may_hold(chunk)
        ]

    def append(
        self, connection: sqlite3.Connection, places: Iterable[tuple[str, int]], ids: FileIds
    ) -> None:
        """Record chunks to search, in the transaction that writes their files."""
        connection.executemany(
            "INSERT OR IGNORE INTO watch_chunk (file_id, offset) VALUES (?, ?)",
            [(ids[path], offset) for path, offset in places],
        )

    def chunks_to_search(self) -> WatchChunks:
        """Return the chunks that have not been searched yet."""
        offsets: dict[str, list[int]] = defaultdict(list)
        paths = Paths(self._database.rows)
        for file_id, offset in self._database.rows(
            "SELECT file_id, offset FROM watch_chunk ORDER BY file_id, offset"
        ):
            with contextlib.suppress(UnknownFile):  # the file was lost in the meantime
                offsets[paths[file_id]].append(offset)
        return dict(sorted(offsets.items()))

    def add_sightings(
        self, sightings: Iterable[Sighting], searched: WatchChunks
    ) -> tuple[WatchRow, ...]:
        """Write the sightings in searched chunks; return the watches with new sightings."""
        more: set[str] = set()
        with self._database.transaction() as connection:
            now = self._database.clock()
            for sighting in sightings:
                if connection.execute(
                    f"INSERT OR IGNORE INTO sighting ({_SIGHTING_COLUMNS}) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    sighting._replace(found=now),
                ).rowcount:
                    more.add(sighting.watch_id)
            connection.executemany(
                "DELETE FROM sighting WHERE watch_id = ?1 AND identity IN (SELECT identity "
                "FROM sighting WHERE watch_id = ?1 ORDER BY time DESC, identity "
                f"LIMIT -1 OFFSET {MOST_SIGHTINGS})",
                [(watch_id,) for watch_id in more],
            )
            ids = FileIds(query_of(connection))
            connection.executemany(
                "DELETE FROM watch_chunk WHERE file_id = ? AND offset = ?",
                [(ids[path], offset) for path, offsets in searched.items() for offset in offsets],
            )
        if not more:
            return ()
        return tuple(row for row in self.all() if row.watch.watch_id in more)

    def _has_size(self, read: FileRead) -> bool:
        """Tell whether a file has the same size as when it was last read."""
        file = read.file.file
        return any(
            pack.path(row.name) == file.path and row.size == file.size
            for pack in packs_with(self._database.rows, file.path)
            for row in pack.rows()
        )

    def _active_index(self) -> IndicatorIndex | None:
        """Return the index of watched indicators; None if there are no active watches."""
        line = self._history.last_entry()
        if self._index is None or self._index[0] != line:
            indicators = [watch.indicator for watch in self.active()]
            index = IndicatorIndex(indicators) if indicators else None
            self._index = line, index
        return self._index[1]

    @raises_damaged
    def stored(self) -> list[Watch]:
        """Return all watches as stored, without sightings, oldest first."""
        rows = self._database.rows("SELECT body FROM watch ORDER BY created, watch_id")
        return [msgspec.json.decode(body, type=Watch) for (body,) in rows]


def _row(watch: Watch, sightings: Sequence[Sighting]) -> WatchRow:
    if not sightings:
        return WatchRow(watch)
    return WatchRow(
        watch,
        len(sightings),
        sum(each.found > watch.acknowledged for each in sightings),
        min(each.time for each in sightings),
        max(sightings, key=lambda each: (each.time, each.identity)),
    )
