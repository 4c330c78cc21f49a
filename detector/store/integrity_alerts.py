"""The alerts about missing and modified log files.

They are stored with all other alerts, so that triage works on them too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from detector.cloudtrail.record import json_text
from detector.detection.alert import Alert
from detector.detection.finding import Finding
from detector.detection.log_integrity import INTEGRITY_RULES, OBJECT_KEY_FIELD, integrity_alert
from detector.detection.principal import PrincipalNames, RelatedPrincipals
from detector.sources.time_bounds import Bounds
from detector.store.alert_table import AlertChanges, AlertTable
from detector.store.completeness import Completeness
from detector.store.database import Database
from detector.store.history_table import HistoryTable
from detector.store.packing.finding_rows import SummaryRow, pack_finding, put_findings
from detector.store.packing.lineage_rows import Lineage, insert_lineages
from detector.store.suppression_table import SuppressionTable

_RULE_IDS = [rule.id for rule in INTEGRITY_RULES.values()]
_NEVER_SEARCHED = 1 << 62
"""A file sequence that is never reached: a log file has no caller, so no signals to search for."""
_NOBODY = Lineage.of(RelatedPrincipals(PrincipalNames()))


class IntegrityAlerts:
    """The alerts that are derived from the findings of ``Completeness``."""

    def __init__(
        self,
        database: Database,
        history: HistoryTable,
        completeness: Completeness,
        alerts: AlertTable,
        suppressions: SuppressionTable,
    ) -> None:
        self._database = database
        self._history = history
        self._completeness = completeness
        self._alerts = alerts
        self._suppressions = suppressions

    def update(self, final: bool = False, bounds: Bounds | None = None) -> AlertChanges:
        """Write an alert for each finding, and withdraw the alerts of files that were restored.

        Files outside of ``bounds`` were not looked for, so they get no new alerts. ``final``: no
        more files will arrive.
        """
        alerts = [
            integrity_alert(finding) for finding in self._completeness.findings(final, bounds)
        ]
        standing = {alert.alert_id for alert in alerts}
        for finding in self._completeness.findings(final=True):
            standing.add(integrity_alert(finding).alert_id)
        stored = self._stored_findings()
        changed = [alert for alert in alerts if stored.get(alert.alert_id) != alert.finding]
        gone = [alert_id for alert_id in stored if alert_id not in standing]
        if not (changed or gone):
            return AlertChanges()
        return self._write(changed, gone)

    def _stored_findings(self) -> dict[str, Finding]:
        """Return the stored findings of all alerts about log files, by alert id."""
        query = self._database.rows
        rows = query(
            "SELECT alert_id, summary_id, content FROM alert JOIN series USING (series_id) "
            "JOIN alert_finding USING (number) WHERE rule_id IN (?, ?)",
            *_RULE_IDS,
        )
        return {row[0]: self._alerts.summaries.unpack(query, *row) for row in rows}

    def _write(self, changed: Sequence[Alert], gone: Sequence[str]) -> AlertChanges:
        """Write the new or changed alerts, and withdraw the alerts in ``gone``."""
        with self._database.transaction() as connection:
            for alert in changed:
                _put_alert(connection, alert)
            # A file with an alert is overdue at once; no more patience is given to it.
            connection.executemany(
                "UPDATE named SET named_at = 0 WHERE key = ?",
                [(alert.columns[OBJECT_KEY_FIELD],) for alert in changed],
            )
            for alert_id in gone:
                connection.execute("DELETE FROM alert WHERE alert_id = ?", (alert_id,))
                self._history.add(
                    connection, alert_id, "withdrawn", "the file is here and matches its digest"
                )
            written = self._alerts.read(connection, [alert.alert_id for alert in changed])
            self._suppressions.record_hidden(connection, written)
            return AlertChanges(tuple(alert.alert_id for alert in written), tuple(gone))


def _put_alert(connection: sqlite3.Connection, alert: Alert) -> None:
    (series_id,) = connection.execute(
        "INSERT INTO series (rule_id, key, width) VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET "
        "width = 1 RETURNING series_id",
        (alert.rule.id, json_text(list(alert.key.values()))),
    ).fetchone()
    insert_lineages(connection, [_NOBODY])
    ((number,),) = connection.execute(
        "INSERT INTO alert (alert_id, series_id, start, until, revision, settled, supersedes, "
        "lineage_id, has_hop, searched, stale, told) "
        "VALUES (?, ?, ?, ?, 1, 1, '[]', ?, 0, ?, 1, 0) ON CONFLICT (alert_id) DO "
        "UPDATE SET revision = revision + 1 RETURNING number",
        (
            alert.alert_id,
            series_id,
            alert.first_event,
            alert.last_event + 1,
            _NOBODY.lineage_id,
            _NEVER_SEARCHED,
        ),
    ).fetchall()
    summary = SummaryRow.stored(connection, alert.rule)
    put_findings(connection, [(number, pack_finding(alert.finding, summary))])
