"""Trails for backfills, and what two states are compared by."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from detector.backfill.spark.engine_protocol import Engine
from detector.backfill.spark.run import Backfill, DayPlan
from detector.detection.risk import load_risk_table
from detector.ingest.pipeline import Pipeline
from detector.rules.ruleset import RuleSet
from detector.sources.directory import Directory
from detector.store import Store
from detector.store.packing.segment import Segment
from tests.detector.trail import ACCOUNT, Raw, document

NOW = 1_780_000_000.0
"""A clock long after the trail, so that its days are whole."""


def trail_path(root: Path, region: str, at: int, name: str) -> Path:
    """The path of a file that was delivered ``at`` seconds after START."""
    delivered = datetime(2026, 3, 1, 10) + timedelta(seconds=at)
    folder = root / f"AWSLogs/{ACCOUNT}/CloudTrail/{region}" / delivered.strftime("%Y/%m/%d")
    return folder / (
        f"{ACCOUNT}_CloudTrail_{region}_{delivered.strftime('%Y%m%dT%H%MZ')}_{name:0>16}.json.gz"
    )


def deliver(
    root: Path, region: str, at: int, name: str, records: Sequence[Raw], data: bytes = b""
) -> Path:
    """Write a trail file of these records, or of these bytes."""
    path = trail_path(root, region, at, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data or gzip.compress(document(records), 1))
    return path


def plan_days(root: Path, days: Iterable[str]) -> list[DayPlan]:
    """The days of a trail below a folder."""
    return [DayPlan(day, [f"{root}/AWSLogs/*/CloudTrail/*/{day}"]) for day in days]


def scan(root: Path, rules: RuleSet) -> Store:
    """The state of a scan."""
    store = Store.open(None, lambda: NOW)
    pipeline = Pipeline(store, rules, Directory([root]), 1, clock=lambda: NOW)
    pipeline.scan(lambda update: None)
    return store


def backfill(
    engine: Engine, days: Sequence[DayPlan], rules: RuleSet, store: Store | None = None
) -> Store:
    """The state of a backfill."""
    store = store or Store.open(None, lambda: NOW)
    run_backfill(engine, days, rules, store)
    return store


def run_backfill(
    engine: Engine, days: Sequence[DayPlan], rules: RuleSet, store: Store
) -> list[str]:
    """The problems of a backfill into a state."""
    risk = load_risk_table()
    return Backfill(engine, days, store, rules, risk, lambda line: None, lambda: NOW).run()


def picture(store: Store) -> dict[str, Any]:
    """What a state knows, row by row, but for where events are and how often it was written."""
    return {
        "alerts": {
            alert.alert_id: (alert, signals_of(store, alert.alert_id))
            for alert in sorted(store.alerts.all(), key=lambda alert: alert.alert_id)
        },
        "accounting": store.files.accounting(),
        "baseline": sorted(store.database.rows("SELECT * FROM sight")),
        "activity": store.activity.read(0, 1 << 30),
        "newest": store.files.newest_event_time(),
        "runs": sorted(store.database.rows("SELECT series_id, runs FROM term_run")),
    }


def signals_of(store: Store, alert_id: str) -> dict[str, list[str]]:
    return {
        flag: [event.event_id for event in events]
        for flag, events in store.context.signals(alert_id).items()
    }


def events(store: Store) -> dict[bytes, Any]:
    """The events that rules counted, with their matches, but for where they are."""
    found = {}
    for packed in store.database.rows("SELECT identities, body FROM segment"):
        for stored in Segment.unpack(*packed).rows():
            row = stored.row
            if row.matches:
                matches = sorted(map(repr, row.matches))
                found[stored.identity] = (row.time, row.client, row.call, matches)
    return found
