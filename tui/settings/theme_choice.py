"""Which theme the app opens with: what the terminal can show, what was configured, what was chosen last time."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from platformdirs import user_state_path

from tui.settings import config, private_files

FEW_COLOURS = (None, "standard")
"""What Rich calls the colours of a terminal that has sixteen, or none."""


def startup_theme(colours: str | None) -> str:
    """The name of the theme to open with in a terminal with these ``colours``, as Rich calls them.
    Raises CommandError.

    The configuration comes first. A terminal of sixteen colours keeps its own, whatever was chosen
    in another."""
    if configured := config.load_config().theme:
        return configured
    return "ansi" if colours in FEW_COLOURS else _kept() or "dark"


def no_color() -> bool:
    """Whether colours are not wanted, by the convention of no-color.org."""
    return "NO_COLOR" in os.environ


def remember_theme(name: str) -> str:
    """Open with this theme from now on; what became of that, in words."""
    path = _place()
    try:
        private_files.replace_file(path, f"{name}\n")
    except OSError as error:
        return f"This theme until you leave: {path}: {error.strerror}"
    return "This theme from now on, where the configuration names none"


def _kept() -> str | None:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        name = _place().read_text(encoding="utf-8").strip()
        return name if name in config.THEME_NAMES else None
    return None


def _place() -> Path:
    return user_state_path("trailhound") / "theme"
