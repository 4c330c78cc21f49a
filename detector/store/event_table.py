"""The events: what is kept of each record that a rule counted."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from detector.detection.digest import Partial
from detector.detection.event import Event
from detector.store.file_table import FileRead, file_id

EVENT_COLUMNS = "e.body, f.path, e.offset, max(e.place, -1 - e.place)"
"""The columns of an event, as ``decode_event`` takes them."""
FROM_EVENT = "FROM event e JOIN file f USING (file_id)"


class StoredEvent(NamedTuple):
    """What writing an event did: ``is_revised``, it has another content now."""

    is_new: bool
    is_revised: bool


def put_event(
    connection: sqlite3.Connection, identity: bytes, event: Event, file_id: int
) -> StoredEvent:
    """Write an event.

    Of two with one identity the smaller stays, whichever comes first.
    """
    stored = connection.execute("SELECT body FROM event WHERE identity = ?", (identity,)).fetchone()
    body = msgspec.msgpack.encode(msgspec.structs.astuple(event)[:-1])
    position = (event.time, file_id, event.position.offset, event.position.index)
    if stored is None:
        connection.execute(
            "INSERT INTO event (identity, time, file_id, offset, place, body) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (identity, *position, body),
        )
        return StoredEvent(is_new=True, is_revised=False)
    is_revised = body < stored[0]
    if is_revised:
        connection.execute(
            "UPDATE event SET time = ?, file_id = ?, offset = ?, place = ?, body = ? "
            "WHERE identity = ?",
            (*position, body, identity),
        )
    return StoredEvent(is_new=False, is_revised=is_revised)


def put_events(
    connection: sqlite3.Connection, partial: Partial, reads: Sequence[FileRead]
) -> tuple[list[bytes], Counter[str]]:
    """Write the events of ``partial``, the union of ``reads``.

    Returns the identities of those with another content now, and how many hits of each file, by
    path, are duplicates: all but the first of an event.
    """
    revised = []
    duplicates: Counter[str] = Counter()
    for (path, _), stats in partial.chunks.items():
        duplicates[path] += stats.hits
    for read in reads:
        if read.reread:
            duplicates[read.file.path] -= _reclaim_events(connection, read)
    paths = {event.position.source for event in partial.events.values()}
    file_ids = {path: file_id(connection, path) for path in paths}
    for identity, event in partial.events.items():
        path = event.position.source
        stored = put_event(connection, identity, event, file_ids[path])
        if stored.is_new:
            duplicates[path] -= 1
        if stored.is_revised:
            revised.append(identity)
    return revised, duplicates


def disown_events(connection: sqlite3.Connection) -> None:
    """Prepare for reading every file again: its events are to be brought once more.

    The place of an event that was not brought yet is negative.
    """
    connection.execute("UPDATE event SET place = -1 - place WHERE place >= 0")


def _reclaim_events(connection: sqlite3.Connection, read: FileRead) -> int:
    """Give a file that is read again the events that it brought first; return how many.

    It need not be cut into the same chunks, where it grew between. An event at the place where it
    is was brought by a re-read that was broken off.
    """
    read_id = file_id(connection, read.file.path)
    return connection.executemany(
        "UPDATE event SET offset = ?1, place = ?2 WHERE identity = ?3 AND file_id = ?4 "
        "AND (place < 0 OR (offset = ?1 AND place = ?2))",
        [
            (event.position.offset, event.position.index, identity, read_id)
            for identity, event in read.partial.events.items()
        ],
    ).rowcount


def decode_event(row: Any) -> Event:
    """Decode a row of ``EVENT_COLUMNS``."""
    body, path, offset, index = row
    return msgspec.convert(
        [*msgspec.msgpack.decode(body), (os.fsdecode(path), offset, index)], Event
    )
