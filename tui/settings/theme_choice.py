"""The theme at startup: configured, last chosen, or the terminal's own."""

from __future__ import annotations

import os
from pathlib import Path

from platformdirs import user_state_path

from detector.text import private_files
from tui.settings import config

FEW_COLORS = (None, "standard")
"""Rich's color systems for terminals with no colors or sixteen."""


def startup_theme(color_system: str | None) -> str:
    """Return the name of the theme to open with. Raises CommandError.

    The configuration takes precedence. A terminal with at most sixteen colors keeps its own theme,
    whatever was chosen in another terminal. ``color_system`` is Rich's name for the colors.
    """
    configured = config.load_config().theme
    if configured:
        return configured
    if color_system in FEW_COLORS:
        return "ansi"
    return _remembered_theme() or "dark"


def no_color() -> bool:
    """Return whether colors are unwanted, by the convention of no-color.org."""
    return "NO_COLOR" in os.environ


def remember_theme(name: str) -> str:
    """Remember a theme; return a sentence that reports success or failure."""
    path = _theme_path()
    try:
        private_files.replace_file(path, f"{name}\n")
    except OSError as error:
        return f"Theme not saved: {path}: {error.strerror}"
    return "Theme saved (a theme in the configuration takes precedence)"


def _remembered_theme() -> str | None:
    try:
        name = _theme_path().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    return name if name in config.THEME_NAMES else None


def _theme_path() -> Path:
    return user_state_path("trailhound") / "theme"
