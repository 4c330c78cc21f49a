"""The context of alerts: which files are still to be searched for their signals, and what follows from those found."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from detector.cloudtrail.record import identity
from detector.detection.alert import Alert, Flag
from detector.detection.baseline import Baseline, RegionHistory, principal_of
from detector.detection.correlate import SIGNAL_REACH, ChunkRef, PendingSearch, Signals, context_of
from detector.detection.event import Event
from detector.detection.principal import PrincipalNames, RelatedPrincipals
from detector.detection.principal_index import PrincipalIndex, related_hashes
from detector.detection.record_search import SearchRequest, Selector
from detector.detection.risk import RiskTable
from detector.sources.file_span import FileSpan
from detector.store.alert_table import FROM_EVENT, Alerts, Changes, event_of
from detector.store.database import sound
from detector.store.file_table import file_id

_content = msgspec.msgpack.Decoder(Alert)
_PAGE = 500
"""Files whose chunks are looked up at once: who is in all chunks of a large state is not held."""

_SIGNALS = (
    f"{FROM_EVENT} JOIN signal USING (identity) JOIN alert a USING (alert_id) JOIN series s USING (series_id) "
    "WHERE alert_id = ? AND NOT (e.time >= a.start AND e.time < a.until AND EXISTS (SELECT 1 FROM hit h WHERE "
    "h.series_id = a.series_id AND h.bucket = e.time / s.width AND h.identity = e.identity))"
)
"""The signals of an alert: what was found for it, but for what has become one of its own hits
since."""


class Correlated(Alerts):
    """The part of the store that keeps what is known around an alert."""

    @sound
    def unsearched(self, after: int) -> tuple[int, list[PendingSearch]]:
        """The alerts whose signals may be incomplete, in order of start.

        ``after`` is the sequence up to which nothing was due the last time; first comes that of the
        newest file now."""
        newest = int(self._value("SELECT sequence FROM progress"))
        first, last = self._rows(
            "SELECT min(first), max(last) FROM file WHERE sequence > ?", after
        )[0]
        rows = self._rows(
            "SELECT alert_id, start, until, lineage, searched FROM alert "
            "WHERE searched < ? AND (searched < 0 OR (start <= ? AND until > ?)) ORDER BY start",
            newest,
            (last or 0) + SIGNAL_REACH,
            (first or 0) - SIGNAL_REACH,
        )
        return newest, [
            PendingSearch(
                SearchRequest(
                    name,
                    msgspec.json.decode(lineage, type=RelatedPrincipals),
                    start - SIGNAL_REACH,
                    until + SIGNAL_REACH,
                ),
                searched,
                self.events(name),
            )
            for name, start, until, lineage, searched in rows
        ]

    def pieces(self, start: int, end: int, after: int = 0) -> Iterator[ChunkRef]:
        """What was read that has events in ``[start, end)``, of the files that came after the
        sequence ``after``; those of a file follow on each other."""
        files = [
            file_id
            for (file_id,) in self._rows(
                "SELECT file_id FROM file WHERE first < ? AND last >= ? AND sequence > ? ORDER BY first, file_id",
                end,
                start,
                after,
            )
        ]
        for place in range(0, len(files), _PAGE):
            page = files[place : place + _PAGE]
            for path, *rest in self._rows(
                "SELECT path, offset, c.first, c.last, marks, sequence FROM file f JOIN chunk c USING (file_id) "
                f"WHERE file_id IN ({', '.join('?' * len(page))}) AND c.first < ? AND c.last >= ? "
                "ORDER BY f.first, file_id, offset",
                *page,
                end,
                start,
            ):
                yield ChunkRef(os.fsdecode(path), *rest)

    def add_signals(self, found: Mapping[str, Signals], searched: Mapping[str, int]) -> None:
        """Keep what the searches found; ``searched`` says for each alert up to which file sequence
        it is complete."""
        with self._writing() as db:
            for name, upto in searched.items():
                held = db.execute(
                    "SELECT lineage FROM alert WHERE alert_id = ?", (name,)
                ).fetchone()
                if held is None:
                    continue  # superseded meanwhile; the one that took its place is searched for itself
                signals = found.get(name)
                if signals is None:
                    db.execute("UPDATE alert SET searched = ? WHERE alert_id = ?", (upto, name))
                    continue
                new = self._put_signals(db, name, signals.events)
                lineage = msgspec.json.encode(signals.lineage).decode()
                # With a session of its own that was not known, all files are to be searched once
                # more.
                grown = lineage != held[0]
                db.execute(
                    "UPDATE alert SET lineage = ?, searched = ?, stale = max(stale, ?) WHERE alert_id = ?",
                    (lineage, -1 if grown else upto, int(new > 0 or grown), name),
                )

    def refresh(self, table: RiskTable) -> Changes:
        """Make the context of the alerts anew for which something has changed, of all when
        ``table`` has."""
        with self._writing() as db:
            if db.execute(
                "UPDATE progress SET risk = ?1 WHERE risk != ?1", (table.fingerprint,)
            ).rowcount:
                db.execute("UPDATE alert SET stale = 1")
            due = [name for (name,) in db.execute("SELECT alert_id FROM alert WHERE stale = 1")]
            changed = [
                alert.alert_id
                for alert in self._named(db, due)
                if self._put_context(db, alert, table)
            ]
            db.execute("UPDATE alert SET stale = 0 WHERE stale = 1")
            alerts = self._named(db, changed)
            self._note_hidden(db, alerts)
            return Changes(alerts)

    @sound
    def signals(self, alert_id: str) -> dict[str, list[Event]]:
        """The events behind each flag of an alert, in order of time."""
        found: dict[str, list[Event]] = {}
        for *row, flag in self._rows(
            f"SELECT e.body, f.path, e.offset, e.place, flag {_SIGNALS} "
            "ORDER BY flag, e.time, identity",
            alert_id,
        ):
            found.setdefault(flag, []).append(event_of(row))
        return found

    @sound
    def around(self, alert_id: str, reach: int) -> list[Event]:
        """What is held of an alert's principal within ``reach`` seconds of it, in order of time:
        the signals, and the events of its other alerts."""
        extent = self._rows("SELECT start, until FROM alert WHERE alert_id = ?", alert_id)
        if not extent:
            return []
        ((start, end),), names = extent, _names(self.lineage(alert_id))
        rows = self._rows(
            "SELECT DISTINCT identity, e.body, f.path, e.offset, e.place FROM alert a JOIN series s USING (series_id) "
            "JOIN hit h ON h.series_id = s.series_id AND h.bucket BETWEEN a.start / width AND (a.until - 1) / width "
            "JOIN event e USING (identity) JOIN file f USING (file_id) "
            f"WHERE alert_id IN (SELECT alert_id FROM alert_who WHERE who IN ({', '.join('?' * len(names))})) "
            "AND a.start < ? AND a.until > ? AND e.time >= a.start AND e.time < a.until",
            *names,
            end + reach,
            start - reach,
        )
        held = {event for events in self.signals(alert_id).values() for event in events}
        return sorted(
            held.union(event_of(row) for _, *row in rows),
            key=lambda event: (event.time, event.event_id),
        )

    @sound
    def footprint(self, accounts: Sequence[str], principal: str = "") -> dict[str, RegionHistory]:
        """Each region that is seen of these accounts (none named: of all), or of the principal (an
        ARN)."""
        whose = f"AND who IN ({', '.join('?' * len(accounts))}) " if accounts else ""
        rows = self._rows(
            "SELECT what, kind, min(first) FROM sight WHERE kind IN ('region', 'changed-region') "
            f"{whose}GROUP BY what, kind",
            *accounts,
        )
        rows += self._rows(
            "SELECT what, kind, first FROM sight WHERE kind = 'principal-region' AND who = ?",
            principal_of(principal),
        )
        found: dict[str, dict[str, int]] = {}
        for region, kind, first in rows:
            found.setdefault(region, {})[kind] = first
        return {
            region: RegionHistory(
                firsts.get("region"), firsts.get("changed-region"), firsts.get("principal-region")
            )
            for region, firsts in found.items()
        }

    @sound
    def lineage(self, alert_id: str) -> RelatedPrincipals:
        """Who counts as the principal of an alert; nobody where there is no such alert."""
        found = self._value("SELECT lineage FROM alert WHERE alert_id = ?", alert_id)
        return (
            msgspec.json.decode(found, type=RelatedPrincipals)
            if found
            else RelatedPrincipals(PrincipalNames())
        )

    def file_spans(self, start: int, end: int, selector: Selector | None = None) -> list[FileSpan]:
        """The files read that have events in ``[start, end)``; of a lineage those that hold some of
        its records."""
        wanted = related_hashes(selector) if isinstance(selector, RelatedPrincipals) else None
        offsets: dict[str, list[int]] = {}
        for piece in self.pieces(start, end):
            if wanted is None or PrincipalIndex(piece.principal_index).holds(wanted):
                offsets.setdefault(piece.path, []).append(piece.offset)
        return [
            FileSpan(path, size, first, last, offsets=tuple(offsets[path]))
            for path, size, first, last in (
                (os.fsdecode(path), *rest)
                for path, *rest in self._rows(
                    "SELECT path, size, first, last FROM file WHERE first < ? AND last >= ? ORDER BY first",
                    end,
                    start,
                )
            )
            if path in offsets
        ]

    def _put_signals(
        self, db: sqlite3.Connection, name: str, found: Mapping[str, Sequence[Event]]
    ) -> int:
        """Keep the signals of an alert, by flag; how many are new. An event is mostly one of
        several flags."""
        events = {
            event: identity(event.account, event.event_id)
            for events in found.values()
            for event in events
        }
        sources = {
            source: file_id(db, source) for source in {event.position.source for event in events}
        }
        for event, key in events.items():
            self._put_event(db, key, event, sources[event.position.source])
        before = db.total_changes
        db.executemany(
            "INSERT OR IGNORE INTO signal VALUES (?, ?, ?)",
            [(name, flag, events[event]) for flag, them in found.items() for event in them],
        )
        return db.total_changes - before

    def _put_context(self, db: sqlite3.Connection, alert: Alert, table: RiskTable) -> bool:
        """Whether it differs from what was known; with a change of the events it is one
        revision."""
        counted = [
            Flag(*row)
            for row in db.execute(
                f"SELECT flag, count(*), min(e.time), max(e.time) {_SIGNALS} GROUP BY flag",
                (alert.alert_id,),
            )
        ]
        counted += self._flag_alerts(db, alert)
        made = msgspec.msgpack.encode(
            context_of(
                alert, self.events(alert.alert_id), counted, self._baseline(db, alert), table
            )
        )
        known, told = db.execute(
            "SELECT context, told FROM alert WHERE alert_id = ?", (alert.alert_id,)
        ).fetchone()
        revision = alert.revision + int(known not in (None, made) and told == alert.revision)
        db.execute(
            "UPDATE alert SET revision = ?1, told = ?1, context = ?2 WHERE alert_id = ?3",
            (revision, made, alert.alert_id),
        )
        return bool(known != made)

    def _flag_alerts(self, db: sqlite3.Connection, alert: Alert) -> list[Flag]:
        """The flags of rules that are true of windows: the other alerts that they gave of the same
        principal near."""
        names = _names(self.lineage(alert.alert_id))
        found: dict[str, list[Alert]] = {}
        for rule in self._rules.values():
            if rule.flag and rule.query.shape != "filter":
                rows = db.execute(
                    "SELECT DISTINCT alert_id, content FROM alert JOIN series USING (series_id) "
                    "JOIN alert_who USING (alert_id) WHERE rule_id = ? AND alert_id != ? AND start < ? AND until > ? "
                    f"AND who IN ({', '.join('?' * len(names))})",
                    (rule.rule_id, alert.alert_id, *_near(alert), *names),
                )
                found.setdefault(rule.flag, []).extend(
                    _content.decode(content) for _, content in rows
                )
        return [
            Flag(
                flag,
                len(near),
                min(it.first_event for it in near),
                max(it.last_event for it in near),
            )
            for flag, near in found.items()
            if near
        ]

    def _baseline(self, db: sqlite3.Connection, alert: Alert) -> Baseline:
        def first(kind: str, who: str, what: str = "") -> int | None:
            found = db.execute(
                "SELECT first FROM sight WHERE kind = ? AND who = ? AND what = ?", (kind, who, what)
            ).fetchone()
            return None if found is None else int(found[0])

        start = alert.window.start if alert.window else alert.first_event
        facets, account = alert.facets, alert.account
        keys = [
            seen for key in facets.access_keys if (seen := first("access-key", key)) is not None
        ]
        unused = [
            region
            for region in facets.regions
            if (changed := first("changed-region", account, region)) is None or changed >= start
        ]
        return Baseline(
            since=first("account", account),
            principal_first=first("principal", principal_of(alert.principal))
            if alert.principal
            else None,
            key_first=max(keys, default=None),
            unused_regions=unused,
        )


def _names(lineage: RelatedPrincipals) -> set[str]:
    """As ``alert_who`` has those that count as one principal."""
    return {
        *map(principal_of, (*lineage.own.arns, *lineage.hop.arns)),
        *lineage.own.keys,
        *lineage.hop.keys,
    }


def _near(alert: Alert) -> tuple[int, int]:
    """Before which time something must start, and after which it must end, to be near the alert."""
    start, end = (
        (alert.window.start, alert.window.end)
        if alert.window
        else (alert.first_event, alert.first_event + 1)
    )
    return end + SIGNAL_REACH, start - SIGNAL_REACH
