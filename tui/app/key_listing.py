"""Every key of the app as plain text."""

from __future__ import annotations

from typing import NamedTuple

from tui.app.key_remap import configured, keys_of
from tui.app.screen_registry import describe_screens, every_binding
from tui.keymap import GROUPS, display


class KeyRow(NamedTuple):
    """A binding as text: its keys, its id, what it does, and the screens it works on."""

    keys: list[str]
    id: str
    tooltip: str
    screens: str


class KeyGroup(NamedTuple):
    """The bindings under one heading of the help page."""

    title: str
    rows: list[KeyRow]


def key_groups() -> list[KeyGroup]:
    """List all bindings by group, with the analyst's own keys."""
    keymap = configured()
    groups = []
    for group in GROUPS:
        rows = [
            KeyRow(
                [display(name) for name in keys_of(binding, keymap)],
                binding.id or "",
                binding.tooltip,
                describe_screens(binding),
            )
            for binding in every_binding().values()
            if binding.group == group
        ]
        if rows:
            groups.append(KeyGroup(group.description, rows))
    return groups
