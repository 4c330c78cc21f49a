"""What has changed and has not been told yet: what a pipeline's next update will hold."""

from __future__ import annotations

import time

from detector.detection.alert import Alert
from detector.store.alert_table import Changes


class UnpublishedChanges:
    """What has not been published yet."""

    def __init__(self, live: bool = False) -> None:
        self.alerts: dict[str, Alert] = {}
        self.withdrawn: list[str] = []
        self.problems: list[str] = []
        self.published = time.monotonic()
        self.live = live
        self.dirty = False

    def add(self, changes: Changes) -> None:
        for name in changes.withdrawn:
            self.alerts.pop(name, None)
            self.withdrawn.append(name)
        for alert in changes.alerts:
            self.alerts[alert.alert_id] = alert
