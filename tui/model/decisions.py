"""What the analyst decides, written to the store off the event loop, then shown; and the way back.

Every method raises what the store raises (one line: what happened and what to do), after which nothing has changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from detector.detection.alert import Alert, Status
from detector.store import Decision, Store, UndoResult
from detector.text.abbreviations import short_arn
from detector.triage.note import Note, NoteBody
from detector.triage.suppression import Suppression
from tui.keymap import key_of
from tui.presentation import format

if TYPE_CHECKING:
    from detector.rules.ruleset import RuleSet
    from tui.model.repeat import LastAction
    from tui.model.view_model import ViewModel

_SAID = {
    "acknowledged": ("acknowledged", "alert"),
    "closed": ("closed", "alert"),
    "reopened": ("reopened", "alert"),
    "note": ("noted on", "alert"),
    "note-edited": ("changed the note on", "alert"),
    "created": ("suppressed", "value"),
    "extended": ("extended the suppression of", "value"),
    "lifted": ("lifted the suppression of", "value"),
    "rule on": ("switched on", "rule"),
    "rule off": ("switched off", "rule"),
    "ignored": ("ignored", "file"),
    "retry": ("sent to be read again", "file"),
}
"""How the store's kinds of decision are said, and on what each is made."""

_OLD = 3600
"""Seconds after which a decision is taken back with the time at which it was made."""


class DecisionHost(Protocol):
    """What a decision changes beside the store."""

    store: Store
    rules: RuleSet
    view_model: ViewModel
    now: Callable[[], float]

    def publish(self) -> None:
        """Let the screen in front draw the changed view model."""

    def reload(self) -> None:
        """Read the store again."""

    def rejudge(self) -> None:
        """Judge every alert by the suppressions as they are now."""

    def use_rules(self, rules: RuleSet) -> None:
        """Search by these rules from the next sweep on."""

    def reconsider(self) -> None:
        """Read files of the quarantine as decided. Blocks: call it in a thread."""


class Decisions:
    """Decisions, written to the store of ``host`` and shown in its view model."""

    def __init__(self, host: DecisionHost) -> None:
        self._host = host
        self.last: dict[str, LastAction] = {}
        """What was done last, by the kind of row that it was done to."""

    @property
    def way_back(self) -> str:
        """What is said after a decision."""
        return f"{key_of('undo')} takes it back"

    async def set_status(self, alerts: Sequence[Alert], status: Status) -> None:
        ids = [alert.alert_id for alert in alerts]
        self._host.view_model.decide(
            await asyncio.to_thread(self._host.store.triage.set_status, ids, status)
        )
        self._host.publish()

    async def add_notes(self, alerts: Sequence[Alert], words: NoteBody) -> None:
        """The same words on each, or on none."""
        self._noted(await asyncio.to_thread(self._host.store.triage.add_notes, alerts, words))

    async def edit_note(self, note_id: int, words: NoteBody) -> None:
        self._noted([await asyncio.to_thread(self._host.store.triage.edit_note, note_id, words)])

    async def suppress(self, suppressions: Sequence[Suppression]) -> None:
        self._hid(await asyncio.to_thread(self._host.store.triage.suppress, suppressions))

    async def extend(self, suppressions: Sequence[Suppression], expires: float) -> None:
        ids = [each.suppression_id for each in suppressions]
        self._hid(await asyncio.to_thread(self._host.store.triage.extend, ids, expires))

    async def lift(self, suppressions: Sequence[Suppression]) -> None:
        ids = [each.suppression_id for each in suppressions]
        self._hid(await asyncio.to_thread(self._host.store.triage.lift, ids))

    async def switch_rules(self, rule_ids: Sequence[str], on: bool) -> None:
        await asyncio.to_thread(self._host.store.rules.switch, rule_ids, on)
        self._host.use_rules(self._host.rules)

    async def retry(self, paths: Sequence[str]) -> None:
        """Read these files of the quarantine again."""
        await asyncio.to_thread(self._host.store.quarantine.retry, paths)
        await self._requalified()

    async def ignore(self, paths: Sequence[str]) -> None:
        """Count these files of the quarantine as skipped."""
        await asyncio.to_thread(self._host.store.quarantine.ignore, paths)
        await self._requalified()

    async def undo(self) -> str:
        """Take the latest decision back; the line that says so."""
        turned = await self._turn(self._host.store.undo)
        back = f"{key_of('redo')} does it again"
        return self._line(turned, "Undone", back) if turned else "Nothing to undo"

    async def redo(self) -> str:
        """Make the decision again that was taken back last; the line that says so."""
        turned = await self._turn(self._host.store.redo)
        return self._line(turned, "Done again", self.way_back) if turned else "Nothing to do again"

    async def _turn(self, turn: Callable[[], UndoResult | None]) -> UndoResult | None:
        turned = await asyncio.to_thread(turn)
        if turned is None or not turned.subjects:
            return turned
        if "rule" in turned.kinds:
            self._host.use_rules(self._host.rules)
        elif "file" in turned.kinds:
            await self._requalified()
        elif "status" in turned.kinds:
            self._host.view_model.decide(turned.alerts)
            self._host.publish()
        else:
            self._host.reload()
        return turned

    def _line(self, turned: UndoResult, did: str, back: str) -> str:
        said, left = (
            self._told(turned.decision),
            format.first_values([self._name(each) for each in turned.unchanged], 2),
        )
        if not turned.subjects:
            return f"Not {did.lower()}: {said}; changed since: {left}"
        if turned.unchanged:
            return (
                f"{did} for {len(turned.subjects)} of {turned.decision.count}: {said}; "
                f"changed since, and left so: {left}; {back}"
            )
        return f"{did}: {said}; {back}"

    def _told(self, decision: Decision) -> str:
        """``closed user/ana``, ``noted on 3 alerts``; with the time where that is a while ago."""
        verb, noun = _SAID[decision.action]
        about = short_arn(decision.subject_name) or format.plural(decision.count, noun)
        old = self._host.now() - decision.time > _OLD
        return f"{verb} {about}" + (f" ({format.date_time(decision.time)})" if old else "")

    def _name(self, subject: str) -> str:
        """What an analyst calls what the store knows by ``subject``."""
        view_model = self._host.view_model
        if alert := view_model.alerts.get(subject):
            return format.principal(alert)
        return next(
            (made.value for made in view_model.suppressions if made.suppression_id == subject),
            subject,
        )

    async def _requalified(self) -> None:
        await asyncio.to_thread(self._host.reconsider)
        self._host.reload()

    def _noted(self, notes: Sequence[Note]) -> None:
        for note in notes:
            self._host.view_model.put_note(note)
        self._host.publish()

    def _hid(self, suppressions: Sequence[Suppression]) -> None:
        for suppression in suppressions:
            self._host.view_model.put_suppression(suppression)
        self._host.publish()
        self._host.rejudge()
