"""Notes: what an analyst writes about an alert, with a verdict."""

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


class NoteContext(msgspec.Struct, frozen=True):
    """What the alert knew when a note was written, kept with the note."""

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
        facets = alert.facets
        return cls(
            alert_id=alert.alert_id,
            revision=alert.revision,
            rule=alert.rule.name,
            principal=alert.principal,
            accounts=facets.accounts,
            regions=facets.regions,
            start=alert.start,
            end=alert.window.end if alert.window else alert.last_event,
            first_event=alert.first_event,
            last_event=alert.last_event,
            events=alert.event_count,
            source_addresses=facets.source_addresses,
            user_agents=facets.user_agents,
            access_keys=facets.access_keys,
            denied=facets.denied,
            flags=alert.flags,
        )


class NoteBody(msgspec.Struct, frozen=True):
    """The analyst's part of a note."""

    text: str = ""
    verdict: Verdict = "undecided"
    ticket: str = ""
    owner: str = ""


class Edit(msgspec.Struct, frozen=True):
    """A former state of a note: ``author`` wrote ``words`` at ``at`` (epoch seconds); None: took it
    back."""

    at: float
    author: str
    body: NoteBody | None = msgspec.field(name="words")


class Note(msgspec.Struct, frozen=True):
    """One entry of the hunt log. ``history`` holds what it said before, oldest first."""

    note_id: int
    alert_id: str
    created: float
    author: str
    body: NoteBody = msgspec.field(name="words")
    context: NoteContext
    edited: float | None = None
    history: list[Edit] = []
