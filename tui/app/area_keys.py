"""Keys and palette commands for the areas, and keys that work on every screen of the app."""

from __future__ import annotations

from textual.binding import BindingType
from textual.command import Provider

from tui.keymap import APP, OPEN, key

TIMES = {
    "UTC": "Times in UTC",
    "local": "Times in your local time zone",
    "relative": "Relative times; calls count from the alert's first",
}
"""The message shown for each time display mode."""


def area_commands() -> type[Provider]:
    """Import the palette provider for other areas, only when the palette is opened."""
    from tui.app.area_commands import AreaCommands

    return AreaCommands


_PRINCIPALS = "Go to the principals: who called, without any alert"
_EVENTS = "Go to the events: any call, by a filter or a list of indicators"
_HUNTS = "Go to the hunts"

AREA_BINDINGS: list[BindingType] = [
    key("area.alerts", "1", "area('alerts')", "alerts", "Go to the alerts", OPEN),
    key("area.principals", "2", "area('principals')", "principals", _PRINCIPALS, OPEN),
    key("area.events", "3", "area('events')", "events", _EVENTS, OPEN),
    key("area.log", "4", "area('log')", "hunt log", "Go to the hunt log", OPEN),
    key(
        "area.suppressions",
        "5",
        "area('suppressions')",
        "suppressions",
        "Go to the suppressions",
        OPEN,
    ),
    key(
        "area.sources",
        "6",
        "area('sources')",
        "sources",
        "Sources and ingest health",
        OPEN,
    ),
    key(
        "area.rules",
        "7",
        "area('rules')",
        "rules",
        "Rules: enable, disable, results",
        OPEN,
    ),
    key(
        "area.watches",
        "8",
        "area('watches')",
        "watches",
        "Go to the watches: what was seen again",
        OPEN,
    ),
    key("area.hunts", "9", "area('hunts')", "hunts", _HUNTS, OPEN),
    key(
        "times",
        "t",
        "next_times",
        "times",
        "Toggle UTC / local / relative time",
        APP,
    ),
]
