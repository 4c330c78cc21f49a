"""``trailhound doctor``: check trailhound's environment, and rescue what the analyst wrote."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from detector.store import Store
from detector.store.recovery import SavedTable
from detector.text.plural import plural
from detector.text.visible import visible
from tui.commandline.doctor import Check, installation, state, terminal
from tui.commandline.narration import narrate, warn
from tui.settings import config
from tui.settings.errors import EXIT_FAILED, EXIT_OK, CommandError


def run(args: argparse.Namespace) -> int:
    if args.save:
        return _save(config.state_path(args.db), Path(args.save).expanduser())
    counts: Counter[str] = Counter()
    for check in _checks(args):
        print(visible(str(check)), flush=True)
        counts[check.status] += 1
    if not counts["problem"]:
        return EXIT_OK
    narrate(
        ", ".join(
            plural(counts[status], status) for status in ("problem", "warning") if counts[status]
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
        return  # reported above; the state that the configuration names is not known
    yield from state.state_checks(path)
    yield from installation.source_checks(names)


def _save(damaged: Path, new: Path) -> int:
    """Save what can be read; return the exit status, 1 if something was lost."""
    if not damaged.exists():
        raise CommandError(f"{damaged}: no database yet: name one with --db FILE")
    if new.exists():
        raise CommandError(f"{new} exists already: name another file")
    store = Store.open(new)
    try:
        tables = store.recovery.save(damaged)
    finally:
        store.close()
    for table in tables:
        print(f"{table.table:14} {table.rows:,} saved{_loss(table)}")
    lost = [table for table in tables if not table.whole]
    if not any(table.rows for table in tables) and lost:
        warn(f"nothing readable in {damaged}: restore it from a backup")
        return EXIT_FAILED
    advice = f"rescan the logs with --db {new} to restore the alerts"
    if not lost:
        narrate(f"recovered: {advice}")
        return EXIT_OK
    names = ", ".join(table.table for table in lost)
    warn(f"recovered what is readable, not all of {names}: {advice}")
    return EXIT_FAILED


def _loss(table: SavedTable) -> str:
    if table.whole:
        return ""
    if table.lost is None:
        return "; more was lost, amount unknown"
    return f"; {table.lost:,} could not be read"
