"""Work that ends while its screen is being removed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from tests.tui.stage import Hunt, press, until
from tui.app.app import HuntApp
from tui.screens.base.key_footer import KeyLine

WORK: dict[str, tuple[str, str]] = {
    "the calls of an alert": ("enter", "q"),
    "what a suppression would hide": ("x", "escape"),
    "the board of regions": ("b", "q"),
    "the calendar": ("D", "q"),
}
"""The key that starts the work, and the key that leaves its screen."""


@pytest.mark.parametrize("name", WORK)
def test_worker_of_closed_screen_ends_quietly(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, leave = WORK[name]
    held: list[asyncio.Event] = []
    to_thread = asyncio.to_thread

    async def hold(*work: Any) -> Any:
        done = await to_thread(*work)
        for gone in held:
            await gone.wait()
        return done

    async def go_last(line: KeyLine) -> None:
        """Once nothing else of the screen is left, the work ends."""
        assert line.parent is not None
        while held and len(line.parent.children) > 1:
            await asyncio.sleep(0)
        for gone in held:
            gone.set()
        for _ in range(20):
            await asyncio.sleep(0)

    monkeypatch.setattr(asyncio, "to_thread", hold)
    monkeypatch.setattr(KeyLine, "on_unmount", go_last, raising=False)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        depth = len(app.screen_stack)
        held.append(asyncio.Event())
        await press(pilot, begin)
        assert any(worker.is_running and worker.group != "ingest" for worker in app.workers)
        await press(pilot, leave)
        await until(pilot, held[0].is_set)
        assert len(app.screen_stack) <= depth

    Hunt(tmp_path).play(journey, by_clock=True)
