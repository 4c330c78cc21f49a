"""Where the analyst is, and the way back, in one line."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from tui.presentation import safe
from tui.screens.base.screen import WIDE


def breadcrumbs(trail: Sequence[str], cells: int) -> Content:
    """The screens from the first to the one in front, which may quote a log; in a narrow terminal
    the last two."""
    shown = trail if cells >= WIDE or len(trail) < 3 else ("…", *trail[-2:])
    room = max(16, cells // len(shown))
    return Content(" › ").join(safe.title(name, room) for name in shown)
