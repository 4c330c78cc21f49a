"""The facts of an alert: who called, from where, and how the risk adds up."""

from __future__ import annotations

from collections.abc import Iterator

from textual.content import Content

from detector.detection.alert import Alert
from detector.text.abbreviations import flag_name, short_arn
from tui.presentation import format, safe
from tui.presentation.theme import SEVERITY_STYLE
from tui.screens.base.fact_list import Line, facts

_BAR_CELLS = 10
"""Width of the bar of a risk's largest part, in cells."""

_EIGHTHS = "▏▎▍▌▋▊▉█"
_NAME_CELLS = 20


def alert_facts(alert: Alert, places: format.Places) -> list[Line]:
    """Return the facts of an alert, the risk first; ``places`` maps addresses to places."""
    return [*risk_bars(alert), Content(""), *_callers(alert, places)]


def risk_heading(alert: Alert) -> str:
    """Format the uncapped sum of the risk and its capped value: ``226 → 100``."""
    total = format.total_risk(alert)
    if total == alert.score:
        return str(total)
    return f"{total} → {alert.score}"


def risk_bars(alert: Alert) -> Iterator[Content]:
    """Yield the risk and its parts, the largest first, each with a bar.

    Parts that lower the risk get a light bar.
    """
    if alert.risk is None:
        yield Content.styled("risk …", "$foreground-muted")
        return
    style = SEVERITY_STYLE.get(alert.severity, "")
    yield Content.assemble(
        ("risk ", "$foreground-muted"),
        (f"{risk_heading(alert)} {alert.severity}", style),
    )
    parts = sorted(alert.risk.parts, key=lambda part: -part[1])
    largest = max((abs(points) for _, points in parts), default=1) or 1
    for name, points in parts:
        share = abs(points) / largest
        bar = _bar(share) if points >= 0 else "░" * max(1, round(share * _BAR_CELLS))
        label = safe.clip(safe.visible(flag_name(name)), _NAME_CELLS).ljust(_NAME_CELLS)
        yield Content.assemble(
            (f"  {label}", "$foreground-muted"), f" {points:>4}  ", (bar, "$accent")
        )


def _bar(share: float) -> str:
    full, rest = divmod(round(share * _BAR_CELLS * 8), 8)
    return "█" * full + _EIGHTHS[:rest][-1:]


def _callers(alert: Alert, places: format.Places) -> Iterator[Line]:
    facets = alert.facets
    sources = [places.with_place(address) for address in facets.source_addresses]
    outcome = (
        "the call succeeded" if alert.event_count == 1 else f"all {alert.event_count:,} succeeded"
    )
    if facets.denied:
        outcome = f"{facets.denied:,} of {alert.event_count:,} denied"
    if facets.error_codes:
        outcome += f": {format.first_values(facets.error_codes, 2)}"
    roles = [short_arn(arn) for arn in facets.roles]
    start, end = alert.shown_extent
    yield from facts(
        ("window", format.time_range(start, end)),
        ("principal", format.first_values(facets.arns, 2)),
        ("identity", format.first_values(facets.identity_types, 2)),
        ("account", format.first_values(facets.accounts, 2)),
        ("role", format.first_values(roles) if roles else ""),
        ("keys", format.first_values(facets.access_keys, 2)),
        ("source", format.first_values(sources, 3)),
        ("network", format.network(alert)),
        ("agent", format.first_values(facets.user_agents)),
        ("outcome", outcome),
        ("flags", format.flag_counts(alert.flags) or "none"),
        ("rule", alert.rule.name),
    )
