"""The fields by which hunts can be filtered."""

from __future__ import annotations

from operator import attrgetter

from detector.filter.field_types import Choice, Number, Text, Time
from detector.filter.fields import Field, Fields
from detector.triage.hunt_record import HUNT_STATES, HuntRecord

_text, _number, _time = Text(), Number(), Time()


def _query_count(hunt: HuntRecord) -> int:
    return len(hunt.queries)


def _finding_count(hunt: HuntRecord) -> int:
    return len(hunt.findings)


def _hypothesis(hunt: HuntRecord) -> str:
    return hunt.texts.get("hypothesis", "")


def _conclusion(hunt: HuntRecord) -> str:
    return hunt.texts.get("conclusion", "")


def _subjects(hunt: HuntRecord) -> list[str]:
    return [name for each in hunt.findings for name in (each.title, each.subject)]


HUNTS: Fields[HuntRecord] = Fields(
    "hunts",
    (
        Field("changed", "when it was changed last", attrgetter("changed"), _time),
        Field("made", "when it was begun", attrgetter("created"), _time),
        Field("state", "state", attrgetter("state"), Choice(HUNT_STATES)),
        Field("name", "name", attrgetter("name"), _text),
        Field("hypothesis", "hypothesis", _hypothesis, _text),
        Field("conclusion", "conclusion", _conclusion, _text),
        Field("finding", "what is attached", _subjects, _text),
        Field("queries", "how many queries", _query_count, _number),
        Field("findings", "how many findings", _finding_count, _number),
        Field("author", "who began it", attrgetter("author"), _text),
        Field("by", "who changed it last", attrgetter("changed_by"), _text),
    ),
)
