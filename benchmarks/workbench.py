"""The workbench: variants over 31 days of hits, as cursor keys request them, and a grid of 40."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.process import apart
from benchmarks.report import Report, at_most
from benchmarks.scale import QUICK, Scale

_START = 1_772_323_200
_REGIONS = [f"region-{number}" for number in range(17)]
_HOURLY, _POLLING = 8, 2
"""Roles that list all regions every hour, and roles that list two regions every minute."""
_RULE = "393ef120-63d1-11ef-8e38-f661ea17fbce"


def workbench(scale: Scale, folder: Path) -> Report:
    """Measure variants of the reference rule over what a state holds of 31 days."""
    days = 4 if scale.rounds == QUICK.rounds else 31
    measured = apart(_measure, folder, days)
    variants = measured["variants"]
    rows = [
        ("", "CPU"),
        (f"hits: {measured['hits']:,}, alerts: {measured['alerts']:,}", ""),
        ("open the workbench: read the hits, find what fires now", f"{measured['open']:.2f} s"),
        ("a variant, median", f"{median(variants) * 1e3:.0f} ms"),
        ("a variant, slowest of its kind", f"{max(variants) * 1e3:.0f} ms"),
        ("a variant that was asked before", f"{measured['again'] * 1e3:.0f} ms"),
        ("a grid of 40", f"{measured['grid']:.2f} s"),
    ]
    budgets = [
        at_most(f"workbench: a variant over {days} days", 200, max(variants) * 1e3, "{:.0f} ms"),
        at_most("workbench: a grid of 40", 5, measured["grid"], "{:.2f} s"),
    ]
    return Report(f"Workbench, {days} days held", rows, budgets=budgets)


def _records(days: int) -> Iterator[dict[str, Any]]:
    for minute in range(days * 24 * 60):
        begun = _START + 60 * minute
        callers: list[tuple[str, Sequence[str]]] = [
            (f"poller-{number}", _REGIONS[number : number + 2]) for number in range(_POLLING)
        ]
        if minute % 60 < _HOURLY:
            callers.append((f"inventory-{minute % 60}", _REGIONS))
        for name, regions in callers:
            for number, region in enumerate(regions):
                yield _record(name, region, begun + number, f"{name}-{minute}-{number}")


def _record(name: str, region: str, seconds: int, event_id: str) -> dict[str, Any]:
    arn = f"arn:aws:sts::111122223333:assumed-role/{name}/nightly"
    return {
        "eventVersion": "1.11",
        "userIdentity": {"type": "AssumedRole", "arn": arn, "accountId": "111122223333"},
        "eventTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)),
        "eventSource": "ec2.amazonaws.com",
        "eventName": "DescribeInstances",
        "awsRegion": region,
        "sourceIPAddress": "203.0.113.7",
        "userAgent": "Boto3/1.40",
        "eventID": event_id,
        "eventCategory": "Management",
        "recipientAccountId": "111122223333",
    }


def _measure(folder: Path, days: int) -> dict[str, Any]:
    from detector.ingest.pipeline import Pipeline
    from detector.rules.ruleset import load
    from detector.sources.directory import Directory
    from detector.store import Store
    from detector.workbench.bench import Bench, state_judgements
    from detector.workbench.settings import cells_of, parse_grid

    logs = folder / "logs"
    logs.mkdir()
    with (logs / "a.jsonl").open("w") as file:
        file.writelines(json.dumps(record) + "\n" for record in _records(days))
    rules = load()
    rule = rules.get(_RULE)
    assert rule is not None
    with closing(Store.open(folder / "hunt.db")) as store:
        alone = rules.without([each.rule_id for each in rules if each is not rule])
        Pipeline(store, alone, Directory([logs]), 1).scan(lambda _: None)
        begun = time.process_time()
        bench = Bench(rules, rule, state_judgements(store), store, None)
        alerts = bench.backtest({}).now.alerts
        opened = time.process_time() - begun
        variants = []
        for values in (
            {"regions": 8},
            {"regions": 12},
            {"regions": 8, "events": 8},
            {"regions": 17, "events": 17},
            {"window": 60},
            {"window": 10},
            {"window": 300},
            {"regions": 12, "window": 900},
        ):
            begun = time.process_time()
            bench.backtest(values)
            variants.append(time.process_time() - begun)
        begun = time.process_time()
        bench.backtest({"regions": 8})
        again = time.process_time() - begun
        begun = time.process_time()
        cells = list(cells_of(parse_grid("regions=6..13,window=20s..90s", bench.maker)))
        assert len(cells) == 40
        for cell in cells:
            bench.counts(cell)
        return {
            "hits": bench.held({}).hits,
            "alerts": alerts,
            "open": opened,
            "variants": variants,
            "again": again,
            "grid": time.process_time() - begun,
        }
