"""Two alerts side by side."""

from __future__ import annotations

from collections.abc import Sequence

from detector.detection.alert import Alert
from detector.filter.schemas import ALERTS
from detector.investigation.comparison import ComparedField, compare
from detector.store import Store
from tui.model.comparison import Comparison, compare_rows
from tui.presentation import format


def compare_alerts(store: Store, left: Alert, right: Alert) -> Comparison:
    """Compare two alerts by all fields and by the names of the calls that they count."""

    def read_calls() -> Sequence[ComparedField]:
        return [compare("call", _call_names(store, left), _call_names(store, right))]

    return Comparison((_title(left), _title(right)), compare_rows(ALERTS, left, right), read_calls)


def _call_names(store: Store, alert: Alert) -> list[str]:
    return sorted({event.action for event in store.alerts.events(alert.alert_id)})


def _title(alert: Alert) -> str:
    return f"{format.principal(alert)}  {format.compact_range(alert.start)}"
