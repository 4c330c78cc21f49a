"""The fields by which watches can be filtered."""

from __future__ import annotations

from operator import attrgetter
from typing import get_args

from detector.filter.field_types import Choice, Number, Text, Time
from detector.filter.fields import Field, Fields
from detector.text.abbreviations import short_arn
from detector.triage.watch import WatchRow, WatchState

_text, _number, _time = Text(), Number(), Time()


def _last(row: WatchRow) -> int | None:
    return row.latest.time if row.latest else None


def _caller(row: WatchRow) -> list[str]:
    if row.latest is None:
        return []
    return [short_arn(row.latest.caller), row.latest.caller]


def _indicator(row: WatchRow) -> list[str]:
    text = row.watch.indicator.text
    return [short_arn(text), text]


WATCHES: Fields[WatchRow] = Fields(
    "watches",
    (
        Field("last", "when it was seen last", _last, _time),
        Field("made", "when it was made", attrgetter("watch.created"), _time),
        Field("state", "state", attrgetter("state"), Choice(get_args(WatchState))),
        Field(
            "kind",
            "address, network, key, arn, account, event or agent",
            attrgetter("watch.indicator.kind"),
            _text,
        ),
        Field(
            "value", "what is watched for", _indicator, _text, attrgetter("watch.indicator.text")
        ),
        Field("seen", "how many events", attrgetter("sightings"), _number),
        Field("new", "how many not acknowledged", attrgetter("new"), _number),
        Field("principal", "who was seen last", _caller, _text),
        Field("label", "label", attrgetter("watch.label"), _text),
        Field("author", "author", attrgetter("watch.author"), _text),
    ),
)
