"""Trails for tests: records, ways to deliver them, and runs that read them."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import detector.rules
from detector.detection.alert import Alert
from detector.ingest.pipeline import Pipeline, Update
from detector.rules.ruleset import RuleSet, load
from detector.sources.accounting import Accounting
from detector.sources.directory import Directory
from detector.store import Store

REFERENCE = "393ef120-63d1-11ef-8e38-f661ea17fbce"
START = 1_772_359_200  # 2026-03-01T10:00:00Z, on the edge of a window
ACCOUNT = "111122223333"
ANA = f"arn:aws:iam::{ACCOUNT}:user/ana"
REGIONS = (
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-west-2",
)

Raw = dict[str, Any]


def stamp(seconds: int) -> str:
    """An eventTime, ``seconds`` after START."""
    return (datetime(2026, 3, 1, 10) + timedelta(seconds=seconds)).isoformat() + "Z"


def call(
    at: int = 0,
    region: str = "us-east-1",
    event_id: str | None = None,
    arn: str | None = ANA,
    **changed: Any,
) -> Raw:
    """A call to DescribeInstances, ``at`` seconds after START; elements of the record may be
    changed or, by None, left out. Its eventID tells when, where and by whom unless one is given.
    """
    identity = {
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLE",
        "accountId": ACCOUNT,
        "accessKeyId": "AKIAEXAMPLE",
    }
    record = {
        "eventVersion": "1.11",
        "userIdentity": identity if arn is None else {**identity, "arn": arn},
        "eventTime": stamp(at),
        "eventSource": "ec2.amazonaws.com",
        "eventName": "DescribeInstances",
        "awsRegion": region,
        "sourceIPAddress": "203.0.113.7",
        "userAgent": "aws-cli/2.17.0",
        "requestParameters": {"filterSet": {}},
        "responseElements": None,
        "eventType": "AwsApiCall",
        "eventID": event_id if event_id is not None else f"{arn or 'nobody'}-{at}-{region}",
        "readOnly": True,
        "managementEvent": True,
        "eventCategory": "Management",
        "recipientAccountId": ACCOUNT,
    }
    return {name: value for name, value in {**record, **changed}.items() if value is not None}


def sweep(count: int = 10, at: int = 0, **changed: Any) -> list[Raw]:
    """The call in ``count`` regions within a second."""
    return [call(at, region, **changed) for region in REGIONS[:count]]


def document(records: Iterable[Raw], **layout: Any) -> bytes:
    """A trail file."""
    return json.dumps({"Records": list(records)}, **layout).encode()


def lines(records: Iterable[Raw]) -> bytes:
    """JSON Lines."""
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


def members(data: bytes, size: int) -> bytes:
    """``data`` in gzip members of ``size`` bytes each."""
    return b"".join(
        gzip.compress(data[at : at + size], 1, mtime=0) for at in range(0, len(data), size)
    )


def write(folder: Path, name: str, data: bytes | Sequence[Raw]) -> Path:
    """A file of these bytes, or a trail file of these records, in a folder that is made where it is
    missing."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else document(data))
    return path


REFERENCE_FILE = (
    Path(detector.rules.__file__).with_name("builtin")
    / "discovery_ec2_multi_region_describe_instances.toml"
)


@cache
def rules(mode: str = "tumbling", *paths: Path) -> RuleSet:
    """The reference rule alone, and those named."""
    return load([REFERENCE_FILE, *paths], builtin=False, mode=mode)  # type: ignore[arg-type]


@cache
def builtin_rules() -> RuleSet:
    """The built-in rules, whose queries are compiled once for all tests."""
    return load()


class Run(NamedTuple):
    """What a run came to."""

    alerts: list[Alert]
    accounting: Accounting
    updates: list[Update]

    @property
    def problems(self) -> list[str]:
        return [problem for update in self.updates for problem in update.problems]

    @property
    def facts(self) -> list[Raw]:
        """What an alert says apart from how it came about, the earliest window first."""
        told = [alert.as_json() for alert in reversed(self.alerts)]
        return [
            {
                name: value
                for name, value in each.items()
                if name not in ("revision", "supersedes", "state")
            }
            for each in told
        ]


def outcome(store: Store, updates: Sequence[Update] = ()) -> Run:
    return Run(store.alerts.all(), store.files.accounting(), list(updates))


def scan(
    *roots: Path,
    store: Store | None = None,
    mode: str = "tumbling",
    jobs: int = 1,
    by: RuleSet | None = None,
    **given: Any,
) -> Run:
    """One scan of these roots, into ``store`` or one of its own."""
    held = store or Store.open(None)
    updates: list[Update] = []
    try:
        Pipeline(held, by or rules(mode), Directory(roots), jobs, **given).scan(updates.append)
        return outcome(held, updates)
    finally:
        if store is None:
            held.close()


class Stepping(Directory):
    """Never waits: after each sweep the next step is taken, and after the last sweep the run is
    told to stop."""

    def __init__(self, roots: Sequence[Path], steps: Iterable[Callable[[], Any]]) -> None:
        super().__init__(roots)
        self._steps = iter(steps)

    def wait(self, stop: threading.Event, seconds: float) -> None:
        step = next(self._steps, stop.set)
        step()


def watch(
    store: Store,
    root: Path | Sequence[Path],
    *steps: Callable[[], Any],
    mode: str = "tumbling",
    by: RuleSet | None = None,
    **given: Any,
) -> Run:
    """A live run on ``root``: a sweep, and one more after each step."""
    roots = [root] if isinstance(root, Path) else root
    updates: list[Update] = []
    Pipeline(store, by or rules(mode), Stepping(roots, steps), 1, **given).run(
        threading.Event(), updates.append
    )
    return outcome(store, updates)


def adds_up(sums: Accounting) -> bool:
    """Whether no part is negative and both sums hold (the totals are told by the parts, so this
    looks at those)."""
    counts = [
        sums.files_read,
        sums.files_waiting,
        *sums.files_skipped.values(),
        *sums.files_quarantined.values(),
        sums.records_seen,
        sums.records_counted,
        sums.records_duplicate,
        sums.records_read,
        *sums.records_skipped.values(),
        *sums.records_rejected.values(),
    ]
    return min(counts) >= 0
