"""The calls of an alert: outcome, key, order of regions."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from detector.detection.activity.parts import is_denial
from detector.detection.alert import Alert
from detector.detection.event import Event
from tui.presentation import safe


def call_outcome(error_code: str) -> Content:
    if not error_code:
        return Content("ok")
    return safe.text(error_code, "$text-warning")


def short_outcome(error_code: str, cells: int) -> Content:
    """Write a call's outcome in ``cells`` cells: its error code, or ``denied`` or ``failed``."""
    if len(error_code) <= cells:
        return call_outcome(error_code)
    word = "denied" if is_denial(error_code) else "failed"
    return safe.text(word, "$text-warning")


def event_key(event: Event) -> str:
    return f"{event.account} {event.event_id}"


def rare_regions(alert: Alert) -> list[str]:
    """List the alert's regions in which the account had never changed anything.

    The list is empty without the flag, which is not set if there is too little history.
    """
    is_flagged = any(flag.flag == "unused-region" for flag in alert.flags)
    if not is_flagged or alert.baseline is None:
        return []
    return alert.baseline.unused_regions


def regions_by_first_call(events: Sequence[Event]) -> list[str]:
    """List the regions in the order of their first calls."""
    return list(dict.fromkeys(event.region for event in events))
