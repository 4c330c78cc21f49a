"""The app, on the named sources, or on the demo's."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tui.settings.errors import EXIT_OK, CommandError
from tui.terminal import hangup

if TYPE_CHECKING:
    from detector.simulate.replay import TrailClock
    from tui.model.opened import Opened


def run(args: argparse.Namespace) -> int:
    _need_terminal()
    keys = _keys()
    for name in [] if args.demo else args.rules:
        if not Path(name).expanduser().exists():
            raise CommandError(f"{name}: no such rule file or folder: check the name")
    hangup.watch()
    if not args.demo and not args.sources and not _choose(args, keys):
        return EXIT_OK
    from tui.app import app

    with ExitStack() as held:
        if args.demo:
            from detector.simulate.replay import TrailClock

            clock = TrailClock()
            return app.run(partial(_demo, held, clock), "demo, simulated", keys, clock)
        return app.run(partial(_hunt, args, held), " ".join(args.sources) or "no source", keys)


def _need_terminal() -> None:
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise CommandError(
            "the app needs a terminal: use trailhound scan or trailhound tail instead"
        )
    if os.environ.get("TERM") in ("dumb", "unknown"):
        raise CommandError(
            f"TERM={os.environ['TERM']} cannot be drawn on: set TERM to what your terminal is, "
            "or use trailhound scan or trailhound tail"
        )


def _keys() -> Mapping[str, str]:
    """The analyst's own; where there are none, no screen need be imported to know."""
    from tui.settings import config

    if not config.load_config().keys:
        return {}
    from tui.app.key_remap import configured

    return configured()


def _choose(args: argparse.Namespace, keys: Mapping[str, str]) -> bool:
    """Nothing is named: take what is configured; where nothing was ever read either, let the
    analyst choose. Whether there is anything to open."""
    from tui.settings import config

    args.sources = [os.path.expanduser(name) for name in config.load_config().sources]
    if args.sources or config.state_path(args.db).exists():
        return True
    from tui.app import welcome_app

    chosen = welcome_app.ask(keys)
    args.demo = chosen == welcome_app.DEMO
    args.sources = [] if args.demo or chosen is None else [chosen]
    return chosen is not None


def _hunt(args: argparse.Namespace, held: ExitStack) -> Opened:
    from detector.ingest.pipeline import Pipeline
    from detector.store import Store
    from tui.commandline.commands.common import (
        load_risk,
        load_rules,
        open_named_sources,
        retention_seconds,
    )
    from tui.model.opened import Opened
    from tui.settings import config
    from tui.settings.session_file import SessionFile

    source = open_named_sources(args.sources, live=True)
    held.callback(source.close)
    rules = load_rules(args)
    store = Store.open(config.state_path(args.db))
    held.callback(store.close)
    if store.read_only:
        return Opened(store, rules, None)
    pipeline = Pipeline(store, rules, source, risk=load_risk(), retention=retention_seconds())
    return Opened(
        store,
        rules,
        pipeline,
        None if args.no_session or store.path is None else SessionFile(store.path),
    )


def _demo(held: ExitStack, clock: TrailClock) -> Opened:
    from detector.ingest.pipeline import Pipeline
    from detector.rules.ruleset import load
    from detector.simulate.replay import replay
    from detector.sources.directory import Directory
    from detector.store import Store
    from tui.model.opened import Opened

    rules = load()
    folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="trailhound-demo-")))
    store = Store.open(None, clock)
    held.callback(store.close)
    stop = threading.Event()
    replaying = threading.Thread(target=replay, args=(folder, stop, clock))
    replaying.start()
    held.callback(replaying.join)
    held.callback(stop.set)
    return Opened(store, rules, Pipeline(store, rules, Directory([folder]), clock=clock))
