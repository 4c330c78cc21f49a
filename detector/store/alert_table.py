"""The alerts: derived again where a window has grown, kept with what the analyst made of them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any, NamedTuple

import msgspec

from detector.cloudtrail.record import format_time
from detector.detection.alert import Alert, Mode, Status
from detector.detection.baseline import principal_of
from detector.detection.correlate import SIGNAL_REACH, AlertContext
from detector.detection.derive import derive, max_gap, supersede_window
from detector.detection.event import Event
from detector.detection.principal import RelatedPrincipals
from detector.detection.window import Hit
from detector.rules.rule import Rule
from detector.store.database import State, sound
from detector.triage.suppression import Suppression, apply_suppressions, matches, novelties

LATENESS = 20 * 60
"""Seconds after a window's end until its alert is settled. CloudTrail delivers within minutes; ten
were seen."""


class Changes(msgspec.Struct, frozen=True):
    """The alerts that are new or differ, and the ids of those that are no more."""

    alerts: tuple[Alert, ...] = ()
    withdrawn: tuple[str, ...] = ()


_ALERT = (
    "SELECT content, revision, settled, coalesce(status, 'open'), supersedes, context, start, a.rowid "
    "FROM alert a LEFT JOIN status USING (alert_id)"
)
FROM_EVENT = "FROM event e JOIN file f USING (file_id)"
_HIT = (
    "SELECT e.body, f.path, e.offset, e.place, h.inputs, h.bucket FROM hit h JOIN event e USING (identity) "
    "JOIN file f USING (file_id) WHERE h.series_id = ? AND h.bucket BETWEEN ? AND ? AND e.time >= ? AND e.time < ? "
    "ORDER BY e.time, h.identity"
)
_content = msgspec.msgpack.Decoder(Alert)
_context = msgspec.msgpack.Decoder(AlertContext)
_UNKNOWN = AlertContext([], None, None)


class _Put(NamedTuple):
    """``known_at``: (file, offset, place) of an event that was known; ``revised``: it differs
    now."""

    known_at: tuple[int, int, int] | None
    revised: bool


class Alerts(State):
    _rules: Mapping[str, Rule] = {}
    _mode: Mode = "tumbling"

    def alerts(self) -> list[Alert]:
        """All alerts, suppressed and closed ones too, the newest window first."""
        return self._assembled(self._rows(f"{_ALERT} ORDER BY start DESC, a.alert_id"))

    def alert_batches(self, size: int = 1_000) -> Iterator[list[Alert]]:
        """All alerts, the newest window first, ``size`` at a time, so that nobody need hold or wait
        for all of them.

        Each batch is as the state is when it is read.
        """
        last = (1 << 62, 0)
        while rows := self._rows(
            f"{_ALERT} WHERE (start, a.rowid) < (?, ?) ORDER BY start DESC, a.rowid DESC LIMIT ?",
            *last,
            size,
        ):
            last = rows[-1][-2:]
            yield self._assembled(rows)

    def alert(self, alert_id: str) -> Alert | None:
        found = self._assembled(self._rows(f"{_ALERT} WHERE a.alert_id = ?", alert_id))
        return found[0] if found else None

    @sound
    def events(self, alert_id: str) -> list[Event]:
        """The events that an alert rests on, in order of time, then region."""
        window = self._rows(
            "SELECT series_id, start, until, width FROM alert JOIN series USING (series_id) "
            "WHERE alert_id = ?",
            alert_id,
        )
        if not window:
            return []
        series, start, until, width = window[0]
        rows = self._rows(_HIT, series, start // width, (until - 1) // width, start, until)
        return sorted(
            (hit.event for hit in _hits(rows, width)), key=lambda e: (e.time, e.region, e.event_id)
        )

    def settle(self, watermark: float) -> Changes:
        """Settle the alerts whose windows the watermark has passed by the lateness."""
        with self._writing() as db:
            due = [
                name
                for (name,) in db.execute(
                    "UPDATE alert SET settled = 1 WHERE settled = 0 AND until <= ? "
                    "RETURNING alert_id",
                    (watermark - LATENESS,),
                )
            ]
            return Changes(self._named(db, due))

    def _put_event(self, db: sqlite3.Connection, name: bytes, event: Event, file_id: int) -> _Put:
        """Keep an event under its identity. Of two that claim one, the smaller stands, whichever
        came first."""
        held = db.execute(
            "SELECT body, file_id, offset, place FROM event WHERE identity = ?", (name,)
        ).fetchone()
        body = msgspec.msgpack.encode(msgspec.structs.astuple(event)[:-1])
        place = (event.time, file_id, event.position.offset, event.position.index)
        if held is None:
            db.execute("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)", (name, *place, body))
            return _Put(None, False)
        if body < held[0]:
            db.execute(
                "UPDATE event SET time = ?, file_id = ?, offset = ?, place = ?, body = ? WHERE identity = ?",
                (*place, body, name),
            )
        return _Put(held[1:], body < held[0])

    def _named(self, db: sqlite3.Connection, names: Iterable[str]) -> tuple[Alert, ...]:
        rows = [
            row for name in names for row in db.execute(f"{_ALERT} WHERE a.alert_id = ?", (name,))
        ]
        return tuple(self._assembled(rows))

    @sound
    def _assembled(self, rows: Sequence[Any]) -> list[Alert]:
        now = self._clock()
        active = [suppression for suppression in self._suppressions() if suppression.active(now)]
        found = []
        for content, revision, settled, status, supersedes, context, *_ in rows:
            alert = _content.decode(content)
            known = _context.decode(context) if context else _UNKNOWN
            alert = msgspec.structs.replace(
                alert,
                revision=revision,
                settled=bool(settled),
                status=status,
                flags=known.flags,
                baseline=known.baseline,
                risk=known.risk,
                supersedes=msgspec.json.decode(supersedes),
            )
            found.append(apply_suppressions(alert, active))
        return found

    @sound
    def _suppressions(self) -> list[Suppression]:
        return [
            msgspec.json.decode(body, type=Suppression)
            for (body,) in self._rows("SELECT body FROM suppression ORDER BY created")
        ]

    def _derive(self, db: sqlite3.Connection, touched: Mapping[int, Set[int]]) -> Changes:
        """Derive again what follows from the touched buckets of each series."""
        changed: list[str] = []
        withdrawn: list[str] = []
        for series, buckets in touched.items():
            rule_id, text, width = db.execute(
                "SELECT rule_id, key, width FROM series WHERE series_id = ?", (series,)
            ).fetchone()
            rule, key = self._rules[rule_id], tuple(msgspec.json.decode(text))
            far = max_gap(rule, self._mode)
            for first, last in _runs(buckets):
                start, end = first * width, (last + 1) * width
                if far:
                    start, end = _reach(db, series, start - far + 1, end + far - 1)
                hits = self._hits(db, series, width, start - far, end + far, rule.query.min_hits)
                held = _held(db, series, start, end)
                derived = {
                    alert.alert_id: alert
                    for alert in derive(rule, self._mode, key, hits, start, end)
                }
                changed += self._reconcile(
                    db, series, derived, held, withdrawn, supersede_window(rule)
                )
                if rule.flag and rule.query.shape != "filter":
                    db.execute(
                        "UPDATE alert SET stale = 1 WHERE start < ? AND until > ?",
                        (end + SIGNAL_REACH, start - SIGNAL_REACH),
                    )
        alerts = self._named(db, changed)
        self._note_hidden(db, alerts)
        return Changes(alerts, tuple(withdrawn))

    def _hits(
        self, db: sqlite3.Connection, series: int, width: int, start: int, end: int, minimum: int
    ) -> list[Hit]:
        buckets = (start // width, (end - 1) // width)
        (count,) = db.execute(
            "SELECT count(*) FROM hit WHERE series_id = ? AND bucket BETWEEN ? AND ?",
            (series, *buckets),
        ).fetchone()
        if count < minimum:
            return []
        return list(_hits(db.execute(_HIT, (series, *buckets, start, end)), width))

    def _reconcile(
        self,
        db: sqlite3.Connection,
        series: int,
        derived: Mapping[str, Alert],
        held: dict[str, _Held],
        withdrawn: list[str],
        near: int,
    ) -> Iterator[str]:
        """Write what was derived over what was held; the ids of the alerts that are new or differ.

        An alert takes the place of one that is gone and that it overlaps, or is within ``near``
        seconds of."""
        gone = {name: alert for name, alert in held.items() if name not in derived}
        for name, alert in derived.items():
            content = msgspec.msgpack.encode(alert)
            start, until = _extent(alert)
            lineage = RelatedPrincipals.of(alert.facets)
            before = held.get(name)
            if before is not None and before.content == content:
                continue
            followed = [
                old
                for old, it in gone.items()
                if it.start < until + near and start < it.until + near
            ]
            past = [*(gone[old] for old in followed), *([before] if before else [])]
            supersedes = msgspec.json.encode(
                sorted({*followed, *(older for it in past for older in it.supersedes)})
            )
            if before is None:
                revision = 1 + max((it.revision for it in past), default=0)
                db.execute(
                    "INSERT INTO alert VALUES (?, ?, ?, ?, ?, ?, 0, ?, NULL, '', -1, 1, 0)",
                    (name, series, start, until, content, revision, supersedes.decode()),
                )
            else:
                db.execute(
                    "UPDATE alert SET start = ?, until = ?, content = ?, revision = revision + 1, stale = 1, "
                    "supersedes = ? WHERE alert_id = ?",
                    (start, until, content, supersedes.decode(), name),
                )
            if (
                before is None
                or lineage.own != before.lineage.own
                or (start, until) != (before.start, before.until)
            ):
                self._put_lineage(db, name, lineage, alert)
            for old in followed:
                del gone[old]
            self._follow(db, followed, name, joined=before is not None)
            withdrawn += followed
            yield name
        for name in gone:
            db.execute("DELETE FROM alert WHERE alert_id = ?", (name,))
            self._record(
                db,
                name,
                "withdrawn",
                "records that came later changed what its rule says of this window",
            )
            withdrawn.append(name)

    def _put_lineage(
        self, db: sqlite3.Connection, name: str, lineage: RelatedPrincipals, alert: Alert
    ) -> None:
        """Whose alert it is: its signals are searched for anew, and the baseline knows whom it
        speaks of."""
        db.execute("DELETE FROM signal WHERE alert_id = ?", (name,))
        db.execute(
            "UPDATE alert SET lineage = ?, searched = -1 WHERE alert_id = ?",
            (msgspec.json.encode(lineage).decode(), name),
        )
        facets = alert.facets
        who = {*facets.accounts, *facets.access_keys, *(principal_of(arn) for arn in facets.arns)}
        db.executemany(
            "INSERT OR IGNORE INTO alert_who VALUES (?, ?)", [(each, name) for each in who]
        )

    def _follow(self, db: sqlite3.Connection, old: Sequence[str], new: str, joined: bool) -> None:
        """Status, notes and suppressions go with the alert that takes the place of others, or that
        others join."""
        decided: list[Status] = []
        if old and joined:
            found = db.execute("SELECT status FROM status WHERE alert_id = ?", (new,)).fetchone()
            decided.append(found[0] if found else "open")
        for name in old:
            db.execute("DELETE FROM alert WHERE alert_id = ?", (name,))
            found = db.execute(
                "DELETE FROM status WHERE alert_id = ? RETURNING status", (name,)
            ).fetchone()
            decided.append(found[0] if found else "open")
            db.execute("UPDATE note SET alert_id = ? WHERE alert_id = ?", (new, name))
            db.execute("UPDATE OR REPLACE hidden SET alert_id = ? WHERE alert_id = ?", (new, name))
            db.execute(
                "UPDATE OR REPLACE decided SET subject = ? WHERE thing = 'status' AND subject = ?",
                (new, name),
            )
            self._record(db, name, "superseded", f"by {new}")
            self._record(db, new, "supersedes", name)
        for status in ("open", "acknowledged", "closed"):  # the one that hides least
            if status in decided:
                db.execute("INSERT OR REPLACE INTO status VALUES (?, ?)", (new, status))
                break

    def _note_hidden(self, db: sqlite3.Connection, alerts: Iterable[Alert]) -> None:
        """Record which active suppression hides which of these alerts, and which of them break
        through."""
        now = self._clock()
        self._note_expired(db)
        for alert in alerts:
            if alert.broke_through:
                self._note_broken(db, alert, now)
            if alert.suppressed_by is not None:
                new = db.execute(
                    "INSERT OR IGNORE INTO hidden VALUES (?, ?, ?)",
                    (alert.suppressed_by, alert.alert_id, now),
                ).rowcount
                if new:
                    self._record(
                        db, alert.alert_id, "hidden", f"by suppression {alert.suppressed_by}"
                    )

    def _note_broken(self, db: sqlite3.Connection, alert: Alert, now: float) -> None:
        for suppression in self._suppressions():
            if suppression.active(now) and matches(suppression, alert):
                brought = ", ".join(novelties(suppression, alert))
                row = (suppression.suppression_id, alert.alert_id, brought)
                new = db.execute(
                    "INSERT INTO broken VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET "
                    "brought = excluded.brought WHERE brought != excluded.brought",
                    row,
                ).rowcount
                if new:
                    self._record(
                        db, alert.alert_id, "broke-through", f"suppression {row[0]}: {brought}"
                    )
                    self._record(db, row[0], "broke-through", f"alert {alert.alert_id}: {brought}")

    def _note_expired(self, db: sqlite3.Connection) -> None:
        """Record which suppressions have ended by themselves since anybody looked."""
        now = self._clock()
        for suppression in self._suppressions():
            name = suppression.suppression_id
            if suppression.state(now) == "expired" and db.execute(
                "SELECT kind FROM history WHERE subject = ? AND kind != 'broke-through' "
                "ORDER BY entry_id DESC LIMIT 1",
                (name,),
            ).fetchone() != ("expired",):
                self._record(db, name, "expired", f"at {format_time(suppression.expires)}")


class _Held(msgspec.Struct):
    start: int
    until: int
    content: bytes
    revision: int
    supersedes: list[str]
    lineage: RelatedPrincipals


def _held(db: sqlite3.Connection, series: int, start: int, end: int) -> dict[str, _Held]:
    """The alerts of the series that overlap ``[start, end)``."""
    return {
        name: _Held(
            from_,
            until,
            content,
            revision,
            msgspec.json.decode(supersedes),
            msgspec.json.decode(lineage, type=RelatedPrincipals),
        )
        for name, from_, until, content, revision, supersedes, lineage in db.execute(
            "SELECT alert_id, start, until, content, revision, supersedes, lineage FROM alert "
            "WHERE series_id = ? AND start < ? AND until > ?",
            (series, end, start),
        )
    }


def _reach(db: sqlite3.Connection, series: int, start: int, end: int) -> tuple[int, int]:
    """What must be derived again where ``[start, end)`` has changed: that, and the alerts that it
    touches."""
    while True:
        held = _held(db, series, start, end).values()
        wider = min([start, *(it.start for it in held)]), max([end, *(it.until for it in held)])
        if wider == (start, end):
            return wider
        start, end = wider


def _runs(buckets: Set[int]) -> Iterator[tuple[int, int]]:
    """Neighbouring buckets together: (first, last) of each run."""
    ordered = sorted(buckets)
    first = last = ordered[0]
    for bucket in ordered[1:]:
        if bucket != last + 1:
            yield first, last
            first = bucket
        last = bucket
    yield first, last


def _extent(alert: Alert) -> tuple[int, int]:
    if alert.window is None:
        return alert.first_event, alert.first_event + 1
    return alert.window.start, alert.window.end


def _hits(rows: Iterable[Any], width: int) -> Iterator[Hit]:
    """The hits of rows, but for a claim to another time than the one that stands for the event."""
    for *row, inputs, bucket in rows:
        event = event_of(row)
        if event.time // width == bucket:
            yield Hit(event, tuple(msgspec.msgpack.decode(inputs)))


def event_of(row: Any) -> Event:
    body, path, offset, place = row
    return msgspec.convert(
        [*msgspec.msgpack.decode(body), (os.fsdecode(path), offset, place)], Event
    )
