"""Decisions on alerts, suppressions, watches and hunts as lines that can be shared.

A line holds the complete decision and uses ids that are the same in every state; times are in whole
seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import orjson

from detector.detection.alert import Flag, Status
from detector.detection.indicator import parse_indicators
from detector.text.json_output import json_lines
from detector.text.late_pattern import late_pattern
from detector.text.time import format_time, parse_time
from detector.triage.export import note_object
from detector.triage.hunt_record import checked_part
from detector.triage.note import Edit, Note, NoteBody, NoteContext, check_name
from detector.triage.suppression import Suppression, check_suppression
from detector.triage.watch import Watch

_TIMES = ("created", "expires", "lifted", "undone")
_WATCH_TIMES = ("created", "acknowledged", "lifted", "undone")
_MAX_NOTE_ID = 1 << 53
_RANDOM_ID = late_pattern(r"[0-9a-f]{8}")
_CONTEXT_TIMES = ("start", "end", "first_event", "last_event")


class StatusDecision(msgspec.Struct, frozen=True):
    """An alert's status, with the time of the decision (epoch seconds) and its author."""

    alert_id: str
    status: Status
    time: float | None
    author: str | None


class AssigneeDecision(msgspec.Struct, frozen=True):
    """An alert's assignee (empty: nobody), with the decision's time (epoch seconds) and author."""

    alert_id: str
    assignee: str
    time: float
    author: str


class SuppressionDecision(msgspec.Struct, frozen=True):
    """A suppression, with the time (epoch seconds) and author of its last change."""

    suppression: Suppression
    time: float
    author: str


class WatchDecision(msgspec.Struct, frozen=True):
    """A watch, with the time (epoch seconds) and author of its last change."""

    watch: Watch
    time: float
    author: str


class SharedPart(NamedTuple):
    """A version of a hunt's part, with the time it was written (epoch seconds) and its author."""

    part: str
    time: int
    author: str
    value: str


class HuntDecision(msgspec.Struct, frozen=True):
    """A hunt with all versions of its parts; a part's versions are oldest first."""

    hunt_id: str
    created: int
    author: str
    parts: list[SharedPart]


SharedDecision = (
    Note | StatusDecision | AssigneeDecision | SuppressionDecision | WatchDecision | HuntDecision
)


def decision_lines(decisions: Sequence[SharedDecision]) -> str:
    """Write decisions as JSON Lines."""
    return json_lines(_object(decision) for decision in decisions)


def read_decision(line: bytes) -> SharedDecision:
    """Parse a line of ``decision_lines``. Raises ValueError, which gives the reason."""
    try:
        fields = orjson.loads(line)
        match fields.pop("type", "note"):
            case "note":
                return _read_note(fields)
            case "status":
                time = _seconds(fields.pop("at"))
                return msgspec.convert({**fields, "time": time}, StatusDecision)
            case "assignee":
                return _read_assignee(fields)
            case "suppression":
                return _read_suppression(fields)
            case "watch":
                return _read_watch(fields)
            case "hunt":
                return _read_hunt(fields)
            case other:
                raise ValueError(
                    f"{other!r} is not note, status, assignee, suppression, watch or hunt"
                )
    except (AttributeError, KeyError, TypeError, msgspec.ValidationError) as error:
        raise ValueError(f"not in the format of log export: {error}") from None


def _object(decision: SharedDecision) -> dict[str, Any]:
    if isinstance(decision, Note):
        written = note_object(decision)
        for first in written["history"][:1]:
            first["at"] = written["created"]
        own = {"uid": decision.uid, "edited_by": decision.edited_by}
        return {"type": "note", **own, **written}
    if isinstance(decision, StatusDecision):
        return {
            "type": "status",
            "alert_id": decision.alert_id,
            "status": decision.status,
            "at": _text(decision.time),
            "author": decision.author,
        }
    if isinstance(decision, AssigneeDecision):
        return {
            "type": "assignee",
            "alert_id": decision.alert_id,
            "assignee": decision.assignee,
            "at": _text(decision.time),
            "author": decision.author,
        }
    if isinstance(decision, WatchDecision):
        return _watch_object(decision)
    if isinstance(decision, HuntDecision):
        return _hunt_object(decision)
    fields = msgspec.to_builtins(decision.suppression)
    del fields["hidden"]  # each state keeps its own count
    return {
        "type": "suppression",
        **fields,
        **{name: _text(fields[name]) for name in _TIMES},
        "changed": _text(decision.time),
        "changed_by": decision.author,
    }


def _watch_object(decision: WatchDecision) -> dict[str, Any]:
    watch = decision.watch
    return {
        "type": "watch",
        "watch_id": watch.watch_id,
        "kind": watch.indicator.kind,
        "indicator": watch.indicator.text,
        "label": watch.label,
        "author": watch.author,
        "created": format_time(watch.created),
        "acknowledged": format_time(watch.acknowledged),
        "lifted": _text(watch.lifted),
        "undone": _text(watch.undone),
        "changed": _text(decision.time),
        "changed_by": decision.author,
    }


def _hunt_object(decision: HuntDecision) -> dict[str, Any]:
    return {
        "type": "hunt",
        "hunt_id": decision.hunt_id,
        "created": format_time(decision.created),
        "author": decision.author,
        "parts": [
            {
                "part": each.part,
                "at": format_time(each.time),
                "author": each.author,
                "value": each.value,
            }
            for each in decision.parts
        ],
    }


def _read_hunt(fields: dict[str, Any]) -> HuntDecision:
    parts = [_read_part(each) for each in fields["parts"]]
    hunt_id = _checked_id(fields["hunt_id"], "hunt")
    author = msgspec.convert(fields["author"], str)
    return HuntDecision(hunt_id, _whole(fields["created"]), author, parts)


def _read_part(fields: dict[str, Any]) -> SharedPart:
    part = msgspec.convert(
        (fields["part"], _whole(fields["at"]), fields["author"], fields["value"]), SharedPart
    )
    return part._replace(value=checked_part(part.part, part.value))


def _read_note(fields: dict[str, Any]) -> Note:
    context = fields["context"]
    flags = [
        Flag(flag["flag"], flag["count"], _whole(flag["first"]), _whole(flag["last"]))
        for flag in context["flags"]
    ]
    times = {name: _seconds(context[name]) for name in _CONTEXT_TIMES}
    created = _whole(fields["created"])
    note_id = msgspec.convert(fields["note_id"], int)
    if not 0 < note_id < _MAX_NOTE_ID:
        raise ValueError(f"{note_id} is not a note number")
    return Note(
        note_id=note_id,
        alert_id=msgspec.convert(fields["alert_id"], str),
        created=created,
        author=msgspec.convert(fields["author"], str),
        body=msgspec.convert(fields, NoteBody),
        context=msgspec.convert({**context, **times, "flags": flags}, NoteContext),
        edited=_seconds(fields["edited"]),
        history=[_read_edit(edit) for edit in fields["history"]],
        uid=msgspec.convert(fields.get("uid", ""), str)
        or f"{note_id}-{created}-{fields['alert_id']}",
        edited_by=msgspec.convert(fields.get("edited_by", ""), str),
    )


def _read_edit(fields: dict[str, Any]) -> Edit:
    body = None if fields.get("undone") else msgspec.convert(fields, NoteBody)
    return Edit(_whole(fields["at"]), msgspec.convert(fields["author"], str), body)


def _read_assignee(fields: dict[str, Any]) -> AssigneeDecision:
    time = _whole(fields.pop("at"))
    decision = msgspec.convert({**fields, "time": time}, AssigneeDecision)
    check_name(decision.assignee)
    return decision


def _read_suppression(fields: dict[str, Any]) -> SuppressionDecision:
    time, author = _whole(fields.pop("changed")), fields.pop("changed_by")
    times = {name: _seconds(fields[name]) for name in _TIMES}
    suppression = msgspec.convert({**fields, **times}, Suppression)
    check_suppression(suppression)
    return SuppressionDecision(suppression, time, msgspec.convert(author, str))


def _read_watch(fields: dict[str, Any]) -> WatchDecision:
    time, author = _whole(fields.pop("changed")), fields.pop("changed_by")
    kind, text = fields.pop("kind"), msgspec.convert(fields.pop("indicator"), str)
    indicators = parse_indicators(text).indicators
    if [each.kind for each in indicators] != [kind]:
        raise ValueError(f"{text!r} is not an indicator of the kind {kind}")
    times = {name: _seconds(fields[name]) for name in _WATCH_TIMES}
    watch = msgspec.convert({**fields, **times, "indicator": indicators[0]}, Watch)
    _checked_id(watch.watch_id, "watch")
    return WatchDecision(watch, time, msgspec.convert(author, str))


def _checked_id(value: object, noun: str) -> str:
    """Return the id of a watch or hunt if it is valid. Raises ValueError.

    Ids are reused in webhook headers and in lists."""
    name = msgspec.convert(value, str)
    if not _RANDOM_ID.fullmatch(name):
        raise ValueError(f"{name!r} is not the id of a {noun}")
    return name


def _text(seconds: float | None) -> str | None:
    return None if seconds is None else format_time(seconds)


def _seconds(text: str | None) -> int | None:
    return None if text is None else _whole(text)


def _whole(text: str) -> int:
    seconds = parse_time(text)
    if seconds is None:
        raise ValueError(f"{text!r} is not a time")
    return seconds
