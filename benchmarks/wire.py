"""Bytes written to the terminal for screens and key presses."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from textual.pilot import Pilot

from benchmarks.process import HOME, apart
from benchmarks.report import Report
from benchmarks.scale import Scale
from benchmarks.terminal import DrawnApp
from detector.ingest.pipeline import Pipeline
from detector.rules.ruleset import RuleSet, load
from detector.sources.directory import Directory
from detector.store import Store

SIZES = ((80, 24), (160, 48))
_MOVES = 20
_QUIET = 0.5
"""Seconds without output after which a screen is complete.

Longer than the cursor must rest for its full sentence to appear."""


@dataclass(frozen=True)
class Written:
    """Bytes written for each action.

    The actions are the first screen, a cursor move, opening an alert, going back, and an idle
    second.
    """

    first: int
    move: int
    opened: int
    back: int
    idle: int


def wire(_: Scale, folder: Path) -> Report:
    """Count bytes written for a screen, a key, an idle second."""
    counts = [apart(_written, folder / f"{width}.db", (width, height)) for width, height in SIZES]
    rows = [("bytes", *(f"{width}×{height}" for width, height in SIZES))]
    rows += [(said, *(f"{count(each):,}" for each in counts)) for said, count in _ROWS.items()]
    return Report("The wire: the simulated logs, already read", rows)


_ROWS: dict[str, Callable[[Written], int]] = {
    "first screen": lambda it: it.first,
    "the cursor moves": lambda it: it.move,
    "an alert is opened": lambda it: it.opened,
    "and left": lambda it: it.back,
    "an idle second": lambda it: it.idle,
}


def _written(state: Path, size: tuple[int, int]) -> Written:
    os.environ |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    rules, store, logs = load(), Store.open(state), HOME / "sample_logs"
    Pipeline(store, rules, Directory([logs])).scan(lambda _: None)
    try:
        return asyncio.run(
            _watch(CountingApp(store, rules, Pipeline(store, rules, Directory([logs]))), size)
        )
    finally:
        store.close()


async def _watch(app: CountingApp, size: tuple[int, int]) -> Written:
    counts: list[Written] = []

    async def hand(_: Pilot[object]) -> None:
        try:
            while not app.is_open or not app.view_model.live:
                await asyncio.sleep(_QUIET)
            first = await app.count()
            move = sum([await app.count("j") for _ in range(_MOVES)]) // _MOVES
            opened, back = await app.count("enter"), await app.count("escape")
            app.tick_once()
            counts.append(Written(first, move, opened, back, await app.count()))
        finally:
            app.exit()

    await app.run_async(size=size, auto_pilot=hand)
    return counts[0]


class CountingApp(DrawnApp):
    """An app that counts bytes written; its clock ticks only when told to."""

    def __init__(self, store: Store, rules: RuleSet, pipeline: Pipeline) -> None:
        super().__init__(store, rules, pipeline)
        self._bytes = 0

    async def count(self, key: str = "") -> int:
        """Press ``key`` and return the bytes written since the last count."""
        if key:
            self.simulate_key(key)
        before = -1
        while self._bytes != before:
            before = self._bytes
            await asyncio.sleep(_QUIET)
        counted, self._bytes = self._bytes, 0
        return counted

    def tick(self) -> None:
        pass

    def tick_once(self) -> None:
        super().tick()

    def written(self, text: str) -> None:
        self._bytes += len(text.encode())
