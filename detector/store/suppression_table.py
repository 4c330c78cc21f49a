"""The suppressions, and which alerts each has hidden."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

import msgspec

from detector.detection.alert import Alert
from detector.store.database import Database, raises_damaged
from detector.store.errors import StateError
from detector.store.history_table import HistoryTable
from detector.text.time import format_time
from detector.triage.suppression import Suppression, matches, novelties
from detector.triage.suppression_index import SuppressionIndex


class SuppressionTable:
    """All suppressions that were ever made."""

    def __init__(self, database: Database, history: HistoryTable) -> None:
        self._database = database
        self._history = history

    def all(self) -> list[Suppression]:
        """Return all suppressions, including ended ones, newest first."""
        hidden = dict(
            self._database.rows(
                "SELECT suppression_id, count(*) FROM hidden GROUP BY suppression_id"
            )
        )
        return [
            msgspec.structs.replace(suppression, hidden=hidden.get(suppression.suppression_id, 0))
            for suppression in reversed(self._stored())
        ]

    def get(self, suppression_ids: Sequence[str]) -> list[Suppression]:
        """Return suppressions by id. Raises StateError for an unknown one."""
        return [self._get(suppression_id) for suppression_id in suppression_ids]

    def any(self) -> bool:
        """Return whether any suppression was ever made."""
        return bool(self._database.value("SELECT EXISTS (SELECT 1 FROM suppression)"))

    def active(self) -> list[Suppression]:
        """Return the suppressions that hide alerts now, oldest first."""
        now = self._database.clock()
        return [suppression for suppression in self._stored() if suppression.active(now)]

    def record_hidden(self, connection: sqlite3.Connection, alerts: Iterable[Alert]) -> None:
        """Record which alerts are hidden, and which are shown despite a matching suppression.

        Suppressions that have expired in the meantime are recorded first.
        """
        now = self._database.clock()
        suppressions = self._stored()
        self._add_expired(connection, suppressions)
        active = SuppressionIndex(
            suppression for suppression in suppressions if suppression.active(now)
        )
        for alert in alerts:
            if alert.broke_through:
                self._record_broken(connection, alert, active.candidates(alert))
            if alert.suppressed_by is not None:
                added = connection.execute(
                    "INSERT OR IGNORE INTO hidden (suppression_id, alert_id, since) "
                    "VALUES (?, ?, ?)",
                    (alert.suppressed_by, alert.alert_id, now),
                ).rowcount
                if added:
                    self._history.add(
                        connection,
                        alert.alert_id,
                        "hidden",
                        f"by suppression {alert.suppressed_by}",
                    )

    def record_expired(self) -> None:
        """Record the suppressions that expired while nothing was being written."""
        now = self._database.clock()
        suppressions = self._stored()
        if any(suppression.state(now) == "expired" for suppression in suppressions):
            with self._database.transaction() as connection:
                self._add_expired(connection, suppressions)

    @raises_damaged
    def _stored(self) -> list[Suppression]:
        """Return the committed suppressions, oldest first."""
        rows = self._database.rows("SELECT body FROM suppression ORDER BY created")
        return [msgspec.json.decode(body, type=Suppression) for (body,) in rows]

    @raises_damaged
    def _get(self, suppression_id: str) -> Suppression:
        rows = self._database.rows(
            "SELECT body, (SELECT count(*) FROM hidden h "
            "WHERE h.suppression_id = s.suppression_id) FROM suppression s "
            "WHERE suppression_id = ?",
            suppression_id,
        )
        if not rows:
            raise StateError(
                f"no suppression {suppression_id}: trailhound suppress list shows them"
            )
        body, hidden = rows[0]
        suppression = msgspec.json.decode(body, type=Suppression)
        return msgspec.structs.replace(suppression, hidden=hidden)

    def _record_broken(
        self, connection: sqlite3.Connection, alert: Alert, candidates: Iterable[Suppression]
    ) -> None:
        for suppression in candidates:
            if not matches(suppression, alert.finding):
                continue
            suppression_id = suppression.suppression_id
            novelty_list = ", ".join(novelties(suppression, alert))
            changed = connection.execute(
                "INSERT INTO broken (suppression_id, alert_id, brought) VALUES (?, ?, ?) "
                "ON CONFLICT DO UPDATE SET brought = excluded.brought "
                "WHERE brought != excluded.brought",
                (suppression_id, alert.alert_id, novelty_list),
            ).rowcount
            if changed:
                self._history.add(
                    connection,
                    alert.alert_id,
                    "broke-through",
                    f"suppression {suppression_id}: {novelty_list}",
                )
                self._history.add(
                    connection,
                    suppression_id,
                    "broke-through",
                    f"alert {alert.alert_id}: {novelty_list}",
                )

    def _add_expired(
        self, connection: sqlite3.Connection, suppressions: Iterable[Suppression]
    ) -> None:
        """Add an expiry entry to the history of each expired suppression that lacks one."""
        now = self._database.clock()
        for suppression in suppressions:
            if suppression.state(now) != "expired":
                continue
            suppression_id = suppression.suppression_id
            last_kind = connection.execute(
                "SELECT kind FROM history WHERE subject = ? AND kind != 'broke-through' "
                "ORDER BY entry_id DESC LIMIT 1",
                (suppression_id,),
            ).fetchone()
            if last_kind != ("expired",):
                self._history.add(
                    connection,
                    suppression_id,
                    "expired",
                    f"at {format_time(suppression.expires)}",
                )
