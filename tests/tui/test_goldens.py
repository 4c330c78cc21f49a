"""Every screen as text, in a small, a middling and a wide terminal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Static

from tests.tui.goldens import GOLDEN, SIZES, compare, compare_picture
from tests.tui.stage import Hunt, press, until
from tui.app.app import HuntApp
from tui.presentation import format
from tui.screens.alert.screen import AlertScreen
from tui.screens.alerts.screen import AlertsScreen
from tui.widgets.row_list import RowList

NOTE = [
    "exclamation_mark",
    "'Key is stolen, ",
    "shift+tab",
    "'dana",
    "shift+tab",
    "'IR-142",
    "ctrl+s",
    "n",
]
SUPPRESSION = [
    "G",
    "x",
    "'CHG-77",
    "enter",
    "'dana",
    "enter",
    "'our inventory",
]

ATTACHED = ["at", "enter", "'Stolen keys", "tab", "'A key is used from abroad.", "ctrl+s"]

JOURNEYS: tuple[dict[str, Sequence[str]], ...] = (
    {"alerts": ["a", "j"]},
    {"alerts-empty": ["f", "'nothing-is-like-this", "enter"]},
    {"alerts-filter": ["f", "'principal:ben s"]},
    {"alerts-find": ["slash", "'ben"]},
    {"alerts-hidden": [*SUPPRESSION, "ctrl+s", "d", "H"]},
    {
        "alerts-menu": ["s"],
        "copy-menu": ["escape", "y"],
        "theme-menu": ["escape", "T"],
        "views-menu": ["escape", "v"],
        "help": ["escape", "question_mark"],
        "pipe-form": ["question_mark", "vertical_line"],
        "pipe-output": ["'seq 1 3", "ctrl+s"],
    },
    {
        "hunt-log-empty": ["4"],
        "suppressions-empty": ["5"],
        "hunts-empty": ["9"],
        "hunt-form": ["plus", "'Stolen keys"],
    },
    {"alert": ["enter"], "alert-raw": ["j", "r"]},
    {"alert-fields": ["enter", "J", "tab", "j", "enter"]},
    {"alert-rule": ["enter", *["tab"] * 4]},
    {"alert-notes": [*NOTE, "enter", "shift+tab"]},
    {"board": ["b"], "board-alert": ["escape", "enter", "b", "k"]},
    {"compare": ["space", "G", "m"]},
    {"calendar": ["j", "D"]},
    {"timeline": ["i", "space", *"hhhhh"]},
    {
        "note-form": ["exclamation_mark", "'Key is stolen"],
        "hunt-log": ["', ", *NOTE[2:], "4"],
        "export-form": ["w"],
        "edit-note-form": ["escape", "c"],
    },
    {"suppress-form": SUPPRESSION, "suppressions": ["ctrl+s", "5"], "extend-form": ["x"]},
    {"workbench": ["G", "W", "right", "right", "right", "tab"]},
    {"explain": ["G", "enter", "E"]},
    {
        "hunt-attach": ["at"],
        "hunts": [*ATTACHED[1:], "9"],
        "hunt": ["enter"],
        "hunt-query": ["plus", "ctrl+r", "escape"],
    },
    {"hunt-conclude-form": [*ATTACHED, "9", "d", "'Nothing."]},
    {"hunt-query-refused": [*ATTACHED, "9", "enter", "plus", "'x"]},
    {"confirm": ["c", "'Key is stolen", "escape"]},
    {"note-preview": ["c", "'# Key is *out*", "ctrl+r"]},
    {"view-form": ["f", "'sev", "tab", "'high", "enter", "v", "w"]},
    {"palette": ["colon", "'sort"]},
)
"""Key sequences through the app, each with the screens that it visits."""


def ways() -> Iterator[tuple[str, list[str]]]:
    """Yield each screen with all keys that lead to it."""
    for journey in JOURNEYS:
        way: list[str] = []
        for name, keys in journey.items():
            way += keys
            yield name, list(way)


SCREENS = dict(ways())


def stand(
    screens: Mapping[str, Sequence[str]],
    hunt: Hunt,
    held: Callable[[App[None], Pilot[None], str], Awaitable[None]],
) -> None:
    """Go from screen to screen, and compare each with its golden."""

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await _previewed(app, pilot)
        for name, keys in screens.items():
            await pilot.resize_terminal(*SIZES[0])
            for key in keys:
                await press(pilot, key)
                await _previewed(app, pilot)
            if isinstance(app.screen, AlertScreen):
                await until(pilot, lambda: bool(app.screen.query_one("#calls", RowList).rows))
            await held(app, pilot, name)

    hunt.play(journey, toasts=False, by_clock=True)


async def _previewed(app: HuntApp, pilot: Pilot[None]) -> None:
    """Wait for the preview, which is read once the cursor rests.

    A dialog that opens before covers a preview that Textual lays out only when the dialog goes."""
    screen = app.screen
    if isinstance(screen, AlertsScreen):
        alert = screen.row_list.cursor_row
        title = screen.query_one("#preview-title", Static)
        shown = "" if alert is None else format.principal(alert)
        await until(pilot, lambda: str(title.content) == shown)


@pytest.fixture
def hunt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hunt:
    monkeypatch.setenv("LOGNAME", "ana.lyst")
    monkeypatch.chdir("/")
    return Hunt(tmp_path)


@pytest.mark.parametrize("screens", JOURNEYS, ids=" ".join)
def test_screens(screens: dict[str, Sequence[str]], hunt: Hunt) -> None:
    stand(screens, hunt, compare)


@pytest.mark.parametrize("name", ["alerts", "alert", "board"])
def test_picture(name: str, hunt: Hunt) -> None:
    stand({name: SCREENS[name]}, hunt, compare_picture)


def test_every_golden_is_used() -> None:
    sizes = {f"{width}x{height}" for width, height in SIZES}
    tests = "".join(
        path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py")
    )
    for path in GOLDEN.iterdir():
        name, _, size = path.stem.rpartition("-")
        assert size in sizes, path.name
        assert f'"{name}"' in tests, path.name
