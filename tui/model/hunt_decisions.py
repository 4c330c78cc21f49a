"""Store decisions on hunts, and show them in the view model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from detector.investigation.hunts.run import HuntResult, remember_run
from detector.triage.hunt_record import HuntFinding, HuntQuery, HuntRecord

if TYPE_CHECKING:
    from detector.store import Store
    from tui.model.view_model import ViewModel


class HuntHost(Protocol):
    """What a decision on a hunt changes in addition to the store."""

    store: Store
    view_model: ViewModel

    def notify_changed(self) -> None:
        """Tell the current screen that the view model has changed."""


class HuntDecisions:
    """Decisions on hunts; each raises the store's errors, and ValueError for invalid text.

    Parts that others have changed since the hunt was shown are left alone; ``left`` receives the
    names of those parts and the number of parts in the decision.
    """

    def __init__(self, host: HuntHost, left: Callable[[Sequence[str], int], None]) -> None:
        self._host = host
        self._left = left

    async def begin(
        self, texts: Mapping[str, str], queries: Sequence[HuntQuery] = ()
    ) -> HuntRecord:
        """Begin a hunt."""
        hunt = await asyncio.to_thread(self._host.store.hunts.create, texts, queries)
        await self._show()
        return hunt

    async def edit(self, shown: HuntRecord, texts: Mapping[str, str]) -> None:
        """Replace the texts of a hunt that differ from those shown."""
        changed = {part: text for part, text in texts.items() if text != shown.texts.get(part, "")}
        await self._change(lambda: self._host.store.hunts.edit(shown, changed), len(changed))

    async def conclude(self, shown: HuntRecord, conclusion: str) -> None:
        """End a hunt."""
        await self._change(lambda: self._host.store.hunts.conclude(shown, conclusion), 2)

    async def reopen(self, hunts: Sequence[HuntRecord]) -> None:
        """Reopen concluded hunts."""
        for shown in hunts:
            await self._change(lambda shown=shown: self._host.store.hunts.reopen(shown), 1)  # type: ignore[misc]

    async def save_query(self, shown: HuntRecord, query: HuntQuery) -> None:
        """Save a query of a hunt."""
        await self._change(lambda: self._host.store.hunts.save_query(shown, query), 1)

    async def attach(self, hunt_id: str, findings: Iterable[HuntFinding]) -> list[HuntFinding]:
        """Attach findings to a hunt; return those that are new to it."""
        added = await asyncio.to_thread(self._host.store.hunts.attach, hunt_id, findings)
        await self._show()
        return added

    async def remove(self, shown: HuntRecord, parts: Sequence[str]) -> None:
        """Remove queries and findings from a hunt."""
        await self._change(lambda: self._host.store.hunts.remove(shown, parts), len(parts))

    async def remember_run(self, hunt: HuntRecord, query: HuntQuery, result: HuntResult) -> None:
        """Store the result of running one of the hunt's queries."""
        await asyncio.to_thread(remember_run, self._host.store, hunt, query, result)
        await self._show()

    async def _change(self, change: Callable[[], list[str]], count: int) -> None:
        overtaken = await asyncio.to_thread(change)
        await self._show()
        self._left([name_of_part(f"/{part}") for part in overtaken], count)

    async def _show(self) -> None:
        self._left((), 0)
        hunts = await asyncio.to_thread(self._host.store.hunts.all)
        self._host.view_model.replace_hunts(hunts)
        self._host.notify_changed()


def name_of_part(subject: str) -> str:
    """Name the part of a hunt that the store knows by ``subject``: ``hypothesis``, ``query``."""
    return subject.partition("/")[2].partition(":")[0]
