"""Open the bench that the workbench commands use: rule, state and sources."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence
from pathlib import Path

from detector.ingest.pipeline import Update
from detector.sources.source import Source
from detector.store import Store
from detector.workbench.backtest import Judgements
from detector.workbench.bench import Bench, LogScan, find_rule, state_judgements
from tui.commandline.inputs import load_rules, open_named_sources, use_names
from tui.commandline.narration import show_progress, warn
from tui.settings import config
from tui.settings.errors import CommandError


def open_bench(args: argparse.Namespace, stack: contextlib.ExitStack) -> Bench:
    """Open the bench that the command line names.

    If sources are named, the bench reads them, and the state supplies only decisions. Raises
    VariantError and CommandError."""
    use_names()
    if Path(args.rule).expanduser().is_file():
        args.rules = [*args.rules, args.rule]
    rules = load_rules(args)
    rule = find_rule(rules, args.rule)
    store = _open_state(args, stack)
    judgements = Judgements() if store is None else state_judgements(store)
    names: Sequence[str] = args.sources
    if not names:
        if store is None:
            raise CommandError("no database yet: name files or folders of logs, or --db FILE")
        names = [row.path for row in store.files.all() if row.state == "read"]

    def open_source() -> Source:
        return open_named_sources(names, live=False, allow_buckets=args.allow_bucket)

    scan = LogScan(open_source, _narrate_reading, args.jobs) if names else None
    return Bench(rules, rule, judgements, None if args.sources else store, scan)


def _open_state(args: argparse.Namespace, stack: contextlib.ExitStack) -> Store | None:
    """Open the state for looking; None if it does not exist and was not named."""
    path = config.state_path(args.db)
    if not path.exists():
        if args.db:
            raise CommandError(f"{path}: no database yet: check the name")
        return None
    store = Store.look(path)
    stack.callback(store.close)
    return store


def _narrate_reading(update: Update) -> None:
    for problem in update.problems:
        warn(problem)
    if not update.live:
        accounting = update.accounting
        show_progress(f"read {accounting.files_read:,} files, {accounting.records_seen:,} records")
