"""Take the documentation's pictures: ``python -m docs.screenshots``.

They show ``sample_logs`` by a clock that stands still, in a folder that is the same everywhere and
in a state that goes afterwards, so that the same program gives the same pictures, and a change of
them is a change of the app.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from textual.pilot import Pilot

from detector.ingest import pipeline
from detector.rules.ruleset import load
from detector.sources.directory import Directory
from detector.store import Store
from detector.text.time import parse_time
from tui.app.app import HuntApp
from tui.model.opened import Opened
from tui.screens.alert.screen import AlertScreen
from tui.screens.alerts.screen import AlertsScreen
from tui.screens.pivot.screen import PivotScreen
from tui.terminal import screenshot
from tui.widgets.row_list import RowList

REPOSITORY = Path(__file__).parents[1]
TRAIL, RULES = Path("/tmp/trail/AWSLogs"), Path("/tmp/trail/rules")
"""Where the logs and the rules are while the pictures are taken, for their paths are in them."""
IMAGES = Path(__file__).with_name("images")
SIZE = (120, 32)

_NOW = "2026-03-01T13:02:00Z"
_TURNS = 5_000
"""Turns of the event loop that something may take to come on screen."""

_ATTACK = "user/ci-deploy"
"""The principal of the sample logs' worst sweep, as the list writes it."""

_THEN = "CreateAccessKey →"
"""What the line on an alert says once what its principal did has been read."""


def main() -> None:
    os.environ.update(TZ="UTC", LOGNAME="ana", COLORTERM="truecolor", TERM="xterm-256color")
    os.environ.pop("NO_COLOR", None)
    time.tzset()
    IMAGES.mkdir(exist_ok=True)
    shutil.copytree(REPOSITORY / "sample_logs" / "AWSLogs", TRAIL)
    shutil.copytree(REPOSITORY / "detector" / "rules" / "builtin", RULES)
    try:
        asyncio.run(_take())
    finally:
        shutil.rmtree(TRAIL.parent)


async def _take() -> None:
    now = parse_time(_NOW)
    assert now is not None

    def clock() -> float:
        return float(now)

    store, rules = Store.open(None, clock), load([RULES], builtin=False)
    try:
        pipeline._COMMIT_SECONDS = float(
            "inf"
        )  # one commit: an alert's revision tells how fast the machine was
        pipeline.Pipeline(store, rules, Directory([TRAIL]), clock=clock).scan(lambda _: None)
        live = pipeline.Pipeline(store, rules, Directory([TRAIL]), clock=clock)
        app = HuntApp(lambda: Opened(store, rules, lambda _: live), str(TRAIL), clock=clock)
        async with app.run_test(size=SIZE) as pilot:
            await _until(
                pilot,
                lambda: (
                    app.is_open and app.view_model.live and isinstance(app.screen, AlertsScreen)
                ),
            )
            await _go_through(app, pilot)
    finally:
        store.close()


async def _go_through(app: HuntApp, pilot: Pilot[None]) -> None:
    """What the guide tells, in its order."""
    alerts = app.screen
    assert isinstance(alerts, AlertsScreen)
    rows = alerts.row_list
    await _until(pilot, lambda: any(_ATTACK in rows.line(row) for row in rows.rows))
    attack = next(
        key for key, row in zip(rows.keys, rows.rows, strict=True) if _ATTACK in rows.line(row)
    )
    rows.move_to(attack)
    await _until(pilot, lambda: _THEN in screenshot.screen_text(app))
    await _keep(app, pilot, "alerts")

    await _press(pilot, "f", *_typed("risk>=47 "))
    await _until(pilot, lambda: _THEN in screenshot.screen_text(app))
    await _keep(app, pilot, "filter")
    await _press(pilot, "escape", "escape", "i")
    await _keep(app, pilot, "timeline")
    await _press(pilot, "i")

    rows.move_to(attack)
    await _press(pilot, "enter")
    screen = app.screen
    assert isinstance(screen, AlertScreen)
    await _until(pilot, lambda: bool(screen.query_one("#calls", RowList).rows))
    await _until(pilot, lambda: _THEN in screenshot.screen_text(app))
    await _keep(app, pilot, "alert")
    await _press(pilot, "b")
    await _keep(app, pilot, "board")
    await _press(pilot, "b")
    await _press(pilot, "tab", "tab", "tab")
    await _until(pilot, lambda: bool(screen.query_one("#questions", RowList).rows))
    await _keep(app, pilot, "guide")

    await _press(pilot, "p")
    await _until(
        pilot,
        lambda: isinstance(app.screen, PivotScreen) and " calls in " in screenshot.screen_text(app),
    )
    await _keep(app, pilot, "pivot")
    await _press(pilot, "escape")

    await _press(
        pilot, "exclamation_mark", *_typed("Key of ci-deploy used from outside; snapshot shared.")
    )
    await _press(pilot, "shift+tab", *_typed("dana"), "shift+tab", *_typed("IR-142"))
    await _keep(app, pilot, "note")
    await _press(pilot, "ctrl+s", "n", "4")
    await _until(pilot, lambda: bool(app.screen.query_one(RowList).rows))
    await _keep(app, pilot, "hunt-log")

    await _press(pilot, "1", "1", "x", *_typed("CHG-77"))
    await _until(pilot, lambda: " stay " in screenshot.screen_text(app))
    await _keep(app, pilot, "suppress")
    await _press(pilot, "escape", "y")
    for key, name in (("6", "sources"), ("7", "rules"), ("2", "principals")):
        await _press(pilot, key)
        await _until(pilot, lambda: bool(app.screen.query_one(RowList).rows))
        await _keep(app, pilot, name)
    await _beyond_alerts(app, pilot, attack)


async def _beyond_alerts(app: HuntApp, pilot: Pilot[None], attack: object) -> None:
    """What the rule of an alert would find with other numbers, and a hunt that begins with it."""
    await _press(pilot, "1", "escape")
    app.screen.query_one(RowList).move_to(attack)
    await _press(pilot, "W", "left", "left")
    await _until(pilot, lambda: "regional-report" in screenshot.screen_text(app))
    await _keep(app, pilot, "workbench")
    await _press(pilot, "escape", "at", "enter")
    await _press(pilot, *_typed("Stolen CI keys"), "tab")
    await _press(pilot, *_typed("Somebody outside uses the key of ci-deploy."), "ctrl+s")
    await _press(pilot, "9", "enter", "plus", "ctrl+r")
    await _until(pilot, lambda: "1 row" in screenshot.screen_text(app))
    await _press(pilot, "ctrl+s", *_typed("Keys made"), "ctrl+s")
    await _press(pilot, "escape", "escape")
    await _until(pilot, lambda: "1 row" in screenshot.screen_text(app))
    await _keep(app, pilot, "hunt")


async def _press(pilot: Pilot[None], *keys: str) -> None:
    await pilot.press(*keys)
    await pilot.pause()


def _typed(text: str) -> Sequence[str]:
    names = {
        " ": "space",
        ".": "full_stop",
        ";": "semicolon",
        "-": "minus",
        ">": "greater_than_sign",
        "=": "equals_sign",
    }
    return [names.get(letter, letter) for letter in text]


async def _until(pilot: Pilot[None], holds: Callable[[], bool]) -> None:
    for _ in range(_TURNS):
        if holds():
            await pilot.pause()
            return
        await pilot.pause()
    raise SystemExit(f"never came on screen:\n{screenshot.screen_text(pilot.app)}")


async def _keep(app: HuntApp, pilot: Pilot[None], name: str) -> None:
    app.clear_notifications()
    await pilot.pause()
    (IMAGES / f"{name}.svg").write_text(screenshot.screen_svg(app), encoding="utf-8")
    print(f"{name:12} {(IMAGES / name).with_suffix('.svg').stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
