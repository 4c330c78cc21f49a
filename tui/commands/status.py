"""``trailhound status``: what the state holds, and where things are."""

from __future__ import annotations

import argparse
import time

from detector.record import format_time
from detector.store import Store, judged_at
from detector.visible import visible
from tui import config
from tui.cli import RAN
from tui.commands.common import accounting_lines, completeness_lines

_SHOWN = 20


def source_lines(store: Store, now: float) -> list[str]:
    """How fresh each region is, what is in quarantine, what is missing or blind."""
    lines = []
    places = store.freshness()
    now = judged_at(places, now)
    for place in places:
        cadence = "no cadence yet" if place.cadence is None else f"every {place.cadence / 60:,.0f} min"
        verdict = "late" if place.late(now) else "proven by digests" if place.proven else "as usual"
        lines.append(f"{'region':14} {visible(place.account)} {visible(place.region):15} {place.files:>9,} files  "
                     f"{place.bytes / 1e6:>9,.1f} MB  {place.records:>11,} records  "
                     f"newest {format_time(place.newest)}  {cadence}, {verdict}"
                     + (f", {place.failed:,} in quarantine" if place.failed else ""))
    quarantine = store.quarantine()
    lines += [f"{'quarantine':14} {visible(file.path)}: {visible(file.detail)}" for file in quarantine[:_SHOWN]]
    if len(quarantine) > _SHOWN:
        lines.append(f"{'':14} and {len(quarantine) - _SHOWN:,} more")
    return [*lines, *(f"{'incomplete':14} {visible(line)}" for line in completeness_lines(store, False))]


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
        for line in source_lines(store, now):
            print(line)
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
