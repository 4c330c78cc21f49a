"""Helpers of the command line's tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.detector.trail import REFERENCE_FILE, call, sweep, write

ONLY_REFERENCE = ["--no-builtin", "--rules", str(REFERENCE_FILE)]


class Ran(NamedTuple):
    """The result of a command."""

    status: int
    out: str
    err: str

    @property
    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Cli = Callable[..., Ran]


def one_line(ran: Ran, status: int, *words: str) -> None:
    assert (ran.status, ran.out) == (status, "")
    assert ran.err.count("\n") == 1, ran.err
    assert ran.err.startswith("trailhound")
    for word in words:
        assert word in ran.err


def two_sweeps(folder: Path) -> Path:
    """Write two sweeps of Ana's, five minutes apart, and another call."""
    write(folder, "a.json", [*sweep(10), call(eventName="DescribeRegions", event_id="other")])
    write(folder, "b.json", sweep(11, 300))
    return folder
