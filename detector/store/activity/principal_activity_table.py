"""The activity of principals by day.

Each commit appends its activity as is, in the transaction that writes its files. The activity of
many commits is added to the principals' days together later, since most commits name the same
principals.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from detector.detection.activity.activity import (
    MORE,
    Activity,
    ActivityKind,
    DayActivity,
    PrincipalDay,
    SessionOpening,
)
from detector.detection.activity.actor import Actor
from detector.detection.activity.chunk import activity_of
from detector.store.activity.name_numbers import (
    PRINCIPAL_NUMBERS,
    ValueNames,
    number_names,
    number_values,
)
from detector.store.activity.pending_bodies import pack_bodies, unpack_bodies
from detector.store.database import Database, pages, raises_damaged
from detector.store.errors import translate_sqlite_errors
from detector.store.file_table import FileRead
from detector.store.packing.network_numbers import numbered_network
from detector.store.packing.stored_day import (
    Name,
    decode_day,
    numbered_values,
    pack_day,
    unpack_day,
)

_FOLD_COMMITS = 64
"""After how many commits their activity is added to the days."""
_PAGE = 500
_WAITING = "SELECT body FROM activity_pending"
_ALL_VALUES = "SELECT value_id, kind, value FROM activity_value WHERE kind != 'session'"
_OPENINGS = """
SELECT a.kind, a.name, coalesce(x.value, ''), b.kind, b.name, coalesce(y.value, ''), o.first, o.last
FROM session_opening o
JOIN principal a ON a.principal_id = opener
JOIN principal b ON b.principal_id = opened
LEFT JOIN activity_value x ON x.value_id = opener_session
LEFT JOIN activity_value y ON y.value_id = opened_session
"""


class PrincipalActivityTable:
    """What each principal did on each day, and who opened which sessions."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting = 0

    def append(self, connection: sqlite3.Connection, reads: Sequence[FileRead]) -> None:
        """Append the activity of ``reads``; every ``_FOLD_COMMITS`` calls, add it to the days."""
        brought = [
            stats.activity
            for read in reads
            for stats in read.partial.chunks.values()
            if stats.activity
        ]
        if not brought:
            return
        connection.executemany(
            "INSERT INTO activity_pending (body) VALUES (?)",
            [(packed,) for packed in pack_bodies(brought)],
        )
        self._waiting += 1
        if self._waiting >= _FOLD_COMMITS:
            self._fold(connection)

    def fold(self) -> None:
        """Add all appended activity to the days. Raises ReadOnly, StateError."""
        if self._database.value("SELECT EXISTS (SELECT 1 FROM activity_pending)"):
            with self._database.transaction() as connection:
                self._fold(connection)

    def uncounted_files(self) -> int:
        """Return the number of files that were read by versions that did not count activity yet."""
        return int(self._database.value("SELECT files FROM activity_start"))

    @raises_damaged
    def read(self, first_day: int, end_day: int, principal: Actor | None = None) -> Activity:
        """Return the activity on the days ``[first_day, end_day)``, numbered since the epoch.

        It covers ``principal``, or all principals if None. Session openings are left out. Raises
        StateError.
        """
        of_principal, parameters = "", [first_day, end_day]
        if principal is not None:
            of_principal = "AND kind = ? AND name = ?"
            parameters += [principal.kind, principal.name]  # type: ignore[list-item]
        with self._database.snapshot() as query:
            rows = query(
                "SELECT kind, name, day, body FROM principal_day "
                f"JOIN principal USING (principal_id) WHERE day >= ? AND day < ? {of_principal}",
                *parameters,
            )
            values, waiting = query(_ALL_VALUES), query(_WAITING)
        names = _value_names(values)
        activity = Activity({}, {})
        for kind, name, day, body in rows:
            activity.days[kind, name, day] = unpack_day(body, day, names)
        for key, of_day in _sum(waiting).days.items():
            kind, name, day = key
            is_wanted = principal is None or principal.principal == (kind, name)
            if first_day <= day < end_day and is_wanted:
                activity.day(key).merge(of_day)
        return activity

    def each_principal(
        self, first_day: int, end_day: int
    ) -> Iterator[tuple[Actor, dict[int, DayActivity]]]:
        """Yield (principal, its activity by day) for the days ``[first_day, end_day)``.

        Raises StateError.
        """
        with translate_sqlite_errors(self._database.path):
            with self._database.snapshot() as query:
                rows = query(
                    "SELECT kind, name, day, body FROM principal_day "
                    "JOIN principal USING (principal_id) "
                    "WHERE day >= ? AND day < ? ORDER BY principal_id",
                    first_day,
                    end_day,
                )
                values, waiting = query(_ALL_VALUES), query(_WAITING)
            names = _value_names(values)
            pending: dict[Actor, dict[int, DayActivity]] = {}
            for (kind, name, day), of_day in _sum(waiting).days.items():
                if first_day <= day < end_day:
                    pending.setdefault(Actor(kind, name), {})[day] = of_day
            for (kind, name), of_principal in groupby(rows, key=itemgetter(0, 1)):
                actor = Actor(kind, name)
                days = {day: unpack_day(body, day, names) for _, _, day, body in of_principal}
                for day, of_day in pending.pop(actor, {}).items():
                    if day in days:
                        days[day].merge(of_day)
                    else:
                        days[day] = of_day
                yield actor, days
            yield from pending.items()

    def sequence(self) -> int:
        """Return a number that changes whenever records are read."""
        return int(self._database.value("SELECT sequence FROM progress"))

    @raises_damaged
    def first_seen(self) -> dict[tuple[str, str], int]:
        """Return the time of each principal's first call, in epoch seconds, by (kind, name).

        Raises StateError.
        """
        with self._database.snapshot() as query:
            rows = query("SELECT kind, name, first FROM principal WHERE first IS NOT NULL")
            waiting = query(_WAITING)
        firsts = {(kind, name): first for kind, name, first in rows}
        for (kind, name, _), day in _sum(waiting).days.items():
            known = firsts.get((kind, name), day.first)
            firsts[kind, name] = min(known, day.first)
        return firsts

    @raises_damaged
    def principals_with(
        self, kind: ActivityKind, is_wanted: Callable[[str], bool], first_day: int, end_day: int
    ) -> set[Actor]:
        """Return the principals that may have a wanted value of a kind.

        The days ``[first_day, end_day)`` are searched. A principal with more values than are kept
        is included, since the value may be among those that were dropped. Raises StateError.
        """
        with self._database.snapshot() as query:
            rows = query(
                "SELECT kind, name, body FROM principal_day JOIN principal USING (principal_id) "
                "WHERE day >= ? AND day < ?",
                first_day,
                end_day,
            )
            values = query("SELECT value_id, value FROM activity_value WHERE kind = ?", kind)
            waiting = query(_WAITING)
        wanted = _WantedValues(kind, is_wanted)
        for value_id, value in values:
            wanted[value_id] = value == MORE or is_wanted(value)
        found = set()
        for of_kind, of_name, body in rows:
            stored = decode_day(body)
            if kind == "session":
                has_wanted = any(name == MORE or is_wanted(name) for name in stored.sessions)
            else:
                has_wanted = any(map(wanted.__getitem__, stored.value_ids()))
            if has_wanted:
                found.add(Actor(of_kind, of_name))
        for (of_kind, name, day), of_day in _sum(waiting).days.items():
            has_wanted = any(v == MORE or is_wanted(v) for v in of_day.values.get(kind, {}))
            if first_day <= day < end_day and has_wanted:
                found.add(Actor(of_kind, name))
        return found

    @raises_damaged
    def principals(self) -> set[Actor]:
        """Return all principals, without session names. Raises StateError."""
        with self._database.snapshot() as query:
            rows, waiting = query("SELECT kind, name FROM principal"), query(_WAITING)
        pending = {Actor(kind, name) for kind, name, _ in _sum(waiting).days}
        return {Actor(*row) for row in rows} | pending

    @raises_damaged
    def sessions(self) -> set[str] | None:
        """Return the names of all sessions; None if some were not kept. Raises StateError."""
        with self._database.snapshot() as query:
            opened = query("SELECT value FROM activity_value WHERE kind = 'session'")
            days, waiting = query("SELECT body FROM principal_day"), query(_WAITING)
        names = {value for (value,) in opened}
        for (body,) in days:
            names |= decode_day(body).sessions.keys()
        for of_day in _sum(waiting).days.values():
            names |= of_day.values.get("session", {}).keys()
        if MORE in names:
            return None
        return names

    @raises_damaged
    def openings(self) -> dict[SessionOpening, tuple[int, int]]:
        """Return the session openings, each with its first and last time in epoch seconds.

        Raises StateError.
        """
        with self._database.snapshot() as query:
            rows, waiting = query(_OPENINGS), query(_WAITING)
        activity = Activity({}, {})
        for a_kind, a_name, a_session, b_kind, b_name, b_session, first, last in rows:
            opening = SessionOpening(
                Actor(a_kind, a_name, a_session), Actor(b_kind, b_name, b_session)
            )
            activity.add_opening(opening, (first, last))
        for opening, span in _sum(waiting).openings.items():
            activity.add_opening(opening, span)
        return activity.openings

    def _fold(self, connection: sqlite3.Connection) -> None:
        brought = _sum(connection.execute(_WAITING))
        self._waiting = 0
        principals = number_names(
            connection,
            PRINCIPAL_NUMBERS,
            {(kind, name) for kind, name, _ in brought.days}
            | {actor.principal for opening in brought.openings for actor in opening},
        )
        values = number_values(connection, set(_values_of(brought)))
        names = ValueNames((value_id, name) for name, value_id in values.items())
        _add_days(connection, brought.days, principals, values, names)
        _add_openings(connection, brought.openings, principals, values)
        connection.execute("DELETE FROM activity_pending")


class _WantedValues(dict[int, bool]):
    """Whether the values of a kind are wanted, by number; networks are computed on demand."""

    def __init__(self, kind: ActivityKind, is_wanted: Callable[[str], bool]) -> None:
        self._kind = kind
        self._is_wanted = is_wanted

    def __missing__(self, number: int) -> bool:
        is_network = self._kind == "network" and number < 0
        self[number] = wanted = is_network and self._is_wanted(numbered_network(number))
        return wanted


def _sum(waiting: Iterable[tuple[bytes]]) -> Activity:
    """Return the sum of the activities in pending rows."""
    return activity_of([body for (packed,) in waiting for body in unpack_bodies(packed)])


def _value_names(rows: Iterable[tuple[int, str, str]]) -> ValueNames:
    return ValueNames((value_id, (kind, value)) for value_id, kind, value in rows)


def _add_days(
    connection: sqlite3.Connection,
    days: dict[PrincipalDay, DayActivity],
    principals: dict[Name, int],
    values: dict[Name, int],
    names: ValueNames,
) -> None:
    rows = []
    for (kind, name, day), brought in days.items():
        principal_id = principals[kind, name]
        stored = connection.execute(
            "SELECT body FROM principal_day WHERE principal_id = ? AND day = ?", (principal_id, day)
        ).fetchone()
        if stored is not None:
            _learn_names(connection, decode_day(stored[0]).value_ids(), names, values)
            brought.merge(unpack_day(stored[0], day, names))
            # Merging may exceed a limit that neither day exceeded, so that MORE needs a number.
            new = [value for value in numbered_values(brought) if value not in values]
            values.update(number_values(connection, new))
        rows.append((principal_id, day, pack_day(brought, day, values)))
    connection.executemany(
        "INSERT INTO principal_day (principal_id, day, body) VALUES (?, ?, ?) "
        "ON CONFLICT DO UPDATE SET body = excluded.body",
        rows,
    )
    connection.executemany(
        "UPDATE principal SET first = min(coalesce(first, ?1), ?1) WHERE principal_id = ?2",
        [(day.first, principals[kind, name]) for (kind, name, _), day in days.items()],
    )


def _learn_names(
    connection: sqlite3.Connection,
    stored: Sequence[int],
    names: ValueNames,
    values: dict[Name, int],
) -> None:
    """Look up the ``stored`` numbers that are unknown, and add them to ``names`` and ``values``."""
    unknown = [value_id for value_id in stored if value_id > 0 and value_id not in names]
    for page in pages(unknown, _PAGE):
        for value_id, kind, value in connection.execute(
            "SELECT value_id, kind, value FROM activity_value "
            f"WHERE value_id IN ({', '.join('?' * len(page))})",
            page,
        ):
            names[value_id] = kind, value
            values[kind, value] = value_id


def _add_openings(
    connection: sqlite3.Connection,
    openings: dict[SessionOpening, tuple[int, int]],
    principals: dict[Name, int],
    values: dict[Name, int],
) -> None:
    def ids(actor: Actor) -> tuple[int, int]:
        session = 0
        if actor.session:
            session = values["session", actor.session]
        return principals[actor.principal], session

    connection.executemany(
        "INSERT INTO session_opening (opener, opener_session, opened, opened_session, first, last) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "first = min(first, excluded.first), last = max(last, excluded.last)",
        [(*ids(opener), *ids(opened), *span) for (opener, opened), span in openings.items()],
    )


def _values_of(activity: Activity) -> Iterator[Name]:
    """Yield the values that are stored as numbers."""
    for day in activity.days.values():
        yield from numbered_values(day)
    for opening in activity.openings:
        for actor in opening:
            if actor.session:
                yield "session", actor.session
