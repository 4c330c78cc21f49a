"""``trailhound doctor``: check where trailhound runs, and rescue what the analyst wrote."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from detector.store import Store
from detector.text.visible import visible
from tui.commandline.doctor import Check, installation, state, terminal
from tui.commandline.narration import count_of, narrate
from tui.settings import config
from tui.settings.errors import EXIT_FAILED, EXIT_OK, CommandError


def run(args: argparse.Namespace) -> int:
    if args.save:
        _save(config.state_path(args.db), Path(args.save).expanduser())
        return EXIT_OK
    counts: Counter[str] = Counter()
    for check in _checks(args):
        print(visible(str(check)), flush=True)
        counts[check.status] += 1
    if not counts["problem"]:
        return EXIT_OK
    narrate(
        ", ".join(
            count_of(counts[status], status) for status in ("problem", "warning") if counts[status]
        )
    )
    return EXIT_FAILED


def _checks(args: argparse.Namespace) -> Iterator[Check]:
    yield from installation.version_checks()
    yield from terminal.terminal_checks(os.environ)
    yield from installation.configuration_checks()
    try:
        path = config.state_path(args.db)
        names = [*args.sources, *config.load_config().sources]
    except CommandError:
        return  # the configuration was reported above, and what it names is not known
    yield from state.state_checks(path)
    yield from installation.source_checks(names)


def _save(damaged: Path, new: Path) -> None:
    if not damaged.exists():
        raise CommandError(f"{damaged}: there is no state yet: name one with --db FILE")
    if new.exists():
        raise CommandError(f"{new} exists and is left as it is: name another file")
    store = Store.open(new)
    try:
        for table in store.recovery.save(damaged):
            loss = "" if table.whole else "; more was lost"
            print(f"{table.table:14} {table.rows:,} saved{loss}")
    finally:
        store.close()
    narrate(f"saved what you wrote: read the logs with --db {new}, and it finds its alerts")
