"""``trailhound keys``: every key, by the id to give it another by, and what it does."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from textual.binding import Binding

from tui.app.key_remap import Keymap, configured, keys_of
from tui.app.screen_registry import every_binding, where
from tui.keymap import GROUPS, display
from tui.settings.errors import EXIT_OK


def run(args: argparse.Namespace) -> int:
    keymap = configured()
    lines = _markdown(keymap) if args.format == "md" else _table(keymap)
    print("\n".join(lines))
    return EXIT_OK


def _grouped() -> Iterator[tuple[str, list[Binding]]]:
    known = every_binding().values()
    for group in GROUPS:
        if members := [binding for binding in known if binding.group == group]:
            yield group.description, members


def _table(keymap: Keymap) -> Iterator[str]:
    for group, members in _grouped():
        yield group
        for binding in members:
            yield f"  {_shown(binding, keymap):16} {binding.id:24} {binding.tooltip} ({where(binding)})"


def _markdown(keymap: Keymap) -> Iterator[str]:
    for group, members in _grouped():
        yield f"## {group}\n\n| key | what it does | where | id |\n|---|---|---|---|"
        for binding in members:
            keys = " ".join(f"`{display(name)}`" for name in keys_of(binding, keymap)).replace(
                "|", "\\|"
            )
            yield f"| {keys} | {binding.tooltip} | {where(binding)} | `{binding.id}` |"
        yield ""


def _shown(binding: Binding, keymap: Keymap) -> str:
    return " ".join(map(display, keys_of(binding, keymap)))
