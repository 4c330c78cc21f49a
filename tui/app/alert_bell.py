"""Ring the bell for new alerts; the terminal may also notify the desktop (OSC 9)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from textual.app import App

from detector.detection.alert import SEVERITIES, Alert
from detector.ingest.pipeline import Update
from tui.model.view_model import ViewModel
from tui.presentation import format, safe
from tui.terminal.textual_private import write_escape

_MAX_CELLS = 120
"""Maximum width of a desktop notification, in cells."""


class AlertBell:
    """Rings for alerts at or above a severity that appear while the app is live.

    ``severity`` is one of SEVERITIES, or ``off``.
    """

    def __init__(self, app: App[Any], severity: str) -> None:
        self._app = app
        self._severities: Sequence[str] = ()
        if severity in SEVERITIES:
            self._severities = SEVERITIES[SEVERITIES.index(severity) :]
        self._rung: set[str] = set()

    def ring(self, update: Update, before: ViewModel) -> None:
        """Ring once if an update brings new alerts of sufficient severity.

        Each alert rings only once: when it appears, or when its severity rises that far.
        """
        if not (before.live and self._severities):
            return
        new = [alert for alert in update.alerts if self._deserves(alert, before)]
        if new:
            self._rung.update(alert.alert_id for alert in new)
            self._app.bell()
            write_escape(self._app, f"\x1b]9;{_message(new)}\x07")

    def ring_for(self, line: str) -> None:
        """Ring for something other than an alert; ``line`` describes it and may quote a log."""
        if self._severities:
            self._app.bell()
            text = safe.clip(safe.visible(f"trailhound: {line}"), _MAX_CELLS)
            write_escape(self._app, f"\x1b]9;{text}\x07")

    def _deserves(self, alert: Alert, before: ViewModel) -> bool:
        known = before.alerts.get(alert.alert_id)
        was_as_bad = known is not None and known.severity in self._severities
        is_new = alert.alert_id not in self._rung and not was_as_bad
        return is_new and alert.severity in self._severities and not alert.suppressed_by


def _message(alerts: Iterable[Alert]) -> str:
    """Describe the first alert and count the others; control characters are made visible."""
    first, *others = alerts
    more = f" and {format.plural(len(others), 'more alert')}" if others else ""
    text = f"trailhound: {first.severity} – {format.principal(first)}: {first.rule.name}{more}"
    return safe.clip(safe.visible(text), _MAX_CELLS)
