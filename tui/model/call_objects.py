"""The objects of calls, read again from the logs: which key, which snapshot, shared with whom."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence

from detector.cloudtrail.call_object import call_object_in_json
from detector.detection.alert import Alert
from detector.detection.event import Event
from detector.investigation.raw_record import EvidenceGone, raw_record
from tui.presentation.explanation import later_events

_MAX_READ = 5
"""Records read for one line."""


def call_objects(events: Iterable[Event]) -> dict[Event, str]:
    """Return the object of each call that has one.

    Reads the logs: not for the event loop. A record that is gone has no object.
    """
    objects = {}
    for event in events:
        with contextlib.suppress(EvidenceGone, ValueError, RecursionError):
            text = call_object_in_json(raw_record(event))
            if text:
                objects[event] = text
    return objects


def objects_of_signals(alert: Alert, signals: Mapping[str, Sequence[Event]]) -> dict[Event, str]:
    """Return the objects of the calls that a line names after an alert."""
    return call_objects(later_events(alert, signals)[:_MAX_READ])
