"""What the analyst decides, written to the store off the event loop, then shown.

Every method raises what the store raises (one line: what happened and what to do), after which nothing has changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from detector.alert import Alert, Status
from detector.huntlog import Note, Suppression, Words
from tui.picture import Picture

if TYPE_CHECKING:
    from detector.store import Store


class Decisions:
    """``changed`` is called on the event loop after the picture has taken a result; ``rejudge`` where suppressions are
    others than before, which may bear on any number of alerts."""

    def __init__(
        self, store: Store, picture: Picture, *, changed: Callable[[], None], rejudge: Callable[[], None]
    ) -> None:
        self._store = store
        self._picture = picture
        self._changed = changed
        self._rejudge = rejudge
        self._undoable: list[dict[Status, list[str]]] = []

    async def set_status(self, alert_ids: Sequence[str], status: Status) -> None:
        before: dict[Status, list[str]] = {}
        for alert_id in alert_ids:
            before.setdefault(self._picture.alerts[alert_id].status, []).append(alert_id)
        await self._write_status(alert_ids, status)
        self._undoable.append(before)

    async def undo(self) -> int:
        """Take the latest change of status back; of how many alerts, 0 where there is none to take back."""
        if not self._undoable:
            return 0
        before = self._undoable[-1]
        for status, alert_ids in before.items():
            await self._write_status([i for i in alert_ids if i in self._picture.alerts], status)
        self._undoable.pop()
        return sum(map(len, before.values()))

    async def _write_status(self, alert_ids: Sequence[str], status: Status) -> None:
        self._picture.decide(await asyncio.to_thread(self._store.set_status, alert_ids, status))
        self._changed()

    async def add_note(self, alert: Alert, words: Words) -> Note:
        return self._noted(await asyncio.to_thread(self._store.add_note, alert, words))

    async def edit_note(self, note_id: int, words: Words) -> Note:
        return self._noted(await asyncio.to_thread(self._store.edit_note, note_id, words))

    async def suppress(self, suppression: Suppression) -> Suppression:
        return self._hid(await asyncio.to_thread(self._store.suppress, suppression))

    async def extend(self, suppression_id: str, expires: float) -> Suppression:
        return self._hid(await asyncio.to_thread(self._store.extend, suppression_id, expires))

    async def lift(self, suppression_id: str) -> Suppression:
        return self._hid(await asyncio.to_thread(self._store.lift, suppression_id))

    def _noted(self, note: Note) -> Note:
        self._picture.put_note(note)
        self._changed()
        return note

    def _hid(self, suppression: Suppression) -> Suppression:
        self._picture.put_suppression(suppression)
        self._changed()
        self._rejudge()
        return suppression
