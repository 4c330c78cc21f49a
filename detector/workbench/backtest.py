"""Compare a rule's alerts with those of a variant: which come, which go, which stay."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from detector.detection.alert import Alert
from detector.detection.event import Series
from detector.detection.finding import Finding
from detector.rules.rule import Rule
from detector.text.plural import plural
from detector.text.time import format_duration, format_time
from detector.triage.suppression_index import SuppressionIndex
from detector.workbench.held_rule import Firing, HeldRule

AlertChange = Literal["comes", "goes", "stays"]
TRUE_VERDICTS = ("suspicious", "escalated")
FALSE_VERDICTS = ("benign", "false-positive")


class Precision(NamedTuple):
    """The numbers of true and false alerts among those with a verdict."""

    true: int = 0
    false: int = 0

    @property
    def share(self) -> float | None:
        """The precision, from 0 to 1; None if no verdict is decisive."""
        judged = self.true + self.false
        return self.true / judged if judged else None

    @property
    def text(self) -> str:
        """The precision for display: ``31% of 13``."""
        share = self.share
        if share is None:
            return "no verdicts"
        return f"{share:.0%} of {self.true + self.false:,}"

    @classmethod
    def of(cls, verdicts: Iterable[str]) -> Precision:
        """Count verdicts; indecisive ones are ignored."""
        known = list(verdicts)
        return cls(
            sum(each in TRUE_VERDICTS for each in known),
            sum(each in FALSE_VERDICTS for each in known),
        )


class Judgements:
    """Analysts' decisions: the verdicts on alerts, and active suppressions."""

    def __init__(
        self,
        alerts: Callable[[Iterable[str]], Iterable[Alert]] = lambda _: (),
        suppressions: SuppressionIndex | None = None,
    ) -> None:
        self._read = alerts
        self._alerts: dict[tuple[object, ...], Alert] = {}
        self._loaded: Sequence[Firing] = ()
        self._suppressions = suppressions

    def load(self, firings: Sequence[Firing]) -> None:
        """Read the stored alerts of these firings, unless they are loaded already."""
        if firings is self._loaded:
            return
        self._loaded = firings
        names = {each.alert_id: each.name for each in firings}
        self._alerts = {names[alert.alert_id]: alert for alert in self._read(names)}

    def verdict(self, firing: Firing) -> str:
        """Return the verdict on an alert; ``""`` if there is none."""
        alert = self._alerts.get(firing.name)
        return alert.handling.verdict if alert else ""

    def is_known_benign(self, firing: Firing) -> bool:
        """Tell whether an alert was closed as benign."""
        alert = self._alerts.get(firing.name)
        return alert is not None and alert.status == "closed" and alert.handling.verdict == "benign"

    def is_suppressed(self, held: HeldRule, rule: Rule, firing: Firing) -> bool:
        """Tell whether a suppression hides an alert, or would hide one that is not stored."""
        alert = self._alerts.get(firing.name)
        if alert is not None:
            return alert.suppressed_by is not None
        if self._suppressions is None:
            return False
        sketch = Finding(
            firing.alert_id,
            rule.summary,
            None,
            {},
            {},
            [],
            firing.first_event,
            firing.last_event,
            held.facets(rule, firing),
        )
        return self._suppressions.judge(Alert(sketch)).suppressed_by is not None


class ChangedPrincipal(NamedTuple):
    """A principal's alerts that share a change: they come, go or stay.

    ``regions``, ``events`` and ``seconds`` describe the largest of these alerts."""

    change: AlertChange
    principal: str
    known_benign: bool
    suppressed: bool
    firings: tuple[Firing, ...]
    regions: int
    events: int
    seconds: int

    @property
    def alerts(self) -> int:
        return len(self.firings)

    @property
    def extent(self) -> str:
        """The size of the largest alert, in words."""
        span = format_duration(self.seconds) if self.seconds else "under 1 s"
        return f"{plural(self.regions, 'region')}, {plural(self.events, 'event')} in {span}"

    def as_json(self) -> dict[str, Any]:
        """Return the object that ``--format jsonl`` prints."""
        return {
            "change": self.change,
            "principal": self.principal or None,
            "alerts": self.alerts,
            "known_benign": self.known_benign,
            "suppressed": self.suppressed,
            "regions": self.regions,
            "events": self.events,
            "seconds": self.seconds,
            "first": format_time(min(each.first_event for each in self.firings)),
            "last": format_time(max(each.last_event for each in self.firings)),
            "alert_ids": sorted(each.alert_id for each in self.firings),
        }


class Side(NamedTuple):
    """The results of one of the two rules: numbers of alerts and principals, and the precision."""

    alerts: int
    principals: int
    precision: Precision

    def as_json(self) -> dict[str, Any]:
        """Return this side's object in the JSON summary."""
        share = self.precision.share
        return {
            "alerts": self.alerts,
            "principals": self.principals,
            "true": self.precision.true,
            "false": self.precision.false,
            "precision": None if share is None else round(share, 4),
        }


class Backtest(NamedTuple):
    """The comparison of a rule (``now``) with a variant (``then``), and its rows by principal.

    Alerts that come are listed first, then those that go, then those that stay."""

    now: Side
    then: Side
    rows: tuple[ChangedPrincipal, ...]

    def count(self, change: AlertChange) -> int:
        """Return how many alerts come, go or stay."""
        return sum(row.alerts for row in self.rows if row.change == change)

    def principals(self, change: AlertChange) -> int:
        """Return how many principals have alerts that come, go or stay."""
        return len({row.principal for row in self.rows if row.change == change})


Found = tuple[HeldRule, Rule, Sequence[Firing]]
"""The hits, the rule, and the alerts that it finds in the hits."""


def compare_found(now: Found, then: Found, judgements: Judgements) -> Backtest:
    """Compare the alerts of two rules.

    An alert stays if the other rule has an alert with the same key that overlaps it in time."""
    judgements.load(now[2])
    comes, _ = _apart(then[2], now[2])
    goes, stays = _apart(now[2], then[2])
    principal_now, principal_then = _principals(now), _principals(then)
    benign = {principal_now[each.name] for each in now[2] if judgements.is_known_benign(each)}
    rows = [
        *_rows("comes", then, comes, principal_then, benign, judgements),
        *_rows("goes", now, goes, principal_now, benign, judgements),
        *_rows("stays", now, stays, principal_now, benign, judgements),
    ]
    return Backtest(
        Side(
            len(now[2]),
            len(set(principal_now.values())),
            Precision.of(map(judgements.verdict, now[2])),
        ),
        Side(
            len(then[2]),
            len(set(principal_then.values())),
            Precision.of(map(judgements.verdict, stays)),
        ),
        tuple(rows),
    )


def _apart(ours: Sequence[Firing], theirs: Sequence[Firing]) -> tuple[list[Firing], list[Firing]]:
    """Divide our alerts into those that the other side lacks and those that it has too."""
    spans: dict[Series, list[tuple[int, int]]] = defaultdict(list)
    names = {each.name for each in theirs if each.series.key is None}
    for each in theirs:
        if each.series.key is not None:
            spans[each.series].append((each.first_event, each.last_event))
    for pairs in spans.values():
        pairs.sort()
    positions: dict[Series, int] = defaultdict(int)
    apart: list[Firing] = []
    shared: list[Firing] = []
    for each in ours:  # sorted by time; the alerts of a series never overlap
        pairs, index = spans.get(each.series, []), positions[each.series]
        while index < len(pairs) and pairs[index][1] < each.first_event:
            index += 1
        positions[each.series] = index
        overlaps = index < len(pairs) and pairs[index][0] <= each.last_event
        is_same = each.series.key is None and each.name in names
        (shared if overlaps or is_same else apart).append(each)
    return apart, shared


def _principals(found: Found) -> dict[tuple[object, ...], str]:
    """Return the principal of each alert, by the alert's name."""
    held, rule, firings = found
    return {each.name: held.principal(rule, each) for each in firings}


def _rows(
    change: AlertChange,
    found: Found,
    firings: Sequence[Firing],
    principals: Mapping[tuple[object, ...], str],
    benign: set[str],
    judgements: Judgements,
) -> list[ChangedPrincipal]:
    """Group alerts by principal and suppression; the groups with most alerts come first."""
    held, rule, _ = found
    groups: dict[tuple[str, bool], list[Firing]] = defaultdict(list)
    for each in firings:
        principal = principals[each.name]
        groups[principal, judgements.is_suppressed(held, rule, each)].append(each)
    rows = []
    for (principal, suppressed), members in groups.items():
        largest = max(members, key=lambda each: (each.events, -each.first_event))
        rows.append(
            ChangedPrincipal(
                change,
                principal,
                principal in benign,
                suppressed,
                tuple(members),
                len(held.facets(rule, largest).regions),
                largest.events,
                largest.last_event - largest.first_event,
            )
        )
    return sorted(
        rows, key=lambda row: (row.known_benign, row.suppressed, -row.alerts, row.principal)
    )
