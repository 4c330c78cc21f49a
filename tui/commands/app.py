"""The app, on the named sources, or on the demo's."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
from pathlib import Path

from detector.pipeline import Pipeline
from detector.sources.directory import Directory
from detector.store import Store
from tui import config
from tui.cli import Failure
from tui.commands.common import risk_of, rules_of, sources_of


def run(args: argparse.Namespace) -> int:
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        raise Failure("the app needs a terminal: use trailhound scan or trailhound tail instead")
    if os.environ.get("TERM") in ("dumb", "unknown"):
        raise Failure(f"TERM={os.environ['TERM']} cannot be drawn on: set TERM to what your terminal is, "
                      "or use trailhound scan or trailhound tail")
    return _demo() if args.demo else _hunt(args)


def _hunt(args: argparse.Namespace) -> int:
    source = sources_of(args.sources, live=True)
    rules = rules_of(args)
    store = Store.open(config.state_path(args.db))
    from tui import app

    try:
        pipeline = None if store.read_only else Pipeline(store, rules, source, risk=risk_of())
        return app.run(store, rules, pipeline, " ".join(args.sources) or "no source")
    finally:
        source.close()
        store.close()


def _demo() -> int:
    from detector.rules import load
    from detector.simulate.replay import replay
    from tui import app

    rules = load()
    stop = threading.Event()
    with tempfile.TemporaryDirectory(prefix="trailhound-demo-") as folder:
        store = Store.open(None)
        replaying = threading.Thread(target=replay, args=(Path(folder), stop))
        replaying.start()
        try:
            return app.run(store, rules, Pipeline(store, rules, Directory([Path(folder)])), "demo, simulated")
        finally:
            stop.set()
            replaying.join()
            store.close()
