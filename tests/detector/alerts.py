"""Alerts with other fields than they had."""

from __future__ import annotations

from typing import Any

import msgspec

from detector.detection.alert import Alert


def changed_alert(alert: Alert, **changed: Any) -> Alert:
    """Return an alert with other fields, whichever of its parts have them."""
    for part in alert.__struct_fields__:
        before = getattr(alert, part)
        fields = {name: changed.pop(name) for name in before.__struct_fields__ if name in changed}
        alert = msgspec.structs.replace(alert, **{part: msgspec.structs.replace(before, **fields)})
    assert not changed, f"no fields of an alert: {', '.join(changed)}"
    return alert
