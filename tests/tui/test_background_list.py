"""A list that is built in a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.hostile.payloads import screen_text
from tests.tui.build import alert
from tests.tui.stage import ANA, CAT, Hunt, press, until
from tui.app.app import HuntApp
from tui.concurrency.job import Cancelled, Job
from tui.screens.alerts.rows import AlertRowBuilder, AlertRows, RowQuery
from tui.screens.alerts.screen import AlertsScreen
from tui.screens.base import background_list

_PATIENCE = 30.0
NEWEST = 3 * 3600


class BuildGate:
    """A gate that holds builds back until it is opened.

    ``queries`` are the builds asked for, ``threads`` those they ran in, ``row_counts`` the rows of
    each result. ``ignores_cancel``: a build does not notice that it is cancelled.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.queries: list[RowQuery] = []
        self.threads: set[int] = set()
        self.row_counts: list[int] = []
        self.open = threading.Event()
        self.ignores_cancel = False
        self.open.set()
        build: Callable[[AlertRowBuilder, RowQuery, Job], AlertRows] = AlertRowBuilder.build

        def gated(builder: AlertRowBuilder, query: RowQuery, job: Job) -> AlertRows:
            self.queries.append(query)
            self.threads.add(threading.get_ident())
            while not self.open.wait(0.01):
                if job.cancelled and not self.ignores_cancel:
                    raise Cancelled
            rows = build(builder, query, Job() if self.ignores_cancel else job)
            self.row_counts.append(len(rows.rows))
            return rows

        monkeypatch.setattr(AlertRowBuilder, "build", gated)
        monkeypatch.setattr(background_list, "_SYNCHRONOUS_ROWS", -1)
        monkeypatch.setattr(background_list, "_REST_FACTOR", 0)
        monkeypatch.setattr(background_list, "_PROGRESS_AFTER", 0.01)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> BuildGate:
    return BuildGate(monkeypatch)


@pytest.fixture
def hunt(tmp_path: Path) -> Hunt:
    return Hunt(tmp_path)


def screen(app: HuntApp) -> AlertsScreen:
    assert isinstance(app.screen, AlertsScreen)
    return app.screen


def principals(app: HuntApp) -> list[str]:
    return [row.principal for row in screen(app).row_list.rows]


async def at_rest(app: HuntApp, pilot: Pilot[None], rows: int = 4) -> None:
    await until(
        pilot,
        lambda: len(screen(app).row_list.rows) == rows and screen(app).background.is_settled,
    )


def test_build_runs_in_thread_and_stale_result_is_dropped(
    hunt: Hunt, gate: BuildGate, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await at_rest(app, pilot)
        gate.open.clear()
        gate.ignores_cancel = True
        gate.row_counts.clear()
        counts = set[int]()
        show = screen(app).row_list.show
        monkeypatch.setattr(
            screen(app).row_list,
            "show",
            lambda rows, keys: (counts.add(len(rows)), show(rows, keys)),
        )
        await press(pilot, "f", "'qq")
        await until(pilot, lambda: gate.queries[-1].matches is not None)
        assert len(principals(app)) == 4, "the list as it was stands until the new one is there"
        await press(pilot, "escape", "f", "'ana", "enter")
        gate.open.set()
        await at_rest(app, pilot, 1)
        assert principals(app) == [ANA]
        assert gate.row_counts == [0, 1], "q was looked for to the end, qq never"
        assert counts == {1}, "but what was found of q was never shown"
        assert "1 of 4" in screen_text(app)
        assert threading.get_ident() not in gate.threads

    hunt.play(journey)


def test_long_sort_shows_progress_and_can_be_given_up(hunt: Hunt, gate: BuildGate) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await at_rest(app, pilot)
        before = principals(app)
        gate.open.clear()
        await press(pilot, "S")
        await until(pilot, lambda: "arranging 0%   esc stops" in screen_text(app))
        await press(pilot, "escape")
        assert "esc stops" not in screen_text(app)
        assert [query.reverse for query in gate.queries[-2:]] == [True, False]
        gate.open.set()
        await at_rest(app, pilot)
        assert principals(app) == before
        assert not gate.queries[-1].reverse
        await press(pilot, "S")
        await until(pilot, lambda: principals(app) == before[::-1])

    hunt.play(journey)


def test_marked_rows_do_not_move(hunt: Hunt, gate: BuildGate) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await at_rest(app, pilot)
        before, rows = principals(app), screen(app).row_list
        await press(pilot, "j", "space")
        await hunt.arrive(
            app,
            pilot,
            hunt.update(*(alert(f"new-{index}", at=NEWEST + index) for index in range(123))),
        )
        await until(pilot, lambda: "+123 new" in screen_text(app))
        assert principals(app) == before
        assert (len(rows.marks), rows.cursor_index) == (1, 2)
        await press(pilot, "S")
        await until(pilot, lambda: len(rows.rows) == 127)
        assert len(rows.marks) == 1, "what the analyst asks for is done, and the marks stay"
        await hunt.arrive(app, pilot, hunt.update(alert("newest", at=NEWEST + 999)))
        await until(pilot, lambda: "+1 new" in screen_text(app))
        await press(pilot, "space", "k", "space", "escape")
        await at_rest(app, pilot, 128)
        assert "new" not in screen_text(app).splitlines()[1]

    hunt.play(journey, size=(160, 30))


def test_finished_build_is_not_shown_under_form(hunt: Hunt, gate: BuildGate) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await at_rest(app, pilot)
        alerts = screen(app)
        before = list(alerts.row_list.keys)
        gate.open.clear()
        await hunt.arrive(app, pilot, hunt.update(alert("new", at=NEWEST)))
        await until(pilot, lambda: "new" in gate.queries[-1].alerts)
        await press(pilot, "c")
        gate.open.set()
        await until(pilot, lambda: alerts.background.is_settled)
        await hunt.arrive(app, pilot, hunt.update(alert("newer", at=NEWEST + 1)))
        assert list(alerts.row_list.keys) == before
        await press(pilot, "escape")
        await at_rest(app, pilot, 6)
        assert alerts.row_list.cursor_row.principal == CAT

    hunt.play(journey)
