"""The alerts: derived again where a window has grown, kept with what the analyst made of them."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

import msgspec

from detector.alert import Alert, Event, Mode, Status
from detector.derive import derive
from detector.huntlog import Suppression, matches
from detector.rules.rule import Rule
from detector.store.state import State
from detector.window import Hit

LATENESS = 20 * 60
"""Seconds after a window's end until its alert is settled. CloudTrail delivers within minutes; ten were seen."""


class Changes(msgspec.Struct, frozen=True):
    """The alerts that are new or differ, and the ids of those that are no more."""

    alerts: tuple[Alert, ...] = ()
    withdrawn: tuple[str, ...] = ()


_ALERT = ("SELECT a.alert_id, content, revision, settled, coalesce(status, 'open'), supersedes "
          "FROM alert a LEFT JOIN status USING (alert_id)")
_HIT = ("SELECT e.body, f.path, e.offset, e.place, h.inputs FROM hit h JOIN event e USING (identity) "
        "JOIN file f USING (file_id) WHERE h.series_id = ? AND h.bucket BETWEEN ? AND ? AND e.time >= ? AND e.time < ? "
        "ORDER BY e.time, h.identity")
_content = msgspec.msgpack.Decoder(Alert)


class Alerts(State):
    _rules: Mapping[str, Rule] = {}
    _mode: Mode = "tumbling"

    def alerts(self) -> list[Alert]:
        """All alerts, suppressed and closed ones too, the newest window first."""
        return self._assembled(self._rows(f"{_ALERT} ORDER BY start DESC, a.alert_id"))

    def alert(self, alert_id: str) -> Alert | None:
        found = self._assembled(self._rows(f"{_ALERT} WHERE a.alert_id = ?", alert_id))
        return found[0] if found else None

    def events(self, alert_id: str) -> list[Event]:
        """The events that an alert rests on, in order of time, then region."""
        window = self._rows("SELECT series_id, start, until, width FROM alert JOIN series USING (series_id) "
                            "WHERE alert_id = ?", alert_id)
        if not window:
            return []
        series, start, until, width = window[0]
        rows = self._rows(_HIT, series, start // width, (until - 1) // width, start, until)
        return sorted((_hit(row).event for row in rows), key=lambda e: (e.time, e.region, e.event_id))

    def settle(self, watermark: float) -> Changes:
        """Settle the alerts whose windows the watermark has passed by the lateness."""
        with self._writing() as db:
            due = [name for (name,) in db.execute("UPDATE alert SET settled = 1 WHERE settled = 0 AND until <= ? "
                                                  "RETURNING alert_id", (watermark - LATENESS,))]
            return Changes(self._named(db, due))

    def _named(self, db: sqlite3.Connection, names: Iterable[str]) -> tuple[Alert, ...]:
        rows = [row for name in names for row in db.execute(f"{_ALERT} WHERE a.alert_id = ?", (name,))]
        return tuple(self._assembled(rows))

    def _assembled(self, rows: Sequence[Any]) -> list[Alert]:
        now = self._clock()
        active = [suppression for suppression in self._suppressions() if suppression.active(now)]
        found = []
        for _, content, revision, settled, status, supersedes in rows:
            alert = _content.decode(content)
            by = next((s.suppression_id for s in active if matches(s, alert)), None)
            found.append(msgspec.structs.replace(
                alert, revision=revision, settled=bool(settled), status=status,
                supersedes=msgspec.json.decode(supersedes), suppressed_by=by))
        return found

    def _suppressions(self) -> list[Suppression]:
        return [msgspec.json.decode(body, type=Suppression)
                for (body,) in self._rows("SELECT body FROM suppression ORDER BY created")]

    def _derive(self, db: sqlite3.Connection, touched: Mapping[int, Set[int]]) -> Changes:
        """Derive again what follows from the touched buckets of each series."""
        changed: list[str] = []
        withdrawn: list[str] = []
        for series, buckets in touched.items():
            rule_id, text, width = db.execute("SELECT rule_id, key, width FROM series WHERE series_id = ?",
                                              (series,)).fetchone()
            rule, key = self._rules[rule_id], tuple(msgspec.json.decode(text))
            slides = self._mode == "sliding" and rule.query.window is not None
            for first, last in _runs(buckets):
                start, end = first * width, (last + 1) * width
                if slides:
                    start, end = _reach(db, series, start - width + 1, end + width - 1)
                hits = self._hits(db, series, width, start, end + width if slides else end, rule.query.minimum)
                held = _held(db, series, start, end)
                derived = {alert.alert_id: alert for alert in derive(rule, self._mode, key, hits, end)}
                changed += self._reconcile(db, series, derived, held, withdrawn)
        alerts = self._named(db, changed)
        self._note_hidden(db, alerts)
        return Changes(alerts, tuple(withdrawn))

    def _hits(self, db: sqlite3.Connection, series: int, width: int, start: int, end: int, minimum: int) -> list[Hit]:
        buckets = (start // width, (end - 1) // width)
        (count,) = db.execute("SELECT count(*) FROM hit WHERE series_id = ? AND bucket BETWEEN ? AND ?",
                              (series, *buckets)).fetchone()
        if count < minimum:
            return []
        return [_hit(row) for row in db.execute(_HIT, (series, *buckets, start, end))]

    def _reconcile(self, db: sqlite3.Connection, series: int, derived: Mapping[str, Alert],
                   held: dict[str, _Held], withdrawn: list[str]) -> Iterator[str]:
        """Write what was derived over what was held; the ids of the alerts that are new or differ."""
        gone = {name: alert for name, alert in held.items() if name not in derived}
        for name, alert in derived.items():
            content = msgspec.msgpack.encode(alert)
            start, until = _extent(alert)
            if name in held:
                if held[name].content != content:
                    db.execute("UPDATE alert SET start = ?, until = ?, content = ?, revision = revision + 1 "
                               "WHERE alert_id = ?", (start, until, content, name))
                    yield name
                continue
            followed = [old for old, it in gone.items() if it.start < until and start < it.until]
            supersedes = sorted({*followed, *(older for old in followed for older in gone[old].supersedes)})
            revision = 1 + max((gone[old].revision for old in followed), default=0)
            db.execute("INSERT INTO alert VALUES (?, ?, ?, ?, ?, ?, 0, ?)",
                       (name, series, start, until, content, revision, msgspec.json.encode(supersedes).decode()))
            for old in followed:
                del gone[old]
            self._follow(db, followed, name)
            withdrawn += followed
            yield name
        for name in gone:
            db.execute("DELETE FROM alert WHERE alert_id = ?", (name,))
            self._record(db, name, "withdrawn", "records that came later changed what its rule says of this window")
            withdrawn.append(name)

    def _follow(self, db: sqlite3.Connection, old: Sequence[str], new: str) -> None:
        """Status, notes and suppressions go with the alert that takes the place of others."""
        decided: list[Status] = []
        for name in old:
            db.execute("DELETE FROM alert WHERE alert_id = ?", (name,))
            found = db.execute("DELETE FROM status WHERE alert_id = ? RETURNING status", (name,)).fetchone()
            decided.append(found[0] if found else "open")
            db.execute("UPDATE note SET alert_id = ? WHERE alert_id = ?", (new, name))
            db.execute("UPDATE OR REPLACE hidden SET alert_id = ? WHERE alert_id = ?", (new, name))
            self._record(db, name, "superseded", f"by {new}")
            self._record(db, new, "supersedes", name)
        for status in ("open", "acknowledged", "closed"):  # the one that hides least
            if status in decided:
                db.execute("INSERT OR REPLACE INTO status VALUES (?, ?)", (new, status))
                break

    def _note_hidden(self, db: sqlite3.Connection, alerts: Iterable[Alert]) -> None:
        """Record which active suppression hides which of these alerts."""
        now = self._clock()
        for alert in alerts:
            if alert.suppressed_by is not None:
                new = db.execute("INSERT OR IGNORE INTO hidden VALUES (?, ?, ?)",
                                 (alert.suppressed_by, alert.alert_id, now)).rowcount
                if new:
                    self._record(db, alert.alert_id, "hidden", f"by suppression {alert.suppressed_by}")


class _Held(msgspec.Struct):
    start: int
    until: int
    content: bytes
    revision: int
    supersedes: list[str]


def _held(db: sqlite3.Connection, series: int, start: int, end: int) -> dict[str, _Held]:
    """The alerts of the series that overlap ``[start, end)``."""
    return {name: _Held(from_, until, content, revision, msgspec.json.decode(supersedes))
            for name, from_, until, content, revision, supersedes in db.execute(
                "SELECT alert_id, start, until, content, revision, supersedes FROM alert "
                "WHERE series_id = ? AND start < ? AND until > ?", (series, end, start))}


def _reach(db: sqlite3.Connection, series: int, start: int, end: int) -> tuple[int, int]:
    """What must be derived again where ``[start, end)`` has changed: that, and the alerts that it touches."""
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


def _hit(row: Any) -> Hit:
    body, path, offset, place, inputs = row
    event = msgspec.convert([*msgspec.msgpack.decode(body), (os.fsdecode(path), offset, place)], Event)
    return Hit(event, tuple(msgspec.msgpack.decode(inputs)))
