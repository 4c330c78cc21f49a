"""The whole job by keyboard, over a restart."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest
from textual.pilot import Pilot

from detector.ingest.pipeline import Pipeline
from detector.rules.ruleset import load
from detector.sources.directory import Directory
from detector.store import Store
from tests.detector.trail import ANA
from tests.tui.stage import RULES, press, records, until, write
from tui.app.app import HuntApp
from tui.model.opened import Opened
from tui.screens.alert.screen import AlertScreen
from tui.screens.alerts.screen import AlertsScreen
from tui.widgets.row_list import RowList


async def sit_down(
    folder: Path, state: Path, journey: Callable[[HuntApp, Pilot[None]], Awaitable[None]]
) -> None:
    """Start trailhound on its state, with its own pipeline, until the journey ends."""
    store, rules = Store.open(state), load([RULES], builtin=False)
    try:
        opened = Opened(store, rules, partial(Pipeline, store, source=Directory([folder])))
        app = HuntApp(lambda: opened, "AWSLogs/")
        async with app.run_test(size=(160, 48)) as pilot:
            await until(
                pilot, lambda: app.is_open and app.view_model.loaded and app.view_model.live
            )
            assert isinstance(app.screen, AlertsScreen)
            await journey(app, pilot)
    finally:
        store.close()


def test_decisions_survive_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, state, out = tmp_path / "trail", tmp_path / "hunt.db", tmp_path / "out"
    out.mkdir()
    monkeypatch.chdir(out)
    write(folder, "111122223333_CloudTrail_us-east-1_20260301T1200Z_abc.json", records())

    async def first(app: HuntApp, pilot: Pilot[None]) -> None:
        rows = app.screen.query_one(RowList)
        ana = next(
            alert.alert_id for alert in app.view_model.alerts.values() if alert.principal == ANA
        )
        rows.move_to(ana)
        await press(pilot, "enter")
        assert isinstance(app.screen, AlertScreen)
        await until(pilot, lambda: len(app.screen.query_one("#calls", RowList).rows) == 10)
        await press(pilot, "c", "'Our own scan", "ctrl+s")
        await until(pilot, lambda: len(app.store.triage.notes()) == 1)
        await press(pilot, "x", "tab", "tab", "'told by the team", "ctrl+s")
        await until(pilot, lambda: len(app.store.suppressions.all()) == 1)

    async def second(app: HuntApp, pilot: Pilot[None]) -> None:
        [hidden] = [alert for alert in app.store.alerts.all() if alert.suppressed_by]
        assert hidden.principal == ANA
        assert ANA not in [alert.principal for alert in app.screen.query_one(RowList).rows]
        assert app.store.files.accounting().records_seen == len(records())  # nothing was read twice
        await press(pilot, "4")
        for right in range(3):  # md, jsonl, csv
            await press(pilot, "w", "tab", *["right"] * right, "ctrl+s")
            await until(pilot, lambda right=right: len(list(out.iterdir())) == right + 1)

    asyncio.run(sit_down(folder, state, first))
    asyncio.run(sit_down(folder, state, second))
    written = {path.suffix: path.read_text(encoding="utf-8") for path in out.iterdir()}
    assert "> Our own scan" in written[".md"]
    assert ANA in written[".md"]
    [note] = map(json.loads, written[".jsonl"].splitlines())
    assert (note["text"], note["context"]["principal"], len(note["context"]["regions"])) == (
        "Our own scan",
        ANA,
        10,
    )
    [row] = csv.DictReader(written[".csv"].splitlines())
    assert (row["text"], row["principal"], row["events"]) == ("Our own scan", ANA, "10")
