"""The objects of calls, such as a key, or a snapshot and whom it was shared with.

Objects are read from the original log records.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence

from detector.cloudtrail.call_object import call_object_in_json
from detector.detection.alert import Alert
from detector.detection.event import Event
from detector.investigation.raw_record import EvidenceGone, raw_record
from tui.presentation.explanation import later_events

_MAX_READ = 5
"""Maximum number of records read for one line."""


def call_objects(events: Iterable[Event]) -> dict[Event, str]:
    """Return the object of each call that has one.

    Reads the logs, so do not call this on the event loop. Calls whose record is gone are left out.
    """
    objects = {}
    for event in events:
        with contextlib.suppress(EvidenceGone, ValueError, RecursionError):
            text = call_object_in_json(raw_record(event))
            if text:
                objects[event] = text
    return objects


def objects_of_signals(alert: Alert, signals: Mapping[str, Sequence[Event]]) -> dict[Event, str]:
    """Return the objects of the first calls that followed an alert."""
    return call_objects(later_events(alert, signals)[:_MAX_READ])
