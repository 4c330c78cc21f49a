"""Open or parse what the command line names: rules, sources, filter, times and intervals.

Every function raises CommandError or UsageError with one line that says what to do.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from detector.detection import risk
from detector.detection.alert import Alert
from detector.detection.indicator import Indicator, parse_indicators
from detector.detection.risk import RiskError, RiskTable
from detector.ecs.asn import open_asn
from detector.ecs.fields import FieldTable, field_table
from detector.ecs.geo import open_geo
from detector.filter import Fields, Filter, FilterError, parse_filter
from detector.filter.people import use_my_name
from detector.filter.schemas import ALERTS
from detector.filter.time_expressions import TimeExpressionError, span_of
from detector.ingest.garbage import uncollected
from detector.inventory.inventory_files import InventoryError, InventoryFiles, use_inventory
from detector.rules.ruleset import FileNotice, RuleSet, load
from detector.sources.open import open_sources
from detector.sources.source import NoSource, Source, SourceFile, unique_files
from detector.sources.time_bounds import Bounds, FileSnapshot
from detector.store import RETENTION, Store
from detector.store.opening.author import current_user
from detector.text.plural import plural
from detector.text.time import parse_interval
from detector.text.visible import visible
from tui.commandline.narration import narrate, warn
from tui.settings import config, saved_views
from tui.settings.errors import CommandError, UsageError

R = TypeVar("R")
_MOST_NAMES = 10


def existing_state_path(db: str | None) -> Path:
    """Return the path of the state to use, which must exist."""
    path = config.state_path(db)
    if not path.exists():
        advice = "check the name" if db else "name one with --db FILE"
        raise CommandError(f"{path}: no database yet: {advice}")
    return path


def read_list(name: str) -> str:
    """Return the text of a list from a file, or from standard input for ``-``."""
    try:
        if name == "-":
            return sys.stdin.read()
        return Path(name).expanduser().read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise CommandError(f"{name}: {error.strerror}: check the name") from None


def inventory_files() -> InventoryFiles:
    """Return the inventory files in the configuration; paths are relative to its folder."""
    folder = config.config_path().parent
    return InventoryFiles(
        [folder / Path(name).expanduser() for name in config.load_config().inventory]
    )


def use_names(files: InventoryFiles | None = None) -> None:
    """Use the names in the inventory files; if a file is in error, warn and keep the old names."""
    try:
        use_inventory((files or inventory_files()).load())
    except InventoryError as error:
        warn(str(error))


def decision_author(args: argparse.Namespace) -> str | None:
    """Return the author of decisions; None stands for the user of this system."""
    author = (getattr(args, "author", None) or config.load_config().author or "").strip()
    if getattr(args, "author", None) is not None and not author:
        raise UsageError("--author: the name is empty")
    return author or None


def load_rules(args: argparse.Namespace) -> RuleSet:
    """Load the rules that the command line and the configuration name.

    Rule files in error are narrated; the other rules are loaded.
    """
    settings = config.load_config()
    paths = [Path(name).expanduser() for name in [*settings.rules, *args.rules]]
    for path in paths:
        if not path.exists():
            raise CommandError(f"{path}: no such rule file or folder: check the name")
    asn_path = config.database_path(args.asn_db, settings.asn_db)
    geo_path = config.database_path(args.geo_db, settings.geo_db)
    now = parse_time_option(getattr(args, "now", None), "--now")
    with uncollected():  # rules and their compiled queries last
        rules = load(
            paths,
            not args.no_builtin,
            args.window,
            asn_path,
            now,
            placeholders=settings.placeholders,
            geo=geo_path,
            lookups=config.lookup_sources(),
        )
    for problem in rules.problems:
        warn(f"rule not loaded: {problem}")
    narrate_unread_files(each for each in rules.notices if not each.notice.title)
    if not len(rules):
        raise UsageError("no rules: add some with --rules, or drop --no-builtin")
    return rules


def open_fields(asn_db: str | None, geo_db: str | None) -> FieldTable:
    """Build the field table with the address databases named, or else those configured."""
    settings = config.load_config()
    asn_path = config.database_path(asn_db, settings.asn_db)
    geo_path = config.database_path(geo_db, settings.geo_db)
    asn = open_asn(asn_path) if asn_path else None
    geo = open_geo(geo_path) if geo_path else None
    return field_table(asn, geo)


def narrate_unread_files(notices: Iterable[FileNotice]) -> None:
    """Narrate which files in rule folders are not read, and why."""
    names_by_reason: dict[str, list[str]] = defaultdict(list)
    for path, notice in notices:
        names_by_reason[notice.sentence].append(str(path))
    for reason, names in names_by_reason.items():
        shown = ", ".join(names[:_MOST_NAMES])
        if len(names) > _MOST_NAMES:
            shown += f" and {plural(len(names) - _MOST_NAMES, 'other')}"
        narrate(f"{reason}: {shown}")


def open_named_sources(
    names: Sequence[str],
    live: bool,
    bounds: Bounds | None = None,
    recorded: Mapping[str, FileSnapshot] | None = None,
    allow_buckets: Sequence[str] = (),
) -> Source:
    """Open the named sources; if ``live``, their files and folders may appear later.

    ``allow_buckets`` are the buckets allowed on the command line; the configuration adds more.
    """
    allowed = [*allow_buckets, *config.load_config().allow_buckets]
    try:
        return open_sources(names, live, bounds, recorded, allowed)
    except NoSource as error:
        raise CommandError(str(error)) from None


def readable_files(source: Source) -> list[SourceFile]:
    """Return the readable files of a source, each once; narrate the others."""
    files = unique_files(source.sweep())
    for file in files:
        if file.problem is not None and file.problem[1] not in ("link", "out-of-range"):
            warn(f"not read: {file.path}: {file.problem[2]}")
    for problem in source.problems():
        warn(problem)
    return [file for file in files if file.problem is None]


def load_risk() -> RiskTable:
    """Load the risk table of flags, including the user's ``risk.toml``."""
    try:
        return risk.load_risk_table(config.config_path().with_name("risk.toml"))
    except RiskError as error:
        raise CommandError(str(error)) from None


def retention_seconds(option: str | None = None) -> int:
    """Return how many seconds windows without an alert are kept.

    The command line takes precedence over the configuration, and both over CloudTrail's retention.
    """
    if option is not None:
        return parse_interval_option(option, "--retention")
    configured = config.load_config().retention
    if configured is None:
        return RETENTION
    try:
        return parse_interval(configured)
    except ValueError as error:
        raise CommandError(f"{config.config_path()}: retention: {error}") from None


def require_ids_or_filter(args: argparse.Namespace) -> None:
    """Raise UsageError unless alerts are named either by id or by ``--filter``."""
    if bool(args.alerts) == bool(args.filter):
        raise UsageError("name alerts either by id or by --filter")


def chosen_alerts(store: Store, args: argparse.Namespace) -> list[Alert]:
    """Return the alerts that the command line names by ids or ``--filter``."""
    require_ids_or_filter(args)
    if not args.alerts:
        now = store.files.newest_event_time() or time.time()
        return list(filter(parse_filter_option(args, ALERTS, now), store.alerts.all()))
    alerts = []
    for alert_id in dict.fromkeys(args.alerts):
        alert = store.alerts.get(alert_id)
        if alert is None:
            raise CommandError(
                f"{alert_id}: no such alert, nothing was changed: trailhound alerts lists them"
            )
        alerts.append(alert)
    return alerts


def parse_time_option(text: str | None, option: str, now: int | None = None) -> int | None:
    """Parse a time as filters do; return the epoch second at which it starts.

    Relative times count from ``now``, or from the clock if ``now`` is None.
    """
    if text is None:
        return None
    try:
        start = span_of(text, time.time() if now is None else now).start
    except TimeExpressionError as error:
        raise UsageError(f"{option} {error}") from None
    if start < 0:
        raise UsageError(f"{option} {text} is before 1970")
    return int(start)


def parse_interval_option(text: str, option: str) -> int:
    """Parse an interval (90m, 12h, 7d, 2w) into seconds."""
    try:
        return parse_interval(text)
    except ValueError as error:
        raise UsageError(f"{option} {error}") from None


def parse_filter_option(args: argparse.Namespace, fields: Fields[R], now: float) -> Filter[R]:
    """Parse ``--filter``; relative times count from ``now``, in epoch seconds."""
    use_my_name(decision_author(args) or current_user())
    try:
        return parse_filter(saved_views.expand_reference(args.filter, fields.rows), fields, now)
    except FilterError as error:
        raise UsageError(f"--filter {args.filter}: {error}") from None


def read_indicators(name: str) -> tuple[Indicator, ...]:
    """Read indicators from a file, or standard input for ``-``; narrate refused ones."""
    parsed = parse_indicators(read_list(name))
    for why in parsed.refused:
        narrate(f"not looked for: {visible(why, 120)}")
    if not parsed.indicators:
        raise UsageError(f"--indicators {name}: there is no indicator in it")
    return parsed.indicators
