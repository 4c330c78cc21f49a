"""``trailhound status``: what the state holds, and where things are."""

from __future__ import annotations

import argparse
import time

from detector.record import format_time
from detector.store import Store
from tui import config
from tui.cli import RAN
from tui.commands.common import accounting_lines


def run(args: argparse.Namespace) -> int:
    path = config.state_path(args.db)
    print(f"configuration  {config.path()}{'' if config.path().exists() else ' (none)'}")
    if not path.exists():
        print(f"state          {path} (none yet)")
        return RAN
    store = Store.open(path)
    try:
        now = time.time()
        alerts = store.alerts()
        held = f", in use by {store.holder}" if store.holder else ""
        newest = store.newest()
        print(f"state          {path} ({path.stat().st_size / 1e6:,.1f} MB{held})")
        for line in accounting_lines(store.accounting()):
            name, rest = line.split(" ", 1)
            print(f"{name:14} {rest}")
        print(f"newest event   {format_time(newest) if newest is not None else 'none'}")
        print(f"alerts         {len(alerts):,}: "
              + ", ".join(f"{sum(alert.status == status for alert in alerts):,} {status}"
                          for status in ("open", "acknowledged", "closed"))
              + f"; {sum(alert.suppressed_by is not None for alert in alerts):,} suppressed")
        print(f"notes          {len(store.notes()):,}")
        print(f"suppressions   {sum(made.active(now) for made in store.suppressions()):,} active")
    finally:
        store.close()
    return RAN
