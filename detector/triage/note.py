"""Notes: an analyst's texts and verdicts about alerts."""

from __future__ import annotations

from typing import Literal

import msgspec

from detector.detection.alert import Alert, Flag

Verdict = Literal["undecided", "benign", "suspicious", "escalated", "false-positive", "duplicate"]


VERDICTS: tuple[Verdict, ...] = (
    "undecided",
    "benign",
    "suspicious",
    "escalated",
    "false-positive",
    "duplicate",
)


UNDECIDED: Verdict = "undecided"


class NoteContext(msgspec.Struct, frozen=True):
    """What was known of the alert when the note was written.

    For a caller without an alert, ``alert_id`` and ``rule`` are empty and ``revision`` is 0."""

    alert_id: str
    revision: int
    rule: str
    principal: str
    accounts: list[str]
    regions: list[str]
    start: int
    end: int
    first_event: int
    last_event: int
    events: int
    source_addresses: list[str]
    user_agents: list[str]
    access_keys: list[str]
    denied: int
    flags: list[Flag]

    @classmethod
    def of(cls, alert: Alert) -> NoteContext:
        """Return the context of a note about an alert."""
        facets = alert.facets
        start, end = alert.shown_extent
        return cls(
            alert_id=alert.alert_id,
            revision=alert.revision,
            rule=alert.rule.name,
            principal=alert.principal,
            accounts=facets.accounts,
            regions=facets.regions,
            start=start,
            end=end,
            first_event=alert.first_event,
            last_event=alert.last_event,
            events=alert.event_count,
            source_addresses=facets.source_addresses,
            user_agents=facets.user_agents,
            access_keys=facets.access_keys,
            denied=facets.denied,
            flags=alert.flags,
        )


MAX_NAME = 100
"""Maximum characters of an assignee's name."""


def check_name(name: str) -> None:
    """Raise ValueError if a text is not a valid assignee name."""
    if name != name.strip() or not name.isprintable() or len(name) > MAX_NAME:
        raise ValueError(f"{name!r} is no name: write one line, at most {MAX_NAME} characters")


class NoteBody(msgspec.Struct, frozen=True):
    """The part of a note that the analyst writes."""

    text: str = ""
    verdict: Verdict = "undecided"
    ticket: str = ""
    owner: str = ""


class Edit(msgspec.Struct, frozen=True):
    """An earlier version of a note: what ``author`` wrote at ``time``.

    ``body`` is None if the author undid the note. Times are epoch seconds."""

    time: float = msgspec.field(name="at")
    author: str
    body: NoteBody | None = msgspec.field(name="words")


class Note(msgspec.Struct, frozen=True):
    """An entry of the hunt log; ``history`` is oldest first.

    ``alert_id`` is empty for a note on a caller without an alert."""

    note_id: int
    alert_id: str
    created: float
    author: str
    body: NoteBody = msgspec.field(name="words")
    context: NoteContext
    edited: float | None = None
    history: list[Edit] = []
    uid: str = ""
    """The id of the note in every state; ``note_id`` is its id in this one."""
    edited_by: str = ""
    """The author of the last edit."""
