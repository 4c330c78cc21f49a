"""The events: what is kept of each record that a rule counted."""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Set
from typing import Any, NamedTuple

import msgspec

from detector.detection.digest import Partial
from detector.detection.event import Event
from detector.store.file_table import file_id

EVENT_COLUMNS = "e.body, f.path, e.offset, e.place"
"""The columns of an event, as ``decode_event`` takes them."""
FROM_EVENT = "FROM event e JOIN file f USING (file_id)"


class StoredEvent(NamedTuple):
    """What writing an event did.

    ``known_at`` is the (file id, offset, index) of an event that was stored already;
    ``is_revised``: it has another content now.
    """

    known_at: tuple[int, int, int] | None
    is_revised: bool


def put_event(
    connection: sqlite3.Connection, identity: bytes, event: Event, file_id: int
) -> StoredEvent:
    """Write an event.

    Of two with one identity the smaller stays, whichever comes first.
    """
    stored = connection.execute(
        "SELECT body, file_id, offset, place FROM event WHERE identity = ?", (identity,)
    ).fetchone()
    body = msgspec.msgpack.encode(msgspec.structs.astuple(event)[:-1])
    position = (event.time, file_id, event.position.offset, event.position.index)
    if stored is None:
        connection.execute(
            "INSERT INTO event (identity, time, file_id, offset, place, body) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (identity, *position, body),
        )
        return StoredEvent(None, False)
    is_revised = body < stored[0]
    if is_revised:
        connection.execute(
            "UPDATE event SET time = ?, file_id = ?, offset = ?, place = ?, body = ? "
            "WHERE identity = ?",
            (*position, body, identity),
        )
    return StoredEvent(stored[1:], is_revised)


def put_events(
    connection: sqlite3.Connection, partial: Partial, reread: Set[str]
) -> tuple[list[bytes], Counter[str]]:
    """Write the events of ``partial``.

    Returns the identities of those with another content now, and how many hits of each file, by
    path, are duplicates: all but the first of an event. An event that a ``reread`` file brought
    from the same position the last time is no duplicate.
    """
    revised = []
    duplicates: Counter[str] = Counter()
    for (path, _), stats in partial.chunks.items():
        duplicates[path] += stats.hits
    paths = {event.position.source for event in partial.events.values()}
    file_ids = {path: file_id(connection, path) for path in paths}
    for identity, event in partial.events.items():
        path = event.position.source
        stored = put_event(connection, identity, event, file_ids[path])
        position = (file_ids[path], event.position.offset, event.position.index)
        if stored.known_at is None or (path in reread and stored.known_at == position):
            duplicates[path] -= 1
        if stored.is_revised:
            revised.append(identity)
    return revised, duplicates


def decode_event(row: Any) -> Event:
    """Decode a row of ``EVENT_COLUMNS``."""
    body, path, offset, index = row
    return msgspec.convert(
        [*msgspec.msgpack.decode(body), (os.fsdecode(path), offset, index)], Event
    )
