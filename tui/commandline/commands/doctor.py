"""``trailhound doctor``: whether all is well where trailhound runs; and what the analyst wrote, saved from a state that
is damaged."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

from detector.store import Store
from detector.text.visible import visible
from tui.commandline.commands.common import narrate
from tui.commandline.doctor import Check, installation, state, terminal
from tui.settings import config
from tui.settings.errors import EXIT_FAILED, EXIT_OK, CommandError


def run(args: argparse.Namespace) -> int:
    if args.save:
        _save(config.state_path(args.db), Path(args.save).expanduser())
        return EXIT_OK
    counts = {"problem": 0, "warning": 0}
    for check in _checks(args):
        print(visible(str(check)), flush=True)
        if check.status in counts:
            counts[check.status] += 1
    if counts["problem"]:
        narrate(
            ", ".join(
                f"{count} {verdict}{'' if count == 1 else 's'}"
                for verdict, count in counts.items()
                if count
            )
        )
    return EXIT_FAILED if counts["problem"] else EXIT_OK


def _checks(args: argparse.Namespace) -> Iterator[Check]:
    yield from installation.versions()
    yield from terminal.terminal_checks(os.environ)
    yield from installation.configuration()
    try:
        path, names = config.state_path(args.db), [*args.sources, *config.load_config().sources]
    except CommandError:
        return  # it was said of the configuration, and nothing can be known of what it names
    yield from state.state_checks(path)
    yield from installation.sources(names)


def _save(damaged: Path, new: Path) -> None:
    if not damaged.exists():
        raise CommandError(f"{damaged}: there is no state yet: name one with --db FILE")
    if new.exists():
        raise CommandError(f"{new} exists and is left as it is: name another file")
    store = Store.open(new)
    try:
        for saved in store.recovery.save(damaged):
            print(
                f"{saved.table:14} {saved.rows:,} saved{'' if saved.whole else '; more was lost'}"
            )
    finally:
        store.close()
    narrate(f"saved what you wrote: read the logs with --db {new}, and it finds its alerts")
