"""``trailhound doctor``: whether the state is sound, and what the analyst wrote, saved from one that is not."""

from __future__ import annotations

import argparse
from pathlib import Path

from detector.store import Damaged, Store, damages
from detector.visible import visible
from tui import config
from tui.cli import FAILED, RAN, Failure
from tui.commands.common import say


def run(args: argparse.Namespace) -> int:
    path = config.state_path(args.db)
    if not path.exists():
        raise Failure(f"{path}: there is no state yet: name one with --db FILE")
    found = damages(path) or _unreadable(path)
    for line in found:
        print(f"damaged        {visible(line)}")
    if args.save:
        _save(path, Path(args.save).expanduser())
    elif found:
        raise Failure(f"{path}: damaged: --save NEW saves what you wrote into a new state; read the logs into that one")
    else:
        print(f"sound          {path}")
    return FAILED if found and not args.save else RAN


def _unreadable(path: Path) -> list[str]:
    """Reads all that the screens show, which SQLite does not look into."""
    store = None
    try:
        store = Store.open(path)
        for reading in (store.alerts, store.notes, store.suppressions, store.files, store.accounting):
            reading()
    except Damaged:
        return ["what is in it cannot be read back"]
    finally:
        if store is not None:
            store.close()
    return []


def _save(damaged: Path, new: Path) -> None:
    if new.exists():
        raise Failure(f"{new} exists and is left as it is: name another file")
    store = Store.open(new)
    try:
        for saved in store.save(damaged):
            print(f"{saved.table:14} {saved.rows:,} saved{'' if saved.whole else '; more was lost'}")
    finally:
        store.close()
    say(f"saved what you wrote: read the logs with --db {new}, and it finds its alerts")
