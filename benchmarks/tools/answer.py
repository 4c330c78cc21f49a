"""The reference rule as a person would script it."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.rule import NEEDED, WINDOW


def files() -> list[Path]:
    """Return the files below the folder named on the command line."""
    return sorted(path for path in Path(sys.argv[1]).rglob("*") if path.is_file())


def print_alerts(records: Iterable[dict[str, Any]]) -> None:
    """Print one line for each principal and window that match the rule."""
    regions: dict[tuple[int, str], set[str]] = defaultdict(set)
    for record in records:
        if (
            record["eventName"] == "DescribeInstances"
            and record["eventSource"] == "ec2.amazonaws.com"
        ):
            time = int(datetime.fromisoformat(record["eventTime"]).timestamp())
            regions[time // WINDOW * WINDOW, record["userIdentity"].get("arn")].add(
                record["awsRegion"]
            )
    for (start, arn), names in regions.items():
        if len(names) >= NEEDED:
            print(start, arn, len(names))
