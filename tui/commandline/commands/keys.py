"""``trailhound keys``: every key, its id and what it does."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tui.commandline.app_bridge import list_keys
from tui.settings.errors import EXIT_OK

if TYPE_CHECKING:
    from tui.commandline.app_bridge import KeyGroup


def run(args: argparse.Namespace) -> int:
    groups = list_keys()
    lines = _markdown(groups) if args.format == "md" else _table(groups)
    print("\n".join(lines))
    return EXIT_OK


def _table(groups: Iterable[KeyGroup]) -> Iterator[str]:
    for group in groups:
        yield group.title
        for row in group.rows:
            yield f"  {' '.join(row.keys):16} {row.id:24} {row.tooltip} ({row.screens})"


def _markdown(groups: Iterable[KeyGroup]) -> Iterator[str]:
    for group in groups:
        yield f"## {group.title}\n\n| key | what it does | where | id |\n|---|---|---|---|"
        for row in group.rows:
            keys = " ".join(f"`{key}`" for key in row.keys).replace("|", "\\|")
            yield f"| {keys} | {row.tooltip} | {row.screens} | `{row.id}` |"
        yield ""
