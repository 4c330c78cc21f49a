"""The events: what is kept of each record that a rule counted."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from detector.detection.digest import Partial
from detector.detection.event import Event
from detector.store.file_table import FileRead, file_id

EVENT_COLUMNS = "e.body, f.path, e.offset, max(e.place, -1 - e.place)"
"""The columns of an event, as ``decode_event`` takes them."""
FROM_EVENT = "FROM event e JOIN file f USING (file_id)"


_LOOKUP = 500
"""Events that are looked up with one query."""


class WrittenEvents(NamedTuple):
    """The identities of events that are new, and of those with another content now."""

    new: list[bytes]
    revised: list[bytes]


def write_events(connection: sqlite3.Connection, events: Mapping[bytes, Event]) -> WrittenEvents:
    """Write events by identity.

    Of two with one identity the smaller stays, whichever comes first.
    """
    paths = {event.position.source for event in events.values()}
    file_ids = {path: file_id(connection, path) for path in paths}
    stored = _stored_events(connection, list(events))
    written = WrittenEvents([], [])
    rows = []
    for identity, event in events.items():
        body = msgspec.msgpack.encode(msgspec.structs.astuple(event)[:-1])
        if identity not in stored:
            written.new.append(identity)
        elif body < stored[identity]:
            written.revised.append(identity)
        else:
            continue
        path, offset, index = msgspec.structs.astuple(event.position)
        rows.append((identity, event.time, file_ids[path], offset, index, body))
    connection.executemany(
        "INSERT INTO event (identity, time, file_id, offset, place, body) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET time = excluded.time, "
        "file_id = excluded.file_id, offset = excluded.offset, place = excluded.place, "
        "body = excluded.body",
        sorted(rows),
    )
    return written


def put_events(
    connection: sqlite3.Connection, partial: Partial, reads: Sequence[FileRead]
) -> tuple[list[bytes], Counter[str]]:
    """Write the events of ``partial``, the union of ``reads``.

    Returns the identities of those with another content now, and how many hits of each file, by
    path, are duplicates: all but the first of an event.
    """
    duplicates: Counter[str] = Counter()
    for (path, _), stats in partial.chunks.items():
        duplicates[path] += stats.hits
    for read in reads:
        if read.reread:
            duplicates[read.file.path] -= _reclaim_events(connection, read)
    written = write_events(connection, partial.events)
    for identity in written.new:
        duplicates[partial.events[identity].position.source] -= 1
    return written.revised, duplicates


def _stored_events(
    connection: sqlite3.Connection, identities: Sequence[bytes]
) -> dict[bytes, bytes]:
    """Return the bodies of the events that are stored."""
    stored: dict[bytes, bytes] = {}
    for first in range(0, len(identities), _LOOKUP):
        page = identities[first : first + _LOOKUP]
        stored.update(
            connection.execute(
                "SELECT identity, body FROM event "
                f"WHERE identity IN ({', '.join('?' * len(page))})",
                page,
            )
        )
    return stored


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
