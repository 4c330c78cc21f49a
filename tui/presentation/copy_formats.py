"""What a row can give to take out of trailhound: a value, its JSON, a query; each under a letter.

Values and lines are made visible, so that what is pasted into a shell is what was seen. JSON is the evidence: of an
event the record's own bytes, of the rest JSON in ASCII with every value as it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from detector.detection.alert import Alert
from detector.detection.event import Event
from detector.investigation.elastic_query import events_of
from detector.investigation.raw_record import raw_record
from detector.text.time import format_time
from detector.text.visible import visible
from detector.triage.export import note_object
from detector.triage.note import Note
from detector.triage.suppression import Suppression

_LIMIT = 1_000_000
"""Characters of one value, beyond which it is cut, and that is said in it."""


class CopyFormat(NamedTuple):
    """``read`` gives the text; it may read files, so it is called in a thread, and raises
    EvidenceGone."""

    letter: str
    name: str
    read: Callable[[], str]


def value_formats(letter: str, name: str, found: Iterable[str]) -> list[CopyFormat]:
    """Those of the values that there are, each once, a line each; nothing where there is none."""
    held = list(dict.fromkeys(value for value in found if value))
    return (
        [
            CopyFormat(
                letter,
                f"{name} ({len(held)})" if len(held) > 1 else name,
                lambda: "\n".join(visible(value, _LIMIT) for value in held),
            )
        ]
        if held
        else []
    )


def line_format(rows: Iterable[str]) -> CopyFormat:
    """The rows as a list writes them."""
    held = list(rows)
    return CopyFormat(
        "y", f"{len(held)} lines" if len(held) > 1 else "line", lambda: "\n".join(held)
    )


def json_format(objects: Iterable[Any]) -> CopyFormat:
    held = list(objects)
    return CopyFormat("j", "JSON", lambda: "\n".join(map(json.dumps, held)))


def alert_formats(alerts: Sequence[Alert]) -> list[CopyFormat]:
    facets = [alert.facets for alert in alerts]
    return [
        json_format(alert.as_json() for alert in alerts),
        *value_formats("a", "principal", (arn for each in facets for arn in each.arns)),
        *value_formats(
            "i", "source address", (address for each in facets for address in each.source_addresses)
        ),
        *value_formats("k", "access key", (key for each in facets for key in each.access_keys)),
        *value_formats("u", "user agent", (agent for each in facets for agent in each.user_agents)),
        *value_formats("r", "region", (region for each in facets for region in each.regions)),
        *value_formats("n", "alert id", (alert.alert_id for alert in alerts)),
        CopyFormat(
            "s",
            "ES|QL for its events",
            lambda: "\n\n".join(visible(events_of(alert), _LIMIT, lines=True) for alert in alerts),
        ),
    ]


def event_formats(
    events: Sequence[Event], raw: Callable[[Event], bytes] = raw_record
) -> list[CopyFormat]:
    """Of calls; ``raw`` gives a call's record."""
    return [
        CopyFormat(
            "j",
            "JSON",
            lambda: "\n".join(raw(event).decode("utf-8", "backslashreplace") for event in events),
        ),
        *value_formats("a", "principal", (event.arn for event in events)),
        *value_formats("i", "source address", (event.source_address for event in events)),
        *value_formats("k", "access key", (event.access_key for event in events)),
        *value_formats("u", "user agent", (event.user_agent for event in events)),
        *value_formats("r", "region", (event.region for event in events)),
        *value_formats("e", "event id", (event.event_id for event in events)),
        *value_formats("f", "file", (event.position.source for event in events)),
    ]


def note_formats(notes: Sequence[Note]) -> list[CopyFormat]:
    texts = [visible(note.body.text, _LIMIT, lines=True) for note in notes if note.body.text]
    return [
        json_format(map(note_object, notes)),
        *([CopyFormat("t", "text", lambda: "\n\n".join(texts))] if texts else []),
        *value_formats("a", "principal", (note.context.principal for note in notes)),
        *value_formats("n", "alert id", (note.alert_id for note in notes)),
    ]


def suppression_formats(entries: Sequence[Suppression]) -> list[CopyFormat]:
    return [
        json_format(
            {
                **msgspec.to_builtins(entry),
                **{
                    name: at and format_time(at)
                    for name, at in (
                        ("created", entry.created),
                        ("expires", entry.expires),
                        ("lifted", entry.lifted),
                    )
                },
            }
            for entry in entries
        ),
        *value_formats("v", "value", (entry.value for entry in entries)),
        *value_formats("n", "suppression id", (entry.suppression_id for entry in entries)),
    ]
