"""A storm: many principals sweep all regions within an hour."""

from __future__ import annotations

from itertools import product
from pathlib import Path

from benchmarks.corpus import cached, write_storm
from benchmarks.engine import BEFORE, NOW, Disagreement, alerts_found, scan, versions
from benchmarks.process import apart, run
from benchmarks.report import Report, at_most
from benchmarks.scale import Scale

_BEFORE = 2_000
"""Maximum principals for the earlier version, whose time per alert grows with their number."""
_LIMITS = {False: 1.0, True: 2.0}
"""Maximum milliseconds of CPU per alert, without a state (False) and with one (True)."""


def storm(scale: Scale, folder: Path) -> Report:
    """Measure CPU an alert, with and without a state.

    Starting up is not in it.
    """
    rows = [("", "alerts", "with a state", "user CPU", "user CPU an alert", "peak RSS")]
    budgets = []
    empty = folder / "empty"
    empty.mkdir()
    start = {
        name: run(scan(empty, version=it), folder / "home").user
        for name, it in versions(scale).items()
    }
    for principals, with_state in product(scale.storms, _LIMITS):
        corpus = apart(cached, write_storm, principals)
        millis: dict[str, float] = {}
        for name, version in versions(scale).items():
            if name == BEFORE and principals > _BEFORE:
                continue
            state = folder / f"{name}-{principals}.db"
            options = ["--db", str(state)] if with_state else []
            scanned = run(scan(corpus.root, *options, version=version), folder / "home")
            if alerts_found(scanned) != principals:
                raise Disagreement(
                    f"{name} found {alerts_found(scanned):,} of {principals:,} alerts"
                )
            millis[name] = (scanned.user - start[name]) / principals * 1e3
            rows.append(
                (
                    name,
                    f"{principals:,}",
                    "yes" if with_state else "no",
                    f"{scanned.user:.2f} s",
                    f"{millis[name]:.2f} ms",
                    f"{scanned.rss / 1e6:,.0f} MB",
                )
            )
        what = f"storm of {principals:,}: user CPU an alert{', with a state' * with_state}"
        budgets.append(
            at_most(what, _LIMITS[with_state], millis[NOW], "{:.2f} ms", before=millis.get(BEFORE))
        )
    return Report("A storm", rows, budgets=budgets)
