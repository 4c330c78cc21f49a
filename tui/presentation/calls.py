"""Describe the calls of an alert: outcome, regions, order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from detector.detection.alert import Alert
from detector.detection.event import Event
from tui.presentation import safe

if TYPE_CHECKING:
    pass


def call_outcome(error_code: str) -> Content:
    return safe.text(error_code, "$text-warning") if error_code else Content("ok")


def event_key(event: Event) -> str:
    return f"{event.account} {event.event_id}"


def rare_regions(alert: Alert) -> list[str]:
    """The regions in which the account has changed nothing before, where there is history enough to
    say so."""
    told = any(flag.flag == "unused-region" for flag in alert.flags)
    return alert.baseline.unused_regions if told and alert.baseline else []


def regions_by_first_call(events: Sequence[Event]) -> list[str]:
    """The regions in the order in which they were called: a sweep reads as a slope."""
    return list(dict.fromkeys(event.region for event in events))
