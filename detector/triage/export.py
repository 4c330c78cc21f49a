"""Exports of the hunt log as JSON Lines, CSV and Markdown.

Spreadsheets treat a cell that begins with ``=`` as a formula, and Markdown has links and HTML: both
are neutralised, since principals write some of the text. JSON Lines keep every string.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeVar

import msgspec

from detector.detection.event import Event
from detector.text.abbreviations import flag_name
from detector.text.json_output import json_lines
from detector.text.markdown import code, codes, plain
from detector.text.path_text import source_text
from detector.text.plural import plural
from detector.text.spreadsheet import csv_text
from detector.text.time import format_time
from detector.triage.note import Edit, Note, NoteBody

_A = TypeVar("_A")

NoteFormat = Literal["md", "jsonl", "csv"]


def export_notes(notes: Sequence[Note], format: NoteFormat) -> str:
    """Export notes in the order given."""
    if format == "jsonl":
        return json_lines(note_object(note) for note in notes)
    if format == "csv":
        note_rows = map(_note_row, notes)
        return csv_text(_NOTE_COLUMNS, ([row[name] for name in _NOTE_COLUMNS] for row in note_rows))
    return _report(notes)


def event_object(event: Event) -> dict[str, Any]:
    """Return the JSON object of an event, including its position."""
    fields = {name: getattr(event, name) for name in event.__struct_fields__ if name != "position"}
    return {**fields, "time": format_time(event.time), **position_object(event)}


def position_object(event: Event) -> dict[str, Any]:
    """Return the JSON object of a record's position.

    ``offset`` is its chunk's offset in decompressed bytes, ``index`` the record's index in the
    chunk."""
    position = event.position
    return {
        "source": source_text(position.source),
        "offset": position.offset,
        "index": position.index,
    }


_NOTE_COLUMNS = [
    "note_id",
    "created",
    "author",
    "verdict",
    "ticket",
    "owner",
    "principal",
    "accounts",
    "regions",
    "window_start",
    "window_end",
    "first_event",
    "last_event",
    "events",
    "denied",
    "flags",
    "source_addresses",
    "user_agents",
    "access_keys",
    "rule",
    "alert_id",
    "text",
    "edited",
]


def note_object(note: Note) -> dict[str, Any]:
    """Return the JSON object of a note."""
    context = note.context
    return {
        "note_id": note.note_id,
        "alert_id": note.alert_id,
        "created": format_time(note.created),
        "author": note.author,
        **msgspec.to_builtins(note.body),
        "context": {
            **msgspec.to_builtins(context),
            **{
                name: format_time(getattr(context, name))
                for name in ("start", "end", "first_event", "last_event")
            },
            "flags": [flag.as_json() for flag in context.flags],
        },
        "edited": _time_or(None, note.edited),
        "history": [_edit_object(edit) for edit in note.history],
    }


def _edit_object(edit: Edit) -> dict[str, Any]:
    body = msgspec.to_builtins(edit.body) if edit.body else {"undone": True}
    return {"at": format_time(edit.time), "author": edit.author, **body}


def _note_row(note: Note) -> dict[str, Any]:
    context, body = note.context, note.body
    return {
        "note_id": note.note_id,
        "created": format_time(note.created),
        "author": note.author,
        "verdict": body.verdict,
        "ticket": body.ticket,
        "owner": body.owner,
        "text": body.text,
        "principal": context.principal,
        "accounts": context.accounts,
        "regions": context.regions,
        "window_start": format_time(context.start),
        "window_end": format_time(context.end),
        "first_event": format_time(context.first_event),
        "last_event": format_time(context.last_event),
        "events": context.events,
        "denied": context.denied,
        "flags": [flag.flag for flag in context.flags],
        "source_addresses": context.source_addresses,
        "user_agents": context.user_agents,
        "access_keys": context.access_keys,
        "rule": context.rule,
        "alert_id": note.alert_id,
        "edited": _time_or("", note.edited),
    }


def _time_or(absent: _A, time: float | None) -> _A | str:
    return absent if time is None else format_time(time)


def _report(notes: Sequence[Note]) -> str:
    entries = "\n".join(_entry(note) for note in notes)
    return f"# Hunt log\n\n{plural(len(notes), 'entry')}.\n\n{entries}"


def _entry(note: Note) -> str:
    context, body = note.context, note.body
    denied = f", {context.denied} denied" if context.denied else ""
    facts = [
        ("Verdict", body.verdict),
        ("Ticket", plain(body.ticket)),
        ("Owner", plain(body.owner)),
        ("Principal", code(context.principal) or "no ARN"),
        ("Accounts", codes(context.accounts)),
        ("Regions", f"{len(context.regions)}: {codes(context.regions)}"),
        ("Window", f"{format_time(context.start)} to {format_time(context.end)}"),
        (
            "Events",
            f"{context.events} from {format_time(context.first_event)} "
            f"to {format_time(context.last_event)}{denied}",
        ),
        (
            "Flags",
            ", ".join(f"{flag_name(flag.flag)} ({flag.count})" for flag in context.flags) or "none",
        ),
        ("Access keys", codes(context.access_keys)),
        ("Source", codes(context.source_addresses)),
        ("User agent", codes(context.user_agents)),
        ("Rule", plain(context.rule)),
        ("Alert", note.alert_id),
    ]
    table = "".join(f"| {name} | {value} |\n" for name, value in facts if value)
    edited = "" if note.edited is None else f", edited {format_time(note.edited)}"
    quoted = "".join(f"> {plain(line)}\n" for line in body.text.splitlines())
    former = "".join(
        f"- until {format_time(end)}: {plain(_body_line(edit.body))} ({plain(edit.author)})\n"
        for edit, end in zip(note.history, _ends(note), strict=True)
    )
    return "\n".join(
        part
        for part in (
            f"## {code(context.principal) or 'No ARN'}, {format_time(context.first_event)}\n",
            f"Note {note.note_id}, {format_time(note.created)}, by {plain(note.author)}{edited}\n",
            f"| | |\n|---|---|\n{table}",
            quoted,
            former and f"Before:\n\n{former}",
        )
        if part
    )


def _ends(note: Note) -> list[float]:
    """Return the time at which each earlier version of the note ended."""
    return [
        *(edit.time for edit in note.history[1:]),
        *([note.edited] if note.edited is not None else []),
    ]


def _body_line(body: NoteBody | None) -> str:
    if body is None:
        return "taken back"
    return " · ".join(part for part in (body.verdict, body.ticket, body.owner, body.text) if part)
