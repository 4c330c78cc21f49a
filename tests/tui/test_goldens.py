"""Every main screen as text, in a small and a wide terminal. ``UPDATE_GOLDENS=1`` writes them anew: read the diff."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.hostile.payloads import screen_text
from tests.tui.stage import Hunt, press, until
from tui.app import HuntApp
from tui.screens.alert import AlertScreen
from tui.widgets.row_list import RowList

GOLDEN = Path(__file__).with_name("golden")
SIZES = ((80, 24), (160, 48))

NOTE = ["exclamation_mark", "'Key is stolen, ", "shift+tab", "'dana", "shift+tab", "'IR-142", "ctrl+s", "n"]
SUPPRESSION = ["G", "x", "shift+tab", "'our inventory", "shift+tab", "'dana", "shift+tab", "'CHG-77"]

SCREENS: dict[str, Sequence[str]] = {
    "alerts": ["a", "j"],
    "alerts-empty": ["f", "'nothing-is-like-this", "enter"],
    "alerts-find": ["slash", "'ben"],
    "alerts-hidden": [*SUPPRESSION, "ctrl+s", "d", "H"],
    "alerts-menu": ["s"],
    "alert": ["enter"],
    "board": ["b"],
    "calendar": ["j", "D"],
    "timeline": ["i", "space", *"hhhhh"],
    "board-alert": ["enter", "b", "k"],
    "alert-fields": ["enter", "J", "tab", "j", "enter"],
    "alert-raw": ["enter", "j", "r"],
    "alert-guide": ["j", "enter", "shift+tab", "shift+tab"],
    "alert-notes": [*NOTE, "enter", "shift+tab"],
    "note-form": ["exclamation_mark", "'Key is stolen"],
    "suppress-form": SUPPRESSION,
    "hunt-log": [*NOTE, "3"],
    "hunt-log-empty": ["3"],
    "export-form": [*NOTE, "3", "w"],
    "suppressions": [*SUPPRESSION, "ctrl+s", "4"],
    "suppressions-empty": ["4"],
    "note-preview": ["c", "'# Key is *out*", "ctrl+r"],
    "copy-menu": ["y"],
    "pipe-form": ["vertical_line"],
    "help": ["question_mark"],
}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("name", SCREENS)
def test_screen(name: str, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ana.lyst")
    monkeypatch.chdir("/")

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, *SCREENS[name])
        if isinstance(app.screen, AlertScreen):
            await until(pilot, lambda: bool(app.screen.query_one("#calls", RowList).rows))
        await until(pilot, lambda: bool(screen_text(app).splitlines()[-1].strip()))  # the keys are drawn last
        compare(f"{name}-{size[0]}x{size[1]}", screen_text(app))

    Hunt(tmp_path).play(journey, size=size, toasts=False)


def compare(name: str, shown: str) -> None:
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("UPDATE_GOLDENS"):
        path.write_text(shown + "\n", encoding="utf-8")
    assert shown + "\n" == path.read_text(encoding="utf-8")
