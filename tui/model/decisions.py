"""Store, show and undo the analyst's decisions.

Every method raises the store's errors: one line that says what happened and what to do. In that
case nothing has changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from detector.detection.alert import Alert, Status
from detector.detection.indicator import Indicator
from detector.store import ALERT_KINDS, Decision, StateError, Store, UndoResult
from detector.text.abbreviations import short_arn
from detector.triage.caller import Caller
from detector.triage.note import Note, NoteBody
from detector.triage.suppression import Suppression
from detector.triage.watch import Watch, WatchRow
from tui.keymap import key_of
from tui.model.hunt_decisions import HuntDecisions, name_of_part
from tui.presentation import format, safe

if TYPE_CHECKING:
    from detector.rules.ruleset import RuleSet
    from tui.model.repeat import LastAction
    from tui.model.view_model import ViewModel
    from tui.settings.form_draft import FormDraftFile

_PHRASES = {
    "acknowledged": ("acknowledged", "alert"),
    "closed": ("resolved", "alert"),
    "reopened": ("reopened", "alert"),
    "assigned": ("assigned", "alert"),
    "unassigned": ("unassigned", "alert"),
    "note": ("note added to", "alert"),
    "note-edited": ("edited the note on", "alert"),
    "created": ("suppressed", "value"),
    "extended": ("extended the suppression of", "value"),
    "lifted": ("ended the suppression of", "value"),
    "hunt begun": ("began the hunt", "hunt"),
    "hunt edited": ("edited the hunt", "hunt"),
    "hunt concluded": ("concluded the hunt", "hunt"),
    "hunt reopened": ("reopened the hunt", "hunt"),
    "query saved": ("saved a query of", "hunt"),
    "finding attached": ("attached to", "hunt"),
    "removed from hunt": ("removed from", "hunt"),
    "watched": ("watched for", "indicator"),
    "watch acknowledged": ("acknowledged", "watch"),
    "watch ended": ("ended the watch for", "indicator"),
    "rule on": ("enabled", "rule"),
    "rule off": ("disabled", "rule"),
    "ignored": ("ignored", "file"),
    "retry": ("queued for retry", "file"),
}
"""For each action of the store: its verb phrase, and the noun for its subjects."""

_UNDO_PHRASES = {"undo": "Undone", "redo": "Redone"}

_OLD_SECONDS = 3600
"""Age above which an undone decision is described with its time."""

_NAMES = 2
"""Maximum number of unchanged subjects named in a message."""


_Value = TypeVar("_Value", bound=str)


class DecisionHost(Protocol):
    """What a decision changes in addition to the store."""

    store: Store
    rules: RuleSet
    view_model: ViewModel
    now: Callable[[], float]

    def notify_changed(self) -> None:
        """Tell the current screen that the view model has changed."""

    def reload(self) -> None:
        """Read the store again."""

    def reapply_suppressions(self) -> None:
        """Apply the current suppressions to the alerts shown."""

    def use_rules(self, rules: RuleSet) -> None:
        """Use these rules from the next sweep on."""

    def recheck_quarantine(self) -> None:
        """Recheck the quarantined files. Blocks: call it in a thread."""


class Decisions:
    """Stores decisions, and shows them in the view model of ``host``."""

    def __init__(self, host: DecisionHost) -> None:
        self._host = host
        self.draft: FormDraftFile | None = None
        """The file that keeps a form while it is being filled in; None keeps nothing."""
        self.last: dict[str, LastAction] = {}
        """The latest action for each kind of rows, by the noun of the rows."""
        self.hunts = HuntDecisions(host, self._leave)
        self._overtaken = ""
        """Text on what the latest decision left alone because others had changed it meanwhile."""

    @property
    def way_back(self) -> str:
        """The words that follow the report of a decision, ending with how to undo it."""
        return f"{self._overtaken}{key_of('undo')} undoes"

    async def set_status(self, alerts: Sequence[Alert], status: Status) -> None:
        """Set the status of each alert."""
        shown = {alert.alert_id: alert.status for alert in alerts}
        changed = await self._decide(self._host.store.triage.set_status, status, shown)
        overtaken = [alert for alert in changed if alert.status != status]
        self._leave(
            [f"{format.principal(alert)} is {alert.status}" for alert in overtaken], len(alerts)
        )

    async def assign(self, alerts: Sequence[Alert], name: str) -> None:
        """Assign each alert to ``name``; an empty name removes the assignment."""
        shown = {alert.alert_id: alert.assignee for alert in alerts}
        changed = await self._decide(self._host.store.triage.assign, name, shown)
        overtaken = [alert for alert in changed if alert.assignee != name]
        self._leave(
            [
                f"{format.principal(alert)} is {safe.visible(alert.assignee) or 'nobody'}'s"
                for alert in overtaken
            ],
            len(alerts),
        )

    async def _decide(
        self,
        write: Callable[[Sequence[str], _Value, Mapping[str, _Value]], list[Alert]],
        value: _Value,
        shown: Mapping[str, _Value],
    ) -> list[Alert]:
        """Write a value to alerts, and return them as they are now.

        ``shown`` has the value that the analyst saw, by alert id.
        """
        changed = await asyncio.to_thread(write, list(shown), value, shown)
        self._host.view_model.replace_alerts(changed)
        self._host.notify_changed()
        return changed

    async def add_notes(self, alerts: Sequence[Alert], body: NoteBody) -> None:
        """Write the same note on every alert, or on none."""
        notes = await asyncio.to_thread(self._host.store.triage.add_notes, alerts, body)
        self._overtaken = ""
        await self._show_notes(notes)

    async def add_caller_notes(self, callers: Sequence[Caller], body: NoteBody) -> None:
        """Write the same note on every caller, or on none."""
        notes = await asyncio.to_thread(self._host.store.triage.add_caller_notes, callers, body)
        self._overtaken = ""
        await self._show_notes(notes)

    async def edit_note(self, shown: Note, body: NoteBody) -> None:
        """Replace the body of a note; versions that others wrote meanwhile are kept."""
        note = await asyncio.to_thread(self._host.store.triage.edit_note, shown.note_id, body)
        self._overtaken = ""
        if note.history and note.history[-1].body != shown.body:
            author = safe.visible(note.history[-1].author)
            self._overtaken = f"{author} changed it meanwhile; both changes are kept; "
        await self._show_notes([note])

    async def suppress(self, suppressions: Sequence[Suppression]) -> None:
        """Create suppressions."""
        created = await asyncio.to_thread(self._host.store.triage.suppress, suppressions)
        self._overtaken = ""
        self._show_suppressions(created)

    async def extend(self, suppressions: Sequence[Suppression], expires: float) -> None:
        """Set a new expiry, in epoch seconds, for suppressions."""
        shown = {each.suppression_id: each for each in suppressions}
        extend = self._host.store.triage.extend
        extended = await asyncio.to_thread(extend, list(shown), expires, shown)
        self._show_suppressions(extended)
        self._leave([each.value for each in extended if each.expires != expires], len(extended))

    async def lift(self, suppressions: Sequence[Suppression]) -> None:
        """End suppressions now."""
        shown = {each.suppression_id: each for each in suppressions}
        lifted = await asyncio.to_thread(self._host.store.triage.lift, list(shown), shown)
        self._show_suppressions(lifted)
        self._leave([each.value for each in lifted if not each.over], len(lifted))

    async def watch(self, indicators: Sequence[Indicator]) -> list[Watch]:
        """Watch for indicators; return the watches that are new."""
        created = await asyncio.to_thread(self._host.store.watches.add, indicators)
        await self._show_watches()
        return created

    async def acknowledge_watches(self, rows: Sequence[WatchRow]) -> None:
        """Mark what watches have seen as acknowledged."""
        ids = [row.watch.watch_id for row in rows]
        await asyncio.to_thread(self._host.store.watches.acknowledge, ids)
        await self._show_watches()

    async def lift_watches(self, rows: Sequence[WatchRow]) -> None:
        """End watches."""
        ids = [row.watch.watch_id for row in rows]
        await asyncio.to_thread(self._host.store.watches.lift, ids)
        await self._show_watches()

    async def switch_rules(self, rule_ids: Sequence[str], on: bool) -> None:
        """Switch rules on or off."""
        await asyncio.to_thread(self._host.store.rules.switch, rule_ids, on)
        self._overtaken = ""
        self._host.use_rules(self._host.rules)

    async def retry(self, paths: Sequence[str]) -> None:
        """Read these quarantined files again."""
        left = await asyncio.to_thread(self._host.store.quarantine.retry, paths)
        await self._recheck_quarantine()
        self._leave(left, len(paths))

    async def ignore(self, paths: Sequence[str]) -> None:
        """Count these quarantined files as skipped."""
        left = await asyncio.to_thread(self._host.store.quarantine.ignore, paths)
        await self._recheck_quarantine()
        self._leave(left, len(paths))

    async def undo(self) -> str:
        """Undo the latest decision; return a one-line report."""
        result = await self._apply(self._host.store.undo)
        if result is None:
            return "Nothing to undo"
        return self._report(result, "undo", f"{key_of('redo')} redoes")

    async def redo(self) -> str:
        """Redo the decision undone last; return a one-line report."""
        result = await self._apply(self._host.store.redo)
        if result is None:
            return "Nothing to redo"
        self._overtaken = ""
        return self._report(result, "redo", self.way_back)

    def _leave(self, overtaken: Sequence[str], count: int) -> None:
        """Record which of ``count`` subjects were left alone because others had changed them.

        Raises StateError if all of them were.
        """
        names = format.first_values(list(overtaken), _NAMES)
        if overtaken and len(overtaken) == count:
            raise StateError(f"Not done: changed meanwhile: {names}")
        self._overtaken = f"changed meanwhile and left as is: {names}; " if overtaken else ""

    async def _apply(self, change: Callable[[], UndoResult | None]) -> UndoResult | None:
        """Undo or redo in the store, and show what changed."""
        result = await asyncio.to_thread(change)
        if result is None or not result.subjects:
            return result
        if "rule" in result.kinds:
            self._host.use_rules(self._host.rules)
        elif "file" in result.kinds:
            await self._recheck_quarantine()
        elif not ALERT_KINDS.isdisjoint(result.kinds):
            self._host.view_model.replace_alerts(result.alerts)
            self._host.notify_changed()
        else:
            self._host.reload()
        return result

    def _report(self, result: UndoResult, did: Literal["undo", "redo"], way_back: str) -> str:
        decision, past = self._describe(result.decision), _UNDO_PHRASES[did]
        names = [self._name(each) for each in result.unchanged]
        if "hunt" in result.kinds:
            names = [name_of_part(each) for each in result.unchanged]
        unchanged = format.first_values(names, _NAMES)
        if not result.subjects:
            return f"Could not {did}: changed since ({unchanged})"
        if result.unchanged:
            return (
                f"{past}: {decision}, {len(result.subjects)} of {result.decision.count}; "
                f"not where changed since ({unchanged}); {way_back}"
            )
        return f"{past}: {decision} – {way_back}"

    def _describe(self, decision: Decision) -> str:
        """Describe a decision: ``closed user/ana``, ``noted on 3 alerts``."""
        verb, noun = _PHRASES[decision.action]
        subject = short_arn(decision.subject_name) or format.plural(decision.count, noun)
        if self._host.now() - decision.time > _OLD_SECONDS:
            return f"{verb} {subject} ({format.date_time(decision.time)})"
        return f"{verb} {subject}"

    def _name(self, subject: str) -> str:
        """Return the analyst's name for a subject that the store knows by its id."""
        view_model = self._host.view_model
        alert = view_model.alerts.get(subject)
        if alert is not None:
            return format.principal(alert)
        for suppression in view_model.suppressions:
            if suppression.suppression_id == subject:
                return suppression.value
        return subject

    async def _show_watches(self) -> None:
        self._overtaken = ""
        self._host.view_model.replace_watches(await asyncio.to_thread(self._host.store.watches.all))
        self._host.notify_changed()

    async def _recheck_quarantine(self) -> None:
        await asyncio.to_thread(self._host.recheck_quarantine)
        self._host.reload()

    async def _show_notes(self, notes: Sequence[Note]) -> None:
        """Show notes, and their alerts as the notes have changed them."""
        get_alerts = self._host.store.alerts.get_all
        alerts = await asyncio.to_thread(get_alerts, [note.alert_id for note in notes])
        for note in notes:
            self._host.view_model.put_note(note)
        self._host.view_model.replace_alerts(alerts)
        self._host.notify_changed()

    def _show_suppressions(self, suppressions: Sequence[Suppression]) -> None:
        for suppression in suppressions:
            self._host.view_model.put_suppression(suppression)
        self._host.notify_changed()
        self._host.reapply_suppressions()
