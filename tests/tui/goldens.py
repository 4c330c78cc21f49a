"""Compare what a screen shows with its golden text.

``UPDATE_GOLDENS=1`` writes the goldens again: read the difference.
"""

from __future__ import annotations

import os
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


async def compare(app: App[Any], pilot: Pilot[Any], name: str) -> None:
    """In each size, one after the other, in one app: what is on screen has to follow the
    terminal."""
    for width, height in SIZES:
        await pilot.resize_terminal(width, height)
        shown = await _at_rest(app, pilot, height) + "\n"
        _hold(GOLDEN / f"{name}-{width}x{height}.txt", shown)


async def compare_picture(app: App[Any], pilot: Pilot[Any], name: str) -> None:
    """With colours and styles, as the key for a picture draws it, in the middle one of the
    sizes."""
    width, height = SIZES[1]
    await pilot.resize_terminal(width, height)
    await _at_rest(app, pilot, height)
    _hold(PICTURES / f"{name}.svg", screenshot.screen_svg(app))


def _hold(path: Path, shown: str) -> None:
    if os.environ.get("UPDATE_GOLDENS"):
        path.write_text(shown, encoding="utf-8")
    assert shown == path.read_text(encoding="utf-8")


async def _at_rest(app: App[Any], pilot: Pilot[Any], height: int) -> str:
    """What is on screen once it changes no more; the keys, in its last line, are drawn last."""
    seen = [""]

    def rests() -> bool:
        seen.append(screen_text(app))
        lines = seen[-1].splitlines()
        return len(lines) == height and bool(lines[-1].strip()) and seen[-1] == seen[-2]

    await until(pilot, rests)
    return screen_text(app)
