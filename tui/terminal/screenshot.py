"""Screenshots: as SVG for a report, as text for a ticket."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from platformdirs import user_data_path
from textual.app import App

from detector.text import private_files
from tui.terminal.textual_private import screen_lines

_FONTS = re.compile(r"\s*@font-face \{.*?\}", re.DOTALL)
"""Rich links fonts on a public server, which would learn that the screenshot was opened."""

_FAMILY = re.compile(r"font-family: ?(?:Fira Code|arial)(?:, monospace)?")

_LOCAL_FONTS = "Fira Code, Menlo, Consolas, DejaVu Sans Mono, Liberation Mono, monospace"


def screen_svg(app: App[Any]) -> str:
    """Return the screen as SVG that loads nothing from the network."""
    return _FAMILY.sub(
        f"font-family: {_LOCAL_FONTS}", _FONTS.sub("", app.export_screenshot(simplify=True))
    )


def screen_text(app: App[Any]) -> str:
    """Return the lines of the screen, without trailing blanks."""
    return "".join(strip.text.rstrip() + "\n" for strip in screen_lines(app.screen))


def folder() -> Path:
    """Return the folder for screenshots."""
    return user_data_path("trailhound") / "screenshots"


def write_screenshot(svg: str, text: str) -> Path:
    """Write both files; return their common path, without a suffix. Raises OSError."""
    folder().mkdir(mode=0o700, parents=True, exist_ok=True)
    name = folder() / datetime.fromtimestamp(time.time(), UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    private_files.write_new(Path(f"{name}.svg"), svg)
    private_files.write_new(Path(f"{name}.txt"), text)
    return name
