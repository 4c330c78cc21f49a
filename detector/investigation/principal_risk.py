"""A principal's risk over days: the sum of its alerts' parts, each counted once and decaying.

Several alerts that are each low may add up. A closed alert, or one hidden by a suppression, counts
nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from detector.detection.activity.actor import actor_of_arn
from detector.detection.alert import Alert
from detector.detection.risk import RiskTable
from detector.text.abbreviations import flag_name
from detector.text.time import DAY, format_age

HALF_LIFE_SHARE = 0.5
"""The half-life of points, as a share of the window."""


class RiskPart(msgspec.Struct, frozen=True):
    """A part of the sum: its name, its points in the alert, and the points left after decay.

    ``time`` is that of the alert's last event, in epoch seconds."""

    what: str
    points: int
    left: int
    time: int
    alert_id: str


class PrincipalRisk(msgspec.Struct, frozen=True):
    """A principal's score, its severity, and the parts of the sum, largest first.

    ``total`` is the sum before it is capped at 100."""

    score: int = 0
    severity: str = ""
    total: int = 0
    parts: tuple[RiskPart, ...] = ()

    def sentence(self, now: int) -> str:
        """Format the risk: ``71: rule “…” 21 + access key created 50 (3 h ago, of 60)``."""
        terms = [_term(part, now) for part in self.parts]
        total = f"{self.score}"
        if self.total != self.score:
            total = f"{self.total} → capped at {self.score}"
        return f"{total}: {' + '.join(terms) or 'no alert that counts'}"


def _term(part: RiskPart, now: int) -> str:
    text = f"{flag_name(part.what)} {part.left}"
    if part.left != part.points:
        text += f" ({format_age(max(0, now - part.time))} ago, of {part.points})"
    return text


def principals_of(alert: Alert) -> set[tuple[str, str]]:
    """Return an alert's principals, named as in activity."""
    named = {actor_of_arn(arn).principal for arn in alert.facets.arns if arn.startswith("arn:")}
    if named:
        return {(kind, name) for kind, name in named}
    return {("account", account) for account in alert.facets.accounts}


def alerts_by_principal(alerts: Iterable[Alert]) -> dict[tuple[str, str], list[Alert]]:
    """Group alerts by their principals."""
    groups: dict[tuple[str, str], list[Alert]] = {}
    for alert in alerts:
        for principal in principals_of(alert):
            groups.setdefault(principal, []).append(alert)
    return groups


def principal_risk(
    alerts: Iterable[Alert], now: int, window: int, table: RiskTable
) -> PrincipalRisk:
    """Sum up the risk of a principal's alerts in ``(now - window, now]``, in epoch seconds.

    Each rule and each flag counts once, with the largest points left after decay.
    """
    best: dict[str, RiskPart] = {}
    for alert in alerts:
        age = max(0, now - alert.last_event)
        if age >= window or alert.suppressed_by or alert.status == "closed":
            continue
        for name, points in _points(alert):
            left = round(points * 0.5 ** (age / (window * HALF_LIFE_SHARE)))
            part = RiskPart(name, points, left, alert.last_event, alert.alert_id)
            known = best.get(name)
            if known is None or _rank(part) > _rank(known):
                best[name] = part
    parts = sorted(best.values(), key=_rank, reverse=True)
    parts = [part for part in parts if part.left]
    total = sum(part.left for part in parts)
    score = min(100, max(0, total))
    if not parts:
        return PrincipalRisk()
    return PrincipalRisk(score, table.severity_of(score), total, tuple(parts))


def risk_by_day(
    alerts: Sequence[Alert], newest: int, days: int, window: int, table: RiskTable
) -> dict[int, int]:
    """Return the uncapped risk at the end of each of the last ``days``, by day number.

    For the newest day, the risk at ``newest``, in epoch seconds.
    """
    last = newest // DAY
    by_day = {}
    for day in range(last - days + 1, last + 1):
        now = min(newest, (day + 1) * DAY - 1)
        so_far = [alert for alert in alerts if alert.last_event <= now]
        by_day[day] = principal_risk(so_far, now, window, table).total
    return by_day


def _rank(part: RiskPart) -> tuple[int, int, str]:
    return abs(part.left), part.points, part.what


def _points(alert: Alert) -> list[tuple[str, int]]:
    if alert.risk is None:
        return [(f"rule “{alert.rule.name}”", alert.rule.risk_score)]
    named = []
    for name, points in alert.risk.parts:
        if name == "rule":
            named.append((f"rule “{alert.rule.name}”", points))
        else:
            named.append((name, points))
    return named
