"""How large the benchmarks are."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.corpus import Plan


@dataclass(frozen=True)
class Scale:
    rounds: int
    """Runs of each command, of which the median counts."""
    large: Plan
    small: Plan
    lines: Plan
    memory: Plan
    """The 1× corpus of the memory benchmark."""
    watched: Plan
    """The tree that is watched while the latency is measured."""
    renames: int
    appearing: Plan
    """The tree that is written while it is watched, in so many ``folders``."""
    folders: int
    day: Plan
    """What the app watches arrive for 24 hours."""
    pivot: Plan
    alerts_held: int
    """Alerts that the app holds while keys are pressed."""
    calls: int
    """Calls of a pivot."""
    arriving: int
    """Alerts that arrive meanwhile."""


QUICK = Scale(
    rounds=3,
    large=Plan(1, 1, 12_000),
    small=Plan(98, 3, 5),
    lines=Plan(7, 3, 500),
    memory=Plan(1, 1, 300),
    watched=Plan(98, 3, 5),
    renames=20,
    appearing=Plan(98, 3, 5),
    folders=150,
    day=Plan(288, 3, 20),
    pivot=Plan(20, 3, 200),
    alerts_held=100_000,
    calls=1_000_000,
    arriving=500,
)
FULL = Scale(
    rounds=5,
    large=Plan(1, 1, 50_000),
    small=Plan(980, 3, 5),
    lines=Plan(154, 3, 500),
    memory=Plan(1, 1, 1_200),
    watched=Plan(1961, 3, 5),
    renames=50,
    appearing=Plan(1961, 3, 5),
    folders=3_000,
    day=Plan(288, 3, 200),
    pivot=Plan(306, 3, 500),
    alerts_held=100_000,
    calls=1_000_000,
    arriving=20_000,
)
"""17 files of 50,000 records; 49,980 of five; 5 GB of lines; 20,400 records and up to a hundred
times as many; 10 GB to pivot over."""
