"""The exchange of hunts with another state, with all versions of all parts."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from detector.store.database import Database
from detector.store.decisions.hunt_table import HuntTable
from detector.store.decisions.joining import join_versions, put_history
from detector.triage.hunt_record import PartVersion, describe_part
from detector.triage.shared_decisions import HuntDecision, SharedPart


def shared_hunts(database: Database, hunts: HuntTable) -> list[HuntDecision]:
    """Return the hunts to export, newest first, including those whose creation was undone."""
    rows = database.rows("SELECT hunt_id, created, author FROM hunt ORDER BY created DESC, hunt_id")
    return [
        HuntDecision(
            hunt_id,
            created,
            author,
            [
                SharedPart(part, *version)
                for part, versions in sorted(hunts.versions(hunt_id).items())
                for version in versions
            ],
        )
        for hunt_id, created, author in rows
    ]


def join_hunt(connection: sqlite3.Connection, theirs: HuntDecision) -> tuple[bool, str]:
    """Merge another state's hunt; return whether it added versions, and a line about conflicts.

    If both states have changed a part, all versions are kept and the latest is current.
    """
    connection.execute(
        "INSERT OR IGNORE INTO hunt (hunt_id, created, author) VALUES (?, ?, ?)",
        (theirs.hunt_id, theirs.created, theirs.author),
    )
    more, conflicts = False, []
    for part in dict.fromkeys(each.part for each in theirs.parts):
        versions = [PartVersion(*each[1:]) for each in theirs.parts if each.part == part]
        ours = _stored(connection, theirs.hunt_id, part)
        joined, is_conflict = join_versions(ours, versions)
        if joined == ours:
            continue
        more = True
        if is_conflict:
            conflicts.append(part.partition(":")[0])
        _put_versions(connection, theirs.hunt_id, part, ours, joined)
    if not conflicts:
        return more, ""
    changed = ", ".join(dict.fromkeys(conflicts))
    return more, (
        f"hunt {theirs.hunt_id}: {changed} changed in both states; "
        "the later version stands, all are kept"
    )


def _stored(connection: sqlite3.Connection, hunt_id: str, part: str) -> list[PartVersion]:
    rows = connection.execute(
        "SELECT at, author, value FROM hunt_part WHERE hunt_id = ? AND part = ? "
        "ORDER BY version_id",
        (hunt_id, part),
    )
    return [PartVersion(*row) for row in rows]


def _put_versions(
    connection: sqlite3.Connection,
    hunt_id: str,
    part: str,
    ours: Sequence[PartVersion],
    joined: Sequence[PartVersion],
) -> None:
    """Replace the versions of a part, and record the new ones in the history."""
    connection.execute("DELETE FROM hunt_part WHERE hunt_id = ? AND part = ?", (hunt_id, part))
    before = ""
    for version in joined:
        connection.execute(
            "INSERT INTO hunt_part (hunt_id, part, at, author, value) VALUES (?, ?, ?, ?, ?)",
            (hunt_id, part, *version),
        )
        if version not in ours:
            detail = describe_part(part, before, version.value)
            put_history(connection, version.time, version.author, hunt_id, "hunt imported", detail)
        before = version.value
