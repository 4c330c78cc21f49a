"""Compare what a screen shows with its golden text.

``UPDATE_GOLDENS=1`` rewrites the goldens; review the diff afterwards.
"""

from __future__ import annotations

import asyncio
import difflib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.app import App
from textual.pilot import Pilot

from tests.hostile.payloads import screen_text
from tests.tui.stage import until
from tui.terminal import screenshot

GOLDEN = Path(__file__).with_name("golden")
PICTURES = Path(__file__).with_name("pictures")
SIZES = ((80, 24), (120, 34), (200, 50))
_CHANCES = 10
_A_WHILE_SECONDS = 0.5


async def compare(app: App[Any], pilot: Pilot[Any], name: str) -> None:
    """Compare the screen's text in each size, in one app, so that resizing is tested too."""
    for width, height in SIZES:
        await pilot.resize_terminal(width, height)
        path = GOLDEN / f"{name}-{width}x{height}.txt"
        await _hold(app, pilot, height, path, lambda: screen_text(app) + "\n")


async def compare_picture(app: App[Any], pilot: Pilot[Any], name: str) -> None:
    """Compare the screen's SVG, as the screenshot key writes it, in the middle size."""
    width, height = SIZES[1]
    await pilot.resize_terminal(width, height)
    path = PICTURES / f"{name}.svg"
    await _hold(app, pilot, height, path, lambda: screenshot.screen_svg(app))


async def _hold(
    app: App[Any], pilot: Pilot[Any], height: int, path: Path, drawn: Callable[[], str]
) -> None:
    """Wait until the screen shows its golden; fail if it comes to rest on something else.

    On a busy machine a screen may pause for so long that it seems to be at rest, so a screen that
    differs is checked up to ``_CHANCES`` times."""
    is_update = bool(os.environ.get("UPDATE_GOLDENS"))
    for _ in range(_CHANCES):
        await _come_to_rest(app, pilot, height)
        if not is_update and drawn() == path.read_text(encoding="utf-8"):
            return
        await asyncio.sleep(_A_WHILE_SECONDS)
    if is_update:
        path.write_text(drawn(), encoding="utf-8")
    _assert_equal(drawn(), path)


def _assert_equal(shown: str, path: Path) -> None:
    """Fail with only the lines that differ: a whole screen in a CI log helps nobody."""
    golden = path.read_text(encoding="utf-8")
    lines = difflib.unified_diff(
        golden.splitlines(), shown.splitlines(), path.name, "the screen", lineterm="", n=0
    )
    assert shown == golden, "\n" + "\n".join(lines)


async def _come_to_rest(app: App[Any], pilot: Pilot[Any], height: int) -> None:
    """Wait until the screen stops changing; the keys in its last line are drawn last."""
    seen = [""]

    def rests() -> bool:
        seen.append(screen_text(app))
        lines = seen[-1].splitlines()
        return len(lines) == height and bool(lines[-1].strip()) and seen[-1] == seen[-2]

    await until(pilot, rests)
