"""The areas as the first line of every screen lists them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.keymap import key_of
from tui.presentation.format import number
from tui.widgets.areas_bar import Area

if TYPE_CHECKING:
    from tui.model.workspace import Workspace

_TITLES = {
    "alerts": ("Alerts", "Alerts"),
    "principals": ("Principals", "Princ"),
    "events": ("Events", "Events"),
    "log": ("Hunt log", "Log"),
    "suppressions": ("Suppressions", "Suppr"),
    "sources": ("Sources", "Src"),
    "rules": ("Rules", "Rules"),
    "watches": ("Watches", "Watch"),
    "hunts": ("Hunts", "Hunts"),
}
"""Title and short title of each area, in the order of their keys."""


def title_of(area: str) -> str:
    """Return the title of an area."""
    return _TITLES[area][0]


def listed_areas(workspace: Workspace, front: str = "") -> list[Area]:
    """Return the areas to list, with their counts.

    Watches and hunts are listed only if they have rows or are ``front``, the current area.
    """
    counts = workspace.area_counts()
    watches, hunts = workspace.view_model.watches, workspace.view_model.hunts
    unlisted = {name for name, rows in (("watches", watches), ("hunts", hunts)) if not rows}
    unlisted.discard(front)
    areas = []
    for name, (title, short_title) in _TITLES.items():
        if name in workspace.areas and name not in unlisted:
            count, style = counts.get(name, ""), ""
            if name == "sources":
                count, style = _source_mark(workspace)
            elif name == "watches" and any(row.new for row in watches):
                title, short_title, count = "Watches !", "New!", ""
            elif isinstance(count, int):
                count = number(count)
            areas.append(Area(name, key_of(f"area.{name}"), title, short_title, count, style))
    return areas


def _source_mark(workspace: Workspace) -> tuple[str, str]:
    """Return a glyph for the health of the sources, and its style."""
    view_model = workspace.view_model
    if view_model.error:
        return "×", "$text-error"
    if view_model.unread:
        return "▲", "$text-warning"
    if view_model.live:
        return "●", "$text-success"
    if workspace.follows:
        return "○", "$foreground-muted"
    return "◌", "$text-accent"
