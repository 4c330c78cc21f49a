"""A backfill from its first day to the state: read, unite, load."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from detector.backfill.spans import Span
from detector.backfill.spark.engine_protocol import Engine
from detector.backfill.spark.load_days import DayLoader
from detector.backfill.spark.prune_hits import prunable_span
from detector.backfill.spark.rule_bundle import bundle_rules
from detector.detection.risk import RiskTable
from detector.rules.ruleset import RuleSet
from detector.sources.time_bounds import SLACK
from detector.store import Store
from detector.text.plural import plural
from detector.text.time import DAY, format_duration


@dataclass(frozen=True)
class DayPlan:
    """A day of delivery, as ``2026/03/01``, and patterns of the folders to read.

    ``weight`` is its share of the total work, for estimating the remaining time."""

    day: str
    patterns: Sequence[str]
    weight: float = 1.0

    @property
    def start(self) -> int:
        """The day's midnight (UTC) in epoch seconds."""
        return int(datetime.strptime(self.day, "%Y/%m/%d").replace(tzinfo=UTC).timestamp())

    def name(self, selection: str) -> str:
        """Return the name of the day's rows, which differs between selections."""
        return f"{self.day.replace('/', '-')}-{selection}"


@dataclass
class Backfill:
    """A backfill of a trail's days into a state; ``report`` gets one line for each step."""

    engine: Engine
    days: Sequence[DayPlan]
    store: Store
    rules: RuleSet
    risk: RiskTable
    report: Callable[[str], None]
    clock: Callable[[], float] = time.time
    elapsed: Callable[[], float] = field(default=time.monotonic)

    def run(self) -> list[str]:
        """Read the days that are still unread, and load all days.

        Returns what could not be searched for flags. Raises EngineError, LoadError, StateError."""
        problems: list[str] = []
        self._rules = self.rules.without(self.store.rules.disabled())
        self._bundle = bundle_rules(self._rules)
        names = self._read_days()
        loader = DayLoader(self.store, self._rules, self.engine, names, self.clock)
        tallies = loader.tallies()
        if not loader.is_loaded(tallies):
            loaded = Span(self.days[0].start, self.days[-1].start + DAY)
            pruned = prunable_span(self._rules, loaded, SLACK)
            self.report("merging copies, dropping hits that no alert needs")
            hits = sum(tally.hits for tally in tallies.values())
            self.engine.unite(names, "united", self._bundle, pruned, hits)
            self.report(f"loading {plural(len(tallies), 'folder')}")
            loader.load_events("united")
            problems = loader.load_signals(self._bundle)
            loader.load_folders(tallies, "united", pruned)
        loader.finish(self.risk)
        return problems

    def _read_days(self) -> list[str]:
        finished = self.engine.finished()
        names = []
        due = []
        for day in self.days:
            name = day.name(self._selection(day))
            names.append(name)
            if name not in finished:
                due.append((day, name))
        if len(due) < len(names):
            self.report(f"{plural(len(names) - len(due), 'day')} read before")
        whole, done = sum(day.weight for day, _ in due), 0.0
        begun = self.elapsed()
        for number, (day, name) in enumerate(due, 1):
            self.engine.digest(day.patterns, name, self._bundle)
            if self.clock() > day.start + DAY + SLACK:  # hardly anything is delivered later
                self.engine.finish(name)
            done += day.weight
            seconds = self.elapsed() - begun
            left = seconds * (whole - done) / max(done, 1e-9)
            self.report(
                f"{number} of {plural(len(due), 'day')}: {day.day}: {format_duration(seconds)}, "
                f"about {format_duration(left)} left"
            )
        return names

    def _selection(self, day: DayPlan) -> str:
        """Return a hash of the rules and folders of a day: different ones are different work."""
        parts = (self._bundle.fingerprint, *day.patterns)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
