"""The way back, in one line."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from tui.presentation import safe
from tui.screens.base.screen import WIDE


def breadcrumbs(trail: Sequence[str], cells: int) -> Content:
    """Return the names of the screens from the first to the front.

    They may quote a log. In a narrow terminal only the last two are named.
    """
    shown = trail if cells >= WIDE or len(trail) < 3 else ("…", *trail[-2:])
    room = max(16, cells // len(shown))
    return Content(" › ").join(safe.title(name, room) for name in shown)
