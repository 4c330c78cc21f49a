"""``trailhound backfill spark``: read days of a trail on a cluster into a database."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
from dataclasses import replace
from pathlib import Path

from detector.backfill.spans import Span
from detector.backfill.spark.engine_protocol import Engine, EngineError
from detector.backfill.spark.load_days import LoadError
from detector.backfill.spark.run import Backfill, DayPlan
from detector.backfill.spark.trail_days import plan_by_inventory, plan_by_pattern
from detector.backfill.trail_location import (
    LocationError,
    TrailLocation,
    locate_folder,
    parse_location,
)
from detector.detection.correlate import SIGNAL_REACH
from detector.store import Store
from detector.text.installation import extra_command
from detector.text.plural import plural
from tui.commandline.commands.backfill.folders import asked_span, check_folders
from tui.commandline.inputs import load_risk, load_rules
from tui.commandline.narration import accounting_sums, narrate, warn
from tui.commandline.termination import terminated_as_interrupted
from tui.settings import config
from tui.settings.errors import EXIT_OK, CommandError, UsageError

_S3 = ("s3://", "s3a://")
_MOST_NAMED = 20
"""Maximum number of unreadable files to name; the accounting counts all of them."""


def run(args: argparse.Namespace) -> int:
    location, scheme = _locate(args)
    work = _work_folder(args.work, location)
    asked = asked_span(args)
    rules = load_rules(args)
    margin = max(rules.longest_window, SIGNAL_REACH)
    span = Span(asked.start - margin, asked.end + margin)
    risk = load_risk()
    db = config.state_path(args.db)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(terminated_as_interrupted())
            # Before opening the state, so that a backfill that cannot start does not create it.
            engine = _open_engine(args, work, scheme, stack)
            days = _plan(args, engine, location, span)
            store = stack.enter_context(contextlib.closing(Store.open(db)))
            problems = Backfill(engine, days, store, rules, risk, narrate).run()
        except (EngineError, LoadError, OSError) as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            raise CommandError(
                f"interrupted: run the same command again to go on; days read are in {work}"
            ) from None
        for file in store.quarantine.files()[:_MOST_NAMED]:
            warn(f"quarantined: {file.path}: {file.detail}")
        for problem in problems[:_MOST_NAMED]:
            warn(problem)
        if len(problems) > _MOST_NAMED:
            more = plural(len(problems) - _MOST_NAMED, "more file")
            warn(f"flags may be missing: {more} could not be searched")
        for line in accounting_sums(store.files.accounting()):
            narrate(line)
        narrate(plural(len(store.alerts.all()), "alert"))
    narrate(f"then: trailhound alerts --db {shlex.quote(str(db))}")
    return EXIT_OK


def _locate(args: argparse.Namespace) -> tuple[TrailLocation, str]:
    """Return the trail, and the scheme by which the cluster reads S3."""
    check_folders(args)
    scheme = "s3"
    try:
        if args.source.startswith(_S3):
            scheme, _, rest = args.source.partition("://")
            location = parse_location(f"s3://{rest}")
        elif "://" in args.source:
            raise UsageError(f"{args.source}: name a folder, or s3://BUCKET/PREFIX")
        else:
            if not os.path.isdir(args.source):
                raise CommandError(f"{args.source}: no such folder: check the name")
            location = locate_folder(Path(args.source))
    except LocationError as error:
        raise UsageError(str(error)) from None
    accounts = tuple(sorted(set(args.accounts))) or location.accounts
    regions = tuple(sorted(set(args.regions))) or location.regions
    return replace(location, accounts=accounts, regions=regions), scheme


def _work_folder(text: str, location: TrailLocation) -> str:
    work = text.rstrip("/")
    if work.startswith(_S3):
        work = f"s3://{work.partition('://')[2]}"
    elif "://" not in work:
        work = os.path.abspath(work)
    if f"{work}/".startswith(location.url):
        raise UsageError(f"--work {text}: this is in the trail: name a place beside it")
    return work


def _open_engine(
    args: argparse.Namespace, work: str, scheme: str, stack: contextlib.ExitStack
) -> Engine:
    try:
        from detector.backfill.spark.spark_engine import SparkEngine
    except ImportError as error:
        raise CommandError(f"backfill spark needs {error.name}: {extra_command('spark')}") from None
    engine = SparkEngine.connect(work, scheme, args.master, args.remote)
    stack.callback(engine.close)
    return engine


def _plan(
    args: argparse.Namespace, engine: Engine, location: TrailLocation, span: Span
) -> list[DayPlan]:
    if args.inventory is None:
        return plan_by_pattern(location, span)
    manifest = args.inventory if "://" in args.inventory else os.path.abspath(args.inventory)
    days = plan_by_inventory(location, span, engine.inventory_folders(manifest))
    if not any(day.patterns for day in days):
        raise CommandError(f"{args.inventory}: no file of these days of {location.url} is in it")
    return days
