"""Hand the pipeline's updates from its thread to the event loop."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from detector.ingest.pipeline import Update

_BATCH_ALERTS = 2_000
"""Maximum number of alerts taken at a time: more would delay key presses."""


class UpdateInbox:
    """Merges updates into one until the event loop takes it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._update: Update | None = None

    def put(self, update: Update) -> bool:
        """Add an update; return whether the inbox was empty before."""
        with self._lock:
            was_empty = self._update is None
            if self._update is not None:
                update = merge_updates(self._update, update)
            self._update = update
            return was_empty

    def take(self) -> tuple[Update | None, bool]:
        """Take the merged update, or its first alerts; also return whether more is left."""
        with self._lock:
            update, self._update = self._update, None
            if update is not None and len(update.alerts) > _BATCH_ALERTS:
                self._update = msgspec.structs.replace(
                    update,
                    alerts=update.alerts[_BATCH_ALERTS:],
                    withdrawn=(),
                    problems=(),
                    watches=(),
                )
                update = msgspec.structs.replace(update, alerts=update.alerts[:_BATCH_ALERTS])
            return update, self._update is not None


def merge_updates(first: Update, second: Update) -> Update:
    """Return one update with the effect of ``first`` followed by ``second``."""
    merged = {alert.alert_id: alert for alert in (*first.alerts, *second.alerts)}
    returned = {alert.alert_id for alert in second.alerts}
    gone = set(second.withdrawn) - returned
    first_withdrawn = (alert_id for alert_id in first.withdrawn if alert_id not in returned)
    return type(second)(
        alerts=tuple(alert for alert in merged.values() if alert.alert_id not in gone),
        withdrawn=tuple(dict.fromkeys([*first_withdrawn, *second.withdrawn])),
        accounting=second.accounting,
        live=second.live,
        newest=first.newest if second.newest is None else second.newest,
        problems=(*first.problems, *second.problems),
        watches=tuple(
            {row.watch.watch_id: row for row in (*first.watches, *second.watches)}.values()
        ),
    )
