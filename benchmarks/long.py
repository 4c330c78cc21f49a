"""Operations on a long list: alerts, or the calls of a pivot."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from textual import work
from textual.pilot import Pilot

from benchmarks.app import SIZE
from benchmarks.keys import Holding
from benchmarks.lists import LongList, Step
from benchmarks.process import resident
from benchmarks.stopwatch import TICK, TimedApp, lateness
from benchmarks.synthetic_rows import alerts, calls
from detector.detection.principal import PrincipalNames, RelatedPrincipals
from detector.investigation.pivot import Pivot, Progress
from detector.rules.ruleset import load
from detector.simulate.organization import START
from detector.sources.directory import Directory
from detector.store import Store
from tui.screens.alerts.screen import AlertsScreen
from tui.screens.base.filtered_list import ListScreen
from tui.screens.pivot.reading import RowsRead
from tui.screens.pivot.rows import line_key
from tui.screens.pivot.screen import PivotScreen
from tui.widgets.row_list import RowList

_BATCH = 5_000
_KEYS = 30


async def try_out(state: Path, what: str, rows: int) -> LongList:
    """Show ``rows`` items of the kind ``what``, and work with the list as an analyst does.

    ``what`` is "alerts" or "calls".
    """
    state.with_name("nothing").mkdir(exist_ok=True)
    rules, store = load(), Store.open(state)
    count = rows if what == "alerts" else 1
    app = TimedApp(
        store, rules, Holding(store, rules, Directory([state.with_name("nothing")]), count)
    )
    steps: list[Step] = []
    before, after = resident(), 0

    async def hand(_: Pilot[object]) -> None:
        nonlocal before, after

        async def step(name: str, act: Callable[[], Any], over: Callable[[], bool]) -> None:
            async with lateness() as gaps:
                begun = time.perf_counter()
                given = act()
                if isinstance(given, Awaitable):
                    await given
                while not app.done(over):
                    await asyncio.sleep(TICK)
                steps.append(Step(name, time.perf_counter() - begun, gaps, []))

        try:
            while not app.done(lambda: app.is_open and app.view_model.loaded):
                await asyncio.sleep(TICK)
            if what == "calls":
                before = resident()
                await step(
                    "open",
                    lambda: app.push_screen(_Calls(rows)),
                    lambda: (
                        isinstance(app.screen, _Calls)
                        and app.screen._state == "done"
                        and _rest(app, rows)
                    ),
                )
            else:
                await step(
                    "open", lambda: None, lambda: len(app.view_model.alerts) == rows and _rest(app)
                )
            screen = app.screen
            assert isinstance(screen, AlertsScreen | PivotScreen)
            after = resident()
            other = (
                screen.action_group
                if isinstance(screen, PivotScreen)
                else screen.view_actions.action_reverse
            )
            await step("another order", other, lambda: _rest(app))
            await step("and back", other, lambda: _rest(app))
            await step(
                "filter: region=us-west-2",
                lambda: screen.filter_bar.apply("region=us-west-2"),
                lambda: _rest(app),
            )
            await step(
                "filter: a word that none has",
                lambda: screen.filter_bar.apply("nowhere"),
                lambda: _rest(app, 0),
            )
            await step("no filter", lambda: screen.filter_bar.apply(""), lambda: _rest(app))
            await step(
                "search: a word that none has",
                lambda: _search(screen.row_list),
                lambda: not _searching(app),
            )
            await _scroll(app, screen, steps)
        finally:
            app.exit()

    await app.run_async(size=SIZE, auto_pilot=hand)
    store.close()
    if app.return_code or len(steps) < 8:
        raise RuntimeError(f"the app ended early, after: {[it.what for it in steps]}")
    return LongList(what, rows, after - before, steps)


def _rest(app: TimedApp, rows: int | None = None) -> bool:
    """Whether no background work is pending, and the list has ``rows`` rows if given."""
    screen = app.screen
    assert isinstance(screen, AlertsScreen | PivotScreen)
    return screen.background.is_settled and (rows is None or len(screen.row_list.rows) == rows)


def _search(rows: RowList[Any]) -> None:
    rows.set_highlight(re.compile("nowhere"))
    rows.next_match()


def _searching(app: TimedApp) -> bool:
    return any(worker.group == "seek" and not worker.is_finished for worker in app.workers)


async def _scroll(app: TimedApp, screen: ListScreen[Any], steps: list[Step]) -> None:
    screen.row_list.set_highlight(None)
    async with lateness() as gaps:
        begun = time.perf_counter()
        keys = [
            await app.time_key(key) for key in ["pagedown", "G", "pageup", "g", "j"] * (_KEYS // 5)
        ]
        steps.append(Step("move through it", time.perf_counter() - begun, gaps, keys))


class _Calls(PivotScreen):
    """A pivot that returns ``count`` calls without reading files."""

    def __init__(self, count: int) -> None:
        wanted = Pivot(
            "all it did", RelatedPrincipals(PrincipalNames()), START, START + count, START
        )
        super().__init__((), next(alerts(0, 1)), wanted)
        self._count = count

    @work(thread=True)
    def _read(self, _: Pivot, stop: threading.Event) -> None:
        progress = Progress(0, 1, 0, 1)
        for first in range(0, self._count, _BATCH):
            batch = [(line_key(row), row) for row in calls(first, min(_BATCH, self._count - first))]
            self.post_message(RowsRead(stop, batch, progress, done=False))
        self.post_message(RowsRead(stop, (), Progress(1, 1, 1, 1), done=True))
