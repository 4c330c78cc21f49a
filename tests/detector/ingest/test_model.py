"""Decisions on a hunt of any length, against a model in plain Python.

Records arrive late, doubled and out of order, trailhound restarts, and old windows are evicted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from detector.detection.alert import Alert, Status
from detector.triage.note import NoteBody
from detector.triage.suppression import Suppression
from tests.detector.ingest.test_window_model import PEOPLE, Windows


class Hunt(Windows):
    """Decisions on the alerts of tumbling windows, which only grow."""

    def __init__(self) -> None:
        super().__init__()
        self.statuses: dict[str, Status] = {}
        self.notes: dict[int, list[str]] = {}
        self.suppressions: dict[str, Suppression] = {}

    # --- what the analyst does

    def _decide(self, choice: int, decide: Callable[[Alert], Any]) -> None:
        if alerts := self.store.alerts.all():
            decide(alerts[choice % len(alerts)])

    @rule(choice=st.integers(0, 99), status=st.sampled_from(["open", "acknowledged", "closed"]))
    def judge(self, choice: int, status: Status) -> None:
        def decide(alert: Alert) -> None:
            self.store.triage.set_status([alert.alert_id], status)
            self.statuses[alert.alert_id] = status

        self._decide(choice, decide)

    @rule(choice=st.integers(0, 99), text=st.sampled_from(["seen", "ours", "theirs"]))
    def note(self, choice: int, text: str) -> None:
        def decide(alert: Alert) -> None:
            (made,) = self.store.triage.add_notes([alert], NoteBody(text))
            self.notes[made.note_id] = [alert.alert_id, text]

        self._decide(choice, decide)

    @precondition(lambda self: self.notes)
    @rule(choice=st.integers(0, 99), text=st.sampled_from(["not so", "after all"]))
    def edit(self, choice: int, text: str) -> None:
        name = sorted(self.notes)[choice % len(self.notes)]
        self.store.triage.edit_note(name, NoteBody(text))
        if text != self.notes[name][-1]:
            self.notes[name].append(text)

    @rule(who=st.sampled_from(PEOPLE), seconds=st.sampled_from([200.0, 2000.0]))
    def suppress(self, who: str, seconds: float) -> None:
        wanted = Suppression(
            scope="principal",
            value=who,
            rule_id=None,
            created=0,
            expires=self.now + seconds,
            ticket="T-1",
            owner="",
            justification="",
            break_at=10_000,
            ignored_flags=["access-key"],
        )
        (made,) = self.store.triage.suppress([wanted])
        self.suppressions[made.suppression_id] = made

    @precondition(lambda self: self.suppressions)
    @rule(choice=st.integers(0, 99))
    def lift(self, choice: int) -> None:
        made = self._chosen(choice)
        self.store.triage.lift([made.suppression_id])
        if made.lifted is None:
            self._become(made, lifted=self.now)

    @precondition(lambda self: self.suppressions)
    @rule(choice=st.integers(0, 99), seconds=st.sampled_from([200.0, 2000.0]))
    def extend(self, choice: int, seconds: float) -> None:
        made = self._chosen(choice)
        if made.lifted is None:
            self.store.triage.extend([made.suppression_id], self.now + seconds)
            self._become(made, expires=self.now + seconds)

    def _chosen(self, choice: int) -> Suppression:
        return self.suppressions[sorted(self.suppressions)[choice % len(self.suppressions)]]

    def _become(self, made: Suppression, **changed: Any) -> None:
        self.suppressions[made.suppression_id] = msgspec.structs.replace(made, **changed)

    # --- what must be so of them

    @invariant()
    def what_was_decided_is_kept(self) -> None:
        alerts = self.store.alerts.all()
        assert self.statuses.items() >= {
            (alert.alert_id, alert.status) for alert in alerts if alert.status != "open"
        }
        assert {
            alert.alert_id: alert.status for alert in alerts if alert.alert_id in self.statuses
        } == self.statuses
        assert {
            note.note_id: [
                note.alert_id,
                *(edit.body.text for edit in note.history if edit.body),
                note.body.text,
            ]
            for note in self.store.triage.notes()
        } == self.notes
        assert {
            made.suppression_id: (made.expires, made.lifted)
            for made in self.store.suppressions.all()
        } == {name: (made.expires, made.lifted) for name, made in self.suppressions.items()}

    @invariant()
    def an_alert_is_hidden_while_something_hides_it(self) -> None:
        hiding = {
            name: made
            for name, made in self.suppressions.items()
            if made.lifted is None and made.created <= self.now < made.expires
        }
        for alert in self.store.alerts.all():
            those = {name for name, made in hiding.items() if made.value == alert.principal}
            assert alert.suppressed_by in (those or {None})


TestHunt = Hunt.TestCase
TestHunt.settings = settings(max_examples=8, stateful_step_count=25)
