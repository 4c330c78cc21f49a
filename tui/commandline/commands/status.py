"""``trailhound status``: what the state holds, and where things are."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterator, Sequence

from detector.store import Freshness, Store, reference_time
from detector.text.time import format_time
from detector.text.visible import visible
from tui.commandline.commands.common import accounting_sums, completeness_lines
from tui.settings import config
from tui.settings.errors import EXIT_OK

_SHOWN = 20


def source_lines(store: Store, now: float, everything: bool) -> Iterator[str]:
    """How fresh each region is, what is in quarantine, missing or blind; folded, unless
    ``everything`` is asked for.

    Of many regions only those are told that are late or have files in quarantine.
    """
    places = store.completeness.freshness()
    now = reference_time(places, now)
    wanting = [place for place in places if place.failed or _verdict(place, now) == "late"]
    shown = places if everything or len(places) <= _SHOWN else wanting
    if len(shown) < len(places):
        verdicts = Counter(_verdict(place, now) for place in places)
        yield (
            f"{'regions':14} {len(places):,} of {len({place.account for place in places}):,} accounts: "
            + ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(verdicts.items()))
            + f"; newest delivery {format_time(max(place.newest for place in places))}; --all lists them"
        )
    yield from _folded("region", [_region(place, now) for place in shown], everything)
    yield from _folded(
        "quarantine",
        [f"{file.path}: {file.detail}" for file in store.quarantine.files()],
        everything,
    )
    yield from _folded("incomplete", completeness_lines(store, False), everything)


def _folded(name: str, lines: Sequence[str], everything: bool) -> Iterator[str]:
    limit = len(lines) if everything else _SHOWN
    yield from (f"{name:14} {visible(line)}" for line in lines[:limit])
    if len(lines) > limit:
        yield f"{'':14} and {len(lines) - limit:,} more: --all lists them"


def _region(place: Freshness, now: float) -> str:
    cadence = "no cadence yet" if place.cadence is None else f"every {place.cadence / 60:,.0f} min"
    return (
        f"{place.account} {place.region:15} {place.files:>9,} files  {place.bytes / 1e6:>9,.1f} MB  "
        f"{place.records:>11,} records  newest {format_time(place.newest)}  {cadence}, {_verdict(place, now)}"
        + (f", {place.failed:,} in quarantine" if place.failed else "")
    )


def _verdict(place: Freshness, now: float) -> str:
    if place.late(now) and not place.vouched(now):
        return "late"
    return "proven by digests" if place.proven else "as usual"


def run(args: argparse.Namespace) -> int:
    path = config.state_path(args.db)
    print(
        f"configuration  {config.config_path()}{'' if config.config_path().exists() else ' (none)'}"
    )
    if not path.exists():
        print(f"state          {path} (none yet)")
        return EXIT_OK
    store = Store.open(path)
    try:
        now = time.time()
        alerts = store.alerts.all()
        held = f", in use by {store.holder}" if store.holder else ""
        newest = store.files.newest_event_time()
        print(f"state          {path} ({path.stat().st_size / 1e6:,.1f} MB{held})")
        for line in accounting_sums(store.files.accounting()):
            name, rest = line.split(" ", 1)
            print(f"{name:14} {rest}")
        for line in source_lines(store, now, args.all):
            print(line)
        print(f"newest event   {format_time(newest) if newest is not None else 'none'}")
        print(
            f"alerts         {len(alerts):,}: "
            + ", ".join(
                f"{sum(alert.status == status for alert in alerts):,} {status}"
                for status in ("open", "acknowledged", "closed")
            )
            + f"; {sum(alert.suppressed_by is not None for alert in alerts):,} suppressed"
        )
        print(f"notes          {len(store.triage.notes()):,}")
        print(
            f"suppressions   {sum(made.active(now) for made in store.suppressions.all()):,} active"
        )
    finally:
        store.close()
    return EXIT_OK
