"""``trailhound compact``: let go of old windows that came to nothing, and give the space back."""

from __future__ import annotations

import argparse

from detector.store import Store
from tui.commandline.commands.common import retention_seconds
from tui.settings import config
from tui.settings.errors import EXIT_OK, CommandError


def run(args: argparse.Namespace) -> int:
    path = config.state_path(args.db)
    if not path.exists():
        raise CommandError(f"{path}: there is no state yet: name one with --db FILE")
    retention = retention_seconds(args.retention)
    store = Store.open(path)
    try:
        done = store.retention.vacuum(retention)
    finally:
        store.close()
    print(f"let go         {done.hits:,} hits in windows without an alert, {done.events:,} events")
    print(
        f"state          {done.after / 1e6:,.1f} MB, {(done.before - done.after) / 1e6:,.1f} MB freed"
    )
    return EXIT_OK
