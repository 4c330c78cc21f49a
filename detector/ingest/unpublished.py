"""The changes that a pipeline's next update will report."""

from __future__ import annotations

import time
from collections.abc import Iterable

from detector.store.alert_table import AlertChanges
from detector.triage.watch import WatchRow


class UnpublishedChanges:
    """The changed alerts, by id, and the problems since the last update.

    ``since`` is when the last update was published, on the monotonic clock; ``live`` is the
    ``live`` of that update. ``dirty`` means that files were committed since.
    """

    def __init__(self, live: bool = False) -> None:
        self.changed: dict[str, None] = {}
        self.withdrawn: list[str] = []
        self.problems: list[str] = []
        self.watches: dict[str, WatchRow] = {}
        self.since = time.monotonic()
        self.live = live
        self.dirty = False

    def __bool__(self) -> bool:
        return bool(self.changed or self.withdrawn or self.problems or self.watches or self.dirty)

    def add(self, changes: AlertChanges) -> None:
        """Merge changed and withdrawn alerts into the next update."""
        for alert_id in changes.withdrawn:
            self.changed.pop(alert_id, None)
            self.withdrawn.append(alert_id)
        self.changed.update(dict.fromkeys(changes.changed))

    def add_watches(self, rows: Iterable[WatchRow]) -> None:
        """Merge watches with new sightings into the next update."""
        self.watches.update({row.watch.watch_id: row for row in rows})
