"""Sizes of the benchmarks."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.corpus import Plan


@dataclass(frozen=True)
class Scale:
    rounds: int
    """Runs of each command; their median counts."""
    ordinary: Plan
    small: Plan
    storms: tuple[int, ...]
    """Number of principals in each storm."""
    memory: Plan
    """The 1× corpus of the memory benchmark."""
    watched: Plan
    """The tree that is watched while latency is measured."""
    renames: int
    appearing: Plan
    """The tree that is written while it is watched, into ``folders`` folders."""
    folders: int
    day: Plan
    """The files that arrive in the app over 24 hours."""
    pivot: Plan
    alerts_held: int
    """Alerts in the app's memory while keys are pressed."""
    calls: int
    """Number of calls in a pivot."""
    arriving: int
    """Alerts that arrive while keys are pressed."""
    before: tuple[str, ...] = ()
    """The command of an earlier version to measure as well."""


QUICK = Scale(
    rounds=2,
    ordinary=Plan(3, 1, 2_500),
    small=Plan(50, 3, 5),
    storms=(200, 600),
    memory=Plan(1, 1, 100),
    watched=Plan(98, 3, 5),
    renames=20,
    appearing=Plan(98, 3, 5),
    folders=150,
    day=Plan(288, 1, 20),
    pivot=Plan(20, 3, 200),
    alerts_held=100_000,
    calls=200_000,
    arriving=500,
)
FULL = Scale(
    rounds=5,
    ordinary=Plan(12, 1, 2_500),
    small=Plan(1_000, 3, 5),
    storms=(2_000, 20_000),
    memory=Plan(1, 1, 1_000),
    watched=Plan(2_222, 3, 5),
    renames=50,
    appearing=Plan(2_222, 3, 5),
    folders=3_000,
    day=Plan(288, 3, 200),
    pivot=Plan(306, 3, 500),
    alerts_held=100_000,
    calls=1_000_000,
    arriving=20_000,
)
"""An ordinary organization for an hour: 180 files, 450,000 records; 45,000 small files; 15,000
records and up to a hundred times as many; 9 GB to pivot over."""
