"""``trailhound compact``: drop old windows without alerts, and free the space."""

from __future__ import annotations

import argparse

from detector.store import Store
from tui.commandline.inputs import existing_state_path, retention_seconds
from tui.settings.errors import EXIT_OK


def run(args: argparse.Namespace) -> int:
    path = existing_state_path(args.db)
    retention = retention_seconds(args.retention)
    store = Store.open(path)
    try:
        result = store.retention.vacuum(retention)
    finally:
        store.close()
    freed = result.before - result.after
    print(
        f"purged         {result.hits:,} hits in windows without alerts, {result.events:,} events"
    )
    print(f"state          {result.after / 1e6:,.1f} MB, {freed / 1e6:,.1f} MB freed")
    return EXIT_OK
