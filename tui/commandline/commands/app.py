"""Open the app on the named sources or on the demo."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tui.commandline import app_bridge
from tui.settings.errors import EXIT_OK, CommandError
from tui.terminal import hangup
from tui.terminal.encoding import is_utf8, locale_warning
from tui.terminal.output import is_error_redirected, is_terminal

if TYPE_CHECKING:
    from detector.simulate.replay import TrailClock
    from tui.model.opened import Opened


def run(args: argparse.Namespace) -> int:
    _require_terminal()
    keys = _configured_keys()
    if not args.demo:
        _require_rule_files(args.rules)
    hangup.watch_terminal()
    if not args.demo and not args.sources and not _choose_sources(args, keys):
        return EXIT_OK
    with ExitStack() as resources:
        if args.demo:
            from detector.simulate.replay import TrailClock

            clock = TrailClock()
            opening = partial(_open_demo, resources, clock)
            return app_bridge.run_app(opening, "demo, simulated", keys, clock)
        opening = partial(_open_sources, args, resources)
        return app_bridge.run_app(
            opening, " ".join(args.sources) or "showing the database alone", keys
        )


def _require_terminal() -> None:
    for name, stream in (("input", sys.stdin), ("output", sys.stdout)):
        if not is_terminal(stream):
            raise CommandError(
                f"the app needs a terminal, and standard {name} is none: "
                "use trailhound scan or trailhound tail"
            )
    drawn_on = sys.stdout if is_error_redirected() else sys.stderr
    if not is_utf8(drawn_on.encoding):
        raise CommandError(f"the app needs UTF-8, not {drawn_on.encoding}: export LC_ALL=C.UTF-8")
    if os.environ.get("TERM") in ("dumb", "unknown"):
        raise CommandError(
            f"TERM={os.environ['TERM']} is not supported: set TERM to your terminal type, "
            "or use trailhound scan or trailhound tail"
        )


def _require_rule_files(names: list[str]) -> None:
    for name in names:
        if not Path(name).expanduser().exists():
            raise CommandError(f"{name}: no such rule file or folder: check the name")


def _configured_keys() -> Mapping[str, str]:
    from tui.settings import config

    if not config.load_config().keys:
        return {}  # without importing every screen to check them
    return app_bridge.configured_keys()


def _choose_sources(args: argparse.Namespace, keys: Mapping[str, str]) -> bool:
    """Use the configured sources, or ask for sources if no state exists.

    Sets ``args.sources`` and ``args.demo``. Returns False if the analyst chose to leave.
    """
    from tui.settings import config

    args.sources = [os.path.expanduser(name) for name in config.load_config().sources]
    if args.sources or config.state_path(args.db).exists():
        return True
    choice = app_bridge.choose_source(keys)
    if choice is None:
        return False
    args.sources, args.demo = choice
    return True


def _open_sources(args: argparse.Namespace, resources: ExitStack) -> Opened:
    from detector.ingest.pipeline import Pipeline
    from detector.inventory.inventory_files import InventoryError, use_inventory
    from detector.store import Store
    from tui.commandline.inputs import (
        decision_author,
        inventory_files,
        load_risk,
        load_rules,
        open_named_sources,
        retention_seconds,
    )
    from tui.model.opened import Opened
    from tui.settings import config
    from tui.settings.session_file import SessionFile

    with suppress(InventoryError):  # the app reports it when it reads the files again
        use_inventory(inventory_files().load())
    source = open_named_sources(args.sources, live=True, allow_buckets=args.allow_bucket)
    resources.callback(source.close)
    rules = load_rules(args)
    store = Store.open(config.state_path(args.db), author=decision_author(args))
    resources.callback(store.close)
    make_pipeline = None
    if args.sources and not store.read_only:
        make_pipeline = partial(
            Pipeline, store, source=source, risk=load_risk(), retention=retention_seconds()
        )
    session = None
    if store.path is not None and not args.no_session:
        session = SessionFile(store.path)
    settings = config.load_config()
    return Opened(
        store,
        rules,
        make_pipeline,
        session,
        inventory_files(),
        settings.require,
        settings.bell,
        locale_warning(os.environ),
    )


def _open_demo(resources: ExitStack, clock: TrailClock) -> Opened:
    """Open an in-memory state on a folder that a thread fills."""
    from detector.ingest.pipeline import Pipeline
    from detector.rules.ruleset import load
    from detector.simulate.replay import replay
    from detector.sources.directory import Directory
    from detector.store import Store
    from tui.model.opened import Opened

    rules = load()
    folder = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="trailhound-demo-")))
    store = Store.open(None, clock)
    resources.callback(store.close)
    stop = threading.Event()
    replaying = threading.Thread(target=replay, args=(folder, stop, clock))
    replaying.start()
    # callbacks run in reverse order: the replay is stopped, then joined, then the store is closed
    resources.callback(replaying.join)
    resources.callback(stop.set)
    make_pipeline = partial(Pipeline, store, source=Directory([folder]), clock=clock)
    return Opened(store, rules, make_pipeline)
