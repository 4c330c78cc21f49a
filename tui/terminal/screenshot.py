"""A picture of the screen: as SVG for a report, as text for a ticket."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from platformdirs import user_data_path
from textual.app import App

from tui.settings import private_files
from tui.terminal.textual_private import screen_lines

_FONTS = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
"""Rich names fonts to be fetched from a public server, which would tell it that the picture was
looked at."""

_FAMILY = re.compile(r"font-family: ?(?:Fira Code|arial)(?:, monospace)?")


_OURS = "Fira Code, Menlo, Consolas, DejaVu Sans Mono, Liberation Mono, monospace"


def svg(app: App[Any]) -> str:
    """The screen, with letters in whatever fixed-width font the reader has; nothing is fetched to
    show it."""
    return _FAMILY.sub(
        f"font-family: {_OURS}", _FONTS.sub("", app.export_screenshot(simplify=True))
    )


def text(app: App[Any]) -> str:
    """The letters on the screen, a line each, without the blanks at their ends."""
    return "".join(strip.text.rstrip() + "\n" for strip in screen_lines(app.screen))


def folder() -> Path:
    return user_data_path("trailhound") / "screenshots"


def keep(picture: str, letters: str) -> Path:
    """Write both into the folder; their common name, without an ending. Raises OSError."""
    where = folder()
    where.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = where / datetime.fromtimestamp(time.time(), UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    private_files.write_new(Path(f"{name}.svg"), picture)
    private_files.write_new(Path(f"{name}.txt"), letters)
    return name
