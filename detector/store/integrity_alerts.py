"""The alerts about log files that are missing or modified: kept with the others, so that triage works on them."""

from __future__ import annotations

import sqlite3

import msgspec

from detector.cloudtrail.record import json_text
from detector.detection.alert import Alert
from detector.detection.log_integrity import INTEGRITY_RULES, OBJECT_KEY_FIELD, integrity_alert
from detector.detection.principal import PrincipalNames, RelatedPrincipals
from detector.sources.time_bounds import Bounds
from detector.store.alert_table import Alerts, Changes
from detector.store.completeness import Completeness

_IDS = [rule.id for rule in INTEGRITY_RULES.values()]
_SEARCHED = 1 << 62
"""No call speaks of a file: there is nothing to search for."""


class Findings(Alerts, Completeness):
    """The part of the store that makes alerts of findings."""

    def judge_files(self, final: bool = False, bounds: Bounds | None = None) -> Changes:
        """Keep an alert for each finding as ``integrity`` gives them; what is found or restored
        since is withdrawn.

        Outside of ``bounds`` nothing was looked for, and so nothing new is said.
        """
        told = [integrity_alert(finding) for finding in self.integrity(final, bounds)]
        standing = {alert.alert_id for alert in told} | {
            integrity_alert(finding).alert_id for finding in self.integrity(final=True)
        }
        held = dict(
            self._rows(
                "SELECT alert_id, content FROM alert JOIN series USING (series_id) "
                "WHERE rule_id IN (?, ?)",
                *_IDS,
            )
        )
        changed = [
            alert for alert in told if held.get(alert.alert_id) != msgspec.msgpack.encode(alert)
        ]
        gone = [name for name in held if name not in standing]
        if not (changed or gone):
            return Changes()
        with self._writing() as db:
            for alert in changed:
                self._put_finding(db, alert)
            # What has been told is not awaited any more.
            db.executemany(
                "UPDATE named SET named_at = 0 WHERE key = ?",
                [(alert.columns[OBJECT_KEY_FIELD],) for alert in changed],
            )
            for name in gone:
                db.execute("DELETE FROM alert WHERE alert_id = ?", (name,))
                self._record(db, name, "withdrawn", "the file is here as its digest says")
            alerts = self._named(db, [alert.alert_id for alert in changed])
            self._note_hidden(db, alerts)
            return Changes(alerts, tuple(gone))

    def _put_finding(self, db: sqlite3.Connection, alert: Alert) -> None:
        (series,) = db.execute(
            "INSERT INTO series (rule_id, key, width) VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET "
            "width = 1 RETURNING series_id",
            (alert.rule.id, json_text(list(alert.key.values()))),
        ).fetchone()
        db.execute(
            "INSERT INTO alert VALUES (?, ?, ?, ?, ?, 1, 1, '[]', NULL, ?, ?, 1, 0) ON CONFLICT (alert_id) DO "
            "UPDATE SET content = excluded.content, revision = revision + 1",
            (
                alert.alert_id,
                series,
                alert.first_event,
                alert.last_event + 1,
                msgspec.msgpack.encode(alert),
                msgspec.json.encode(RelatedPrincipals(PrincipalNames())).decode(),
                _SEARCHED,
            ),
        )
