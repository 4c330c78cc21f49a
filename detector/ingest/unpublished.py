"""The changes that a pipeline's next update will hold."""

from __future__ import annotations

import time

from detector.detection.alert import Alert
from detector.store.alert_table import AlertChanges


class UnpublishedChanges:
    """The alerts and problems since the last update.

    ``since`` is when that was published, on the monotonic clock. ``live`` is that of the last
    update; ``dirty`` means that files were committed since.
    """

    def __init__(self, live: bool = False) -> None:
        self.alerts: dict[str, Alert] = {}
        self.withdrawn: list[str] = []
        self.problems: list[str] = []
        self.since = time.monotonic()
        self.live = live
        self.dirty = False

    def __bool__(self) -> bool:
        return bool(self.alerts or self.withdrawn or self.problems or self.dirty)

    def add(self, changes: AlertChanges) -> None:
        """Merge changed and withdrawn alerts into the next update."""
        for alert_id in changes.withdrawn:
            self.alerts.pop(alert_id, None)
            self.withdrawn.append(alert_id)
        for alert in changes.alerts:
            self.alerts[alert.alert_id] = alert
