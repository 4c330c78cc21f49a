"""The formats in which rows can be copied, each chosen by a letter.

Control characters in values and lines are made visible, so that text pasted into a shell is what
the analyst saw. JSON is evidence: for an event the record's own bytes, for other rows JSON in ASCII
with unchanged values.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, NamedTuple

import msgspec

from detector.detection.alert import Alert
from detector.detection.event import Event
from detector.investigation.elastic_query import events_query
from detector.investigation.raw_record import raw_record
from detector.text.time import format_time
from detector.text.visible import visible
from detector.triage.export import note_object
from detector.triage.note import Note
from detector.triage.suppression import Suppression

_MAX_CHARACTERS = 1_000_000
"""Maximum length of one value; a longer value is cut, and the text says so."""


class CopyFormat(NamedTuple):
    """A text to copy, and the letter that chooses it.

    ``read`` returns the text. It may read files, so call it in a thread; it raises EvidenceGone.
    """

    letter: str
    name: str
    read: Callable[[], str]


def value_formats(letter: str, name: str, values: Iterable[str]) -> list[CopyFormat]:
    """Offer the distinct non-empty values, one per line."""
    distinct = list(dict.fromkeys(value for value in values if value))
    if not distinct:
        return []
    title = f"{name} ({len(distinct)})" if len(distinct) > 1 else name
    return [
        CopyFormat(
            letter,
            title,
            lambda: "\n".join(visible(value, _MAX_CHARACTERS) for value in distinct),
        )
    ]


def line_format(rows: Iterable[str]) -> CopyFormat:
    """Offer the rows as the list shows them."""
    lines = list(rows)
    name = f"{len(lines)} lines" if len(lines) > 1 else "line"
    return CopyFormat("y", name, lambda: "\n".join(lines))


def json_format(objects: Iterable[Any]) -> CopyFormat:
    values = list(objects)
    return CopyFormat("j", "JSON", lambda: "\n".join(map(json.dumps, values)))


def alert_formats(alerts: Sequence[Alert]) -> list[CopyFormat]:
    facets = [alert.facets for alert in alerts]
    flatten = chain.from_iterable
    return [
        json_format(alert.as_json() for alert in alerts),
        *value_formats("a", "principal", flatten(facet.arns for facet in facets)),
        *value_formats("i", "source IP", flatten(facet.source_addresses for facet in facets)),
        *value_formats("k", "access key", flatten(facet.access_keys for facet in facets)),
        *value_formats("u", "user agent", flatten(facet.user_agents for facet in facets)),
        *value_formats("r", "region", flatten(facet.regions for facet in facets)),
        *value_formats("n", "alert ID", (alert.alert_id for alert in alerts)),
        CopyFormat("s", "ES|QL query for its events", lambda: _queries(alerts)),
    ]


def _queries(alerts: Sequence[Alert]) -> str:
    return "\n\n".join(
        visible(events_query(alert), _MAX_CHARACTERS, lines=True) for alert in alerts
    )


def event_formats(
    events: Sequence[Event], read_raw: Callable[[Event], bytes] = raw_record
) -> list[CopyFormat]:
    """Offer the formats for events; ``read_raw`` returns the raw record of an event."""
    return [
        CopyFormat("j", "JSON", lambda: _records(events, read_raw)),
        *value_formats("a", "principal", (event.arn for event in events)),
        *value_formats("i", "source IP", (event.source_address for event in events)),
        *value_formats("k", "access key", (event.access_key for event in events)),
        *value_formats("u", "user agent", (event.user_agent for event in events)),
        *value_formats("r", "region", (event.region for event in events)),
        *value_formats("e", "event ID", (event.event_id for event in events)),
        *value_formats("f", "file", (event.position.source for event in events)),
    ]


def _records(events: Sequence[Event], read_raw: Callable[[Event], bytes]) -> str:
    return "\n".join(read_raw(event).decode("utf-8", "backslashreplace") for event in events)


def note_formats(notes: Sequence[Note]) -> list[CopyFormat]:
    formats = [json_format(map(note_object, notes))]
    texts = [
        visible(note.body.text, _MAX_CHARACTERS, lines=True) for note in notes if note.body.text
    ]
    if texts:
        formats.append(CopyFormat("t", "text", lambda: "\n\n".join(texts)))
    formats += value_formats("a", "principal", (note.context.principal for note in notes))
    formats += value_formats("n", "alert ID", (note.alert_id for note in notes))
    return formats


def suppression_formats(suppressions: Sequence[Suppression]) -> list[CopyFormat]:
    return [
        json_format(map(_suppression_object, suppressions)),
        *value_formats("v", "value", (suppression.value for suppression in suppressions)),
        *value_formats(
            "n", "suppression ID", (suppression.suppression_id for suppression in suppressions)
        ),
    ]


def _suppression_object(suppression: Suppression) -> dict[str, Any]:
    lifted = suppression.lifted
    return {
        **msgspec.to_builtins(suppression),
        "created": format_time(suppression.created),
        "expires": format_time(suppression.expires),
        "lifted": None if lifted is None else format_time(lifted),
    }
