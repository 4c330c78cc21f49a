"""``trailhound watch``: add, list, acknowledge and lift watches."""

from __future__ import annotations

import argparse
import sys
import time

from detector.delivery.watch_export import WATCH_EXPORT
from detector.detection.indicator import parse_indicators
from detector.store import Store
from detector.text.plural import plural
from detector.text.visible import visible
from detector.triage.watch import WatchRow
from tui.commandline.inputs import decision_author, existing_state_path, read_list
from tui.commandline.narration import narrate
from tui.commandline.table import format_table
from tui.settings import config
from tui.settings.errors import EXIT_OK, UsageError

_HEADINGS = ("ID", "STATE", "SEEN", "NEW", "LAST (UTC)", "KIND", "LABEL", "BY", "INDICATOR")


def run(args: argparse.Namespace) -> int:
    if args.action == "add":
        path = config.state_path(args.db)
    else:
        path = existing_state_path(args.db)
    if args.action == "list":
        store = Store.look(path)
    else:
        store = Store.open(path, author=decision_author(args))
    try:
        {"add": _add, "list": _list, "ack": _acknowledge, "lift": _lift}[args.action](store, args)
    finally:
        store.close()
    return EXIT_OK


def _add(store: Store, args: argparse.Namespace) -> None:
    text = "\n".join(args.indicators)
    if args.file:
        text += "\n" + read_list(args.file)
    parsed = parse_indicators(text)
    for why in parsed.refused:
        narrate(f"not watched for: {visible(why, 120)}")
    if not parsed.indicators:
        raise UsageError("name an address, network, key, ARN or id, or --file FILE")
    created = store.watches.add(parsed.indicators, args.label)
    for watch in created:
        print(watch.watch_id)
    known = len(parsed.indicators) - len(created)
    said = f"watching for {plural(len(created), 'indicator')}"
    if known:
        said += f"; {known:,} watched for already"
    narrate(f"{said}; events --indicators searches what was read before")


def _list(store: Store, args: argparse.Namespace) -> None:
    rows = store.watches.all()
    if args.format == "table":
        sys.stdout.write(format_table(_HEADINGS, list(map(_cells, rows)), {"SEEN", "NEW"}))
    else:
        sys.stdout.write(WATCH_EXPORT.text(rows, args.format))
    active = sum(row.watch.active for row in rows)
    narrate(f"{plural(len(rows), 'watch')}, {active:,} active")
    waiting = sum(map(len, store.watches.chunks_to_search().values()))
    if waiting:
        narrate(f"{plural(waiting, 'chunk')} of logs not searched yet: read or moved meanwhile")


def _cells(row: WatchRow) -> tuple[str, ...]:
    last = caller = "-"
    if row.latest is not None:
        last = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(row.latest.time))
        caller = visible(row.latest.caller.rpartition(":")[2], 40)
    watch = row.watch
    return (
        watch.watch_id,
        row.state,
        row.count,
        f"{row.new:,}",
        last,
        watch.indicator.kind,
        visible(watch.label, 30) or "-",
        caller,
        visible(watch.indicator.text, 120),
    )


def _acknowledge(store: Store, args: argparse.Namespace) -> None:
    changed = store.watches.acknowledge(args.ids)
    narrate(f"acknowledged {plural(len(changed), 'watch')}")


def _lift(store: Store, args: argparse.Namespace) -> None:
    changed = store.watches.lift(args.ids)
    narrate(f"ended {plural(len(changed), 'watch')}")
