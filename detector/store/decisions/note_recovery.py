"""The recovery of damaged notes from redundant content of the state.

A note is stored in three tables, which are on different pages: its row, the versions of its body,
and the decisions that wrote the versions. Its alert is also stored in an index and in the history.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import msgspec

from detector.store.decisions.row_checks import can_be_decoded
from detector.triage.note import NoteContext

ReadRows = Callable[[str], list[tuple[Any, ...]]]
"""Runs a query on the damaged state, and returns the rows that can be read."""


_JOURNAL = """
SELECT subject, at, author, coalesce(after, 'null'), decision_id, 0
FROM decided JOIN decision USING (decision_id) WHERE thing = 'note'
UNION ALL
SELECT subject, at, author, coalesce(before, 'null'), decision_id, 1
FROM decided JOIN decision USING (decision_id) WHERE thing = 'note' AND standing = 'undone'
ORDER BY 5, 6
"""
"""The note bodies that decisions wrote; one that was undone also restored the body before it."""


class _Version(NamedTuple):
    at: float
    author: str
    words: str


_VERSION = tuple[int, float, str, str]
"""The id of a note, and a version of it."""


def restore_notes(read: ReadRows, connection: sqlite3.Connection) -> dict[str, int]:
    """Complete the notes of a new state; return the number of restored rows, by table.

    ``read`` queries the damaged state; ``connection`` is the new state, into which the readable
    rows have been copied.
    """
    written = _versions(read("SELECT note_id, at, author, words FROM note_words NOT INDEXED"))
    of_journal = _versions(connection.execute(_JOURNAL))
    known = {note_id for (note_id,) in connection.execute("SELECT note_id FROM note")}
    alerts = _alerts_of_notes(read)
    restored = {"note": 0, "note_words": 0}
    for note_id in sorted(written.keys() | of_journal.keys()):
        versions = _union(written[note_id], of_journal[note_id])
        if note_id not in known and note_id in alerts:
            _insert_note(connection, note_id, alerts[note_id], versions[0])
            known.add(note_id)
            restored["note"] += 1
        if note_id in known:
            restored["note_words"] += _complete_versions(connection, note_id, versions)
    return restored


def _versions(rows: Iterable[tuple[Any, ...]]) -> defaultdict[int, list[_Version]]:
    versions: defaultdict[int, list[_Version]] = defaultdict(list)
    for row in rows:
        with contextlib.suppress(ValueError):  # a damaged value
            note_id, *version = msgspec.convert(row[:4], _VERSION, strict=False)
            if can_be_decoded("note_words", {"words": version[-1]}):
                versions[note_id].append(_Version(*version))
    return versions


def _union(written: list[_Version], of_journal: list[_Version]) -> list[_Version]:
    """Return all versions of a note, in order of time.

    The journal has the time of the decision, which equals that of the version to the second."""
    known = {(version.author, version.words) for version in written}
    lost = [version for version in of_journal if (version.author, version.words) not in known]
    return sorted([*written, *lost], key=lambda version: version.at)


def _alerts_of_notes(read: ReadRows) -> dict[int, str]:
    """Return the alert id of each note by note id, from the index and from the history."""
    named = read(
        "SELECT substr(detail, 2, instr(detail, ' ') - 2), subject FROM history NOT INDEXED "
        "WHERE detail GLOB '#[0-9]* *'"
    )
    indexed = read("SELECT note_id, alert_id FROM note INDEXED BY note_alert")
    alerts: dict[int, str] = {}
    for row in (*named, *indexed):
        with contextlib.suppress(ValueError):  # a damaged value
            note_id, alert_id = msgspec.convert(row, tuple[int, str], strict=False)
            alerts[note_id] = alert_id
    return alerts


def _insert_note(
    connection: sqlite3.Connection, note_id: int, alert_id: str, first: _Version
) -> None:
    """Write a note with an empty context, since what it recorded of its alert is lost."""
    context = NoteContext(
        alert_id=alert_id,
        revision=0,
        rule="",
        principal="",
        accounts=[],
        regions=[],
        start=0,
        end=0,
        first_event=0,
        last_event=0,
        events=0,
        source_addresses=[],
        user_agents=[],
        access_keys=[],
        denied=0,
        flags=[],
    )
    connection.execute(
        "INSERT INTO note (note_id, alert_id, created, author, context) VALUES (?, ?, ?, ?, ?)",
        (note_id, alert_id, first.at, first.author, msgspec.json.encode(context).decode()),
    )


def _complete_versions(
    connection: sqlite3.Connection, note_id: int, versions: list[_Version]
) -> int:
    """Add the missing versions of a note, keeping all in order; return how many were missing."""
    (count,) = connection.execute(
        "SELECT count(*) FROM note_words WHERE note_id = ?", (note_id,)
    ).fetchone()
    if count >= len(versions):
        return 0
    connection.execute("DELETE FROM note_words WHERE note_id = ?", (note_id,))
    connection.executemany(
        "INSERT INTO note_words (note_id, at, author, words) VALUES (?, ?, ?, ?)",
        [(note_id, *version) for version in versions],
    )
    return len(versions) - int(count)
