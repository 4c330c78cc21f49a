"""``trailhound status``: show what the state holds, and where files are."""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from detector.detection.alert import STATUSES
from detector.store import Freshness, Store, reference_time
from detector.text.json_output import json_line
from detector.text.plural import plural
from detector.text.time import format_time
from detector.text.visible import visible
from tui.commandline.narration import accounting_sums, completeness_lines
from tui.settings import config
from tui.settings.errors import EXIT_OK

_MAX_LINES = 20
"""Maximum number of lines under one heading before they are folded."""


def run(args: argparse.Namespace) -> int:
    path = config.state_path(args.db)
    config_path = config.config_path()
    if args.format == "jsonl":
        print(json_line(_status_object(path, config_path)))
        return EXIT_OK
    print(f"configuration  {config_path}{'' if config_path.exists() else ' (none)'}")
    if not path.exists():
        print(f"state          {path} (none yet)")
        return EXIT_OK
    store = Store.look(path)
    try:
        for line in _state_lines(store, path, time.time(), args.all):
            print(line)
    finally:
        store.close()
    return EXIT_OK


def _status_object(path: Path, config_path: Path) -> dict[str, Any]:
    """Return what the state holds as a JSON object; without a state, only the paths."""
    status: dict[str, Any] = {
        "configuration": _text(config_path),
        "state": _text(path),
        "exists": path.exists(),
    }
    if not status["exists"]:
        return status
    store = Store.look(path)
    try:
        regions = store.completeness.freshness()
        now = reference_time(regions, time.time())
        alerts = store.alerts.all()
        newest = store.files.newest_event_time()
        return {
            **status,
            "bytes": path.stat().st_size,
            "in_use_by": store.holder,
            "accounting": msgspec.to_builtins(store.files.accounting()),
            "newest_event": None if newest is None else format_time(newest),
            "alerts": {
                "total": len(alerts),
                **{name: sum(each.status == name for each in alerts) for name in STATUSES},
                "suppressed": sum(each.suppressed_by is not None for each in alerts),
                "unassigned": sum(not each.assignee for each in alerts),
            },
            "notes": len(store.triage.notes()),
            "suppressions": sum(each.active(time.time()) for each in store.suppressions.all()),
            "regions": [_region_object(region, now) for region in regions],
            "waiting": [_file_object(file.path, file.detail) for file in store.files.waiting()],
            "quarantine": [
                _file_object(file.path, file.detail) for file in store.quarantine.files()
            ],
            "incomplete": completeness_lines(store, False),
        }
    finally:
        store.close()


def _region_object(region: Freshness, now: float) -> dict[str, Any]:
    return {
        "account": region.account,
        "region": region.region,
        "files": region.files,
        "bytes": region.bytes,
        "records": region.records,
        "newest": format_time(region.newest),
        "cadence": region.cadence,
        "quarantined": region.failed,
        "verdict": _verdict(region, now),
    }


def _file_object(path: str, detail: str | None) -> dict[str, Any]:
    return {"path": _text(path), "reason": detail}


def _text(path: Path | str) -> str:
    return os.fsencode(path).decode(errors="backslashreplace")


def _state_lines(store: Store, path: Path, now: float, unfolded: bool) -> Iterator[str]:
    alerts = store.alerts.all()
    holder = f", in use by {store.holder}" if store.holder else ""
    yield f"state          {path} ({path.stat().st_size / 1e6:,.1f} MB{holder})"
    for line in accounting_sums(store.files.accounting()):
        name, rest = line.split(" ", 1)
        yield f"{name:14} {rest}"
    yield from source_lines(store, now, unfolded)
    newest = store.files.newest_event_time()
    yield f"newest event   {'none' if newest is None else format_time(newest)}"
    counts = Counter(alert.status for alert in alerts)
    by_status = ", ".join(
        f"{counts[status]:,} {status}" for status in ("open", "acknowledged", "closed")
    )
    suppressed = sum(alert.suppressed_by is not None for alert in alerts)
    yield f"alerts         {len(alerts):,}: {by_status}; {suppressed:,} suppressed"
    yield f"notes          {len(store.triage.notes()):,}"
    active = sum(suppression.active(now) for suppression in store.suppressions.all())
    yield f"suppressions   {active:,} active"


def source_lines(store: Store, now: float, unfolded: bool) -> Iterator[str]:
    """Yield lines on the freshness of regions, waiting and quarantined files, and what is missing.

    If there are many regions, only those that are late or have quarantined files are listed.
    """
    regions = store.completeness.freshness()
    now = reference_time(regions, now)
    shown = regions
    if not unfolded and len(regions) > _MAX_LINES:
        shown = [region for region in regions if region.failed or _verdict(region, now) == "late"]
    if len(shown) < len(regions):
        yield _regions_line(regions, now)
    yield from _folded("region", [_region_line(region, now) for region in shown], unfolded)
    waiting = [f"{file.path}: {file.detail}" for file in store.files.waiting()]
    yield from _folded("waiting", waiting, unfolded)
    quarantined = [f"{file.path}: {file.detail}" for file in store.quarantine.files()]
    yield from _folded("quarantine", quarantined, unfolded)
    yield from _folded("incomplete", completeness_lines(store, False), unfolded)


def _folded(name: str, lines: Sequence[str], unfolded: bool) -> Iterator[str]:
    limit = len(lines) if unfolded else _MAX_LINES
    yield from (f"{name:14} {visible(line)}" for line in lines[:limit])
    if len(lines) > limit:
        yield f"{'':14} and {len(lines) - limit:,} more: --all lists them"


def _regions_line(regions: Sequence[Freshness], now: float) -> str:
    """Summarize all regions on one line."""
    accounts = {region.account for region in regions}
    verdicts = Counter(_verdict(region, now) for region in regions)
    by_verdict = ", ".join(f"{count:,} {verdict}" for verdict, count in sorted(verdicts.items()))
    newest = max(region.newest for region in regions)
    return (
        f"{'regions':14} {len(regions):,} in {plural(len(accounts), 'account')}: {by_verdict}"
        f"; newest delivery {format_time(newest)}; --all lists them"
    )


def _region_line(region: Freshness, now: float) -> str:
    cadence = "no cadence yet"
    if region.cadence is not None:
        cadence = f"every {region.cadence / 60:,.0f} min"
    failed = f", {region.failed:,} in quarantine" if region.failed else ""
    return (
        f"{region.account} {region.region:15} {region.files:>9,} files"
        f"  {region.bytes / 1e6:>9,.1f} MB  {region.records:>11,} records"
        f"  newest {format_time(region.newest)}  {cadence}, {_verdict(region, now)}{failed}"
    )


def _verdict(region: Freshness, now: float) -> str:
    if region.late(now) and not region.vouched(now):
        return "late"
    return "proven by digests" if region.proven else "up to date"
