"""A note of the hunt log as text.

It shows the alert's state when the note was written, the note itself, and its former versions.
"""

from __future__ import annotations

from collections.abc import Iterator

from textual.content import Content

from detector.text.abbreviations import short_arn
from detector.triage.note import Note, NoteBody, NoteContext
from tui.presentation import format, safe
from tui.presentation.region_names import short_region
from tui.screens.base.fact_list import Line, facts

VERDICT_STYLE = {
    "escalated": "$text-error bold",
    "suspicious": "$text-warning",
    "benign": "$text-success",
    "undecided": "$foreground-muted",
}


def note_lines(note: Note) -> list[Line]:
    return [*_context(note.context), Content(""), *_written(note), *_history(note)]


def verdict(word: str) -> Content:
    return safe.text(word, VERDICT_STYLE.get(word, ""))


def _context(context: NoteContext) -> Iterator[Line]:
    yield safe.text(short_arn(context.principal) or "a caller without an ARN", "bold")
    events = format.time_range(context.first_event, context.last_event)
    if context.denied:
        events += f", {format.number(context.denied)} denied"
    yield from facts(
        ("arn", context.principal),
        ("account", ", ".join(context.accounts)),
        ("window", format.time_range(context.start, context.end)),
        ("events", f"{format.number(context.events)}, {events}"),
        ("regions", f"{len(context.regions)}: " + ", ".join(map(short_region, context.regions))),
        ("source", ", ".join(context.source_addresses)),
        ("agent", ", ".join(context.user_agents)),
        ("keys", ", ".join(context.access_keys)),
        ("flags", format.flag_counts(context.flags)),
        ("rule", context.rule),
        ("alert", _alert_text(context)),
    )


def _alert_text(context: NoteContext) -> str:
    if not context.alert_id:
        return "none: a note on the principal"
    return f"{context.alert_id}, revision {context.revision}"


def _written(note: Note) -> Iterator[Line]:
    edited = f", edited {format.full_time(note.edited)}" if note.edited else ""
    yield Content.assemble(
        verdict(note.body.verdict),
        safe.text(
            f"  {note.author}, {format.full_time(note.created)}{edited}", "$foreground-muted"
        ),
    )
    yield from facts(("ticket", note.body.ticket), ("owner", note.body.owner))
    if note.body.text:
        yield Content("")
        yield safe.text(note.body.text, lines=True, limit=100_000)


def _history(note: Note) -> Iterator[Content]:
    for edit in reversed(note.history):
        yield Content("")
        did = "wrote" if edit.body else "undid it"
        yield safe.text(f"{edit.author} {did}, {format.full_time(edit.time)}", "$foreground-muted")
        if edit.body:
            yield safe.text(_one_line(edit.body), "$foreground-muted", lines=True, limit=100_000)


def _one_line(words: NoteBody) -> str:
    return " · ".join(
        part for part in (words.verdict, words.ticket, words.owner, words.text) if part
    )
