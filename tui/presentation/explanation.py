"""Three lines about an alert: why it fired, what followed, and what was new.

The texts contain raw characters from the log; the widgets make control characters visible.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from detector.detection.alert import Alert
from detector.detection.baseline import first_seen
from detector.detection.correlate import SIGNAL_REACH
from detector.detection.event import Event
from detector.detection.log_integrity import integrity_sentence
from detector.text.plural import plural
from detector.text.time import format_duration
from tui.presentation import format

if TYPE_CHECKING:
    from detector.rules.rule import Rule

_MAX_ACTIONS = 5
"""Maximum number of calls named in one line."""

_ACTIONS_COLUMN = "event_action_values"
"""The suffix of columns in which rules return the calls that they counted."""

_CONTEXT_FLAGS = ("first-seen-principal", "denied-calls", "tool-tell", "unused-region")
"""Flags that do not represent further calls."""


def why_line(alert: Alert, rule: Rule | None) -> str:
    """Explain what fired: ``DescribeInstances in 17 regions within 11 s, from …``."""
    integrity = integrity_sentence(alert)
    if integrity:
        return integrity
    regions = alert.facets.regions
    where = regions[0] if len(regions) == 1 else plural(len(regions), "region")
    parts = [f"{_deed(alert, rule)} in {where} {_time_phrase(alert, rule)}"]
    denied = alert.facets.denied
    if denied == alert.event_count:
        parts.append("the call was denied" if denied == 1 else f"all {denied:,} denied")
    elif denied:
        parts.append(f"{denied:,} of {alert.event_count:,} denied")
    parts.append(f"from {_origin(alert)}")
    return f"{', '.join(parts)}{_threshold(alert, rule)}"  # last: a narrow line cuts it first


def _deed(alert: Alert, rule: Rule | None) -> str:
    """Name the calls that the rule counted; if there are none, name the rule."""
    named = counted_calls(rule) if rule else ""
    if named:
        return named
    actions = [
        str(action)
        for name, values in alert.columns.items()
        if name.endswith(_ACTIONS_COLUMN) and isinstance(values, list)
        for action in values
    ]
    if len(actions) > 1:
        return f"{len(actions)} different calls ({format.first_values(actions, _MAX_ACTIONS)})"
    return next(iter(actions), f"{plural(alert.event_count, 'call')} matching “{alert.rule.name}”")


def _origin(alert: Alert) -> str:
    addresses = format.first_values(alert.facets.source_addresses)
    if not alert.facets.user_agents:
        return addresses
    return f"{addresses} with {format.agents(alert.facets.user_agents)}"


def _time_phrase(alert: Alert, rule: Rule | None) -> str:
    if alert.window is None:
        phrase = f"at {format.full_time(alert.first_event)}"
        if rule is not None and rule.query.shape == "terms" and rule.window:
            return f"{phrase} (first time in {format_duration(rule.window)})"
        return phrase
    return f"within {format_duration(alert.span)}" if alert.span else "in under 1 s"


def counted_calls(rule: Rule) -> str:
    """Name the API calls that the rule counts, if there are at most three."""
    actions = {action for _, action in rule.query.required_pairs}
    if not 0 < len(actions) <= 3 or not all(actions):
        return ""
    return " or ".join(sorted(action for action in actions if action))


def _threshold(alert: Alert, rule: Rule | None) -> str:
    if alert.window is None or rule is None or not rule.window or not rule.thresholds:
        return ""
    thresholds = " and ".join(rule.thresholds)
    return f" (threshold: {thresholds} in {format_duration(rule.window)})"


def technique_tags(alert: Alert) -> tuple[str, str]:
    """Return the rule's first ATT&CK technique, with and without its tactic.

    For example ``T1580 Discovery`` and ``T1580``.
    """
    attack = alert.rule.attack
    if not attack:
        return "", ""
    more = f" +{len(attack) - 1}" if len(attack) > 1 else ""
    return f"{attack[0].id} {attack[0].tactic}{more}", f"{attack[0].id}{more}"


def later_events(alert: Alert, signals: Mapping[str, Sequence[Event]]) -> list[Event]:
    """List the first event of each call behind the flags, at or after the alert's first event.

    Events of the flag with the greatest weight come first.
    """
    events: dict[str, Event] = {}
    for flag in alert.flags:
        for event in signals.get(flag.flag, ()):
            if event.time >= alert.first_event:
                events.setdefault(event.action, event)
    return list(events.values())


def then_line(
    alert: Alert,
    signals: Mapping[str, Sequence[Event]],
    object_of: Callable[[Event], str] = lambda _: "",
) -> str:
    """Describe what the principal did from the alert on, with the object of each call."""
    events = later_events(alert, signals)
    if not events:
        others = [flag for flag in alert.flags if flag.flag not in _CONTEXT_FLAGS]
        if others:
            return f"nothing after it; before: {format.flag_counts(others)}"
        return f"no other activity within ±{SIGNAL_REACH // 60} min"
    named = [_named(event, object_of(event)) for event in events[:_MAX_ACTIONS]]
    more = len(events) - len(named)
    if more:
        named.append(f"{plural(more, 'other call')}")
    return "; ".join(named)


def _named(event: Event, object_text: str) -> str:
    if object_text:
        return f"{event.action} → {object_text.removeprefix('→ ')}"
    return event.action


def new_line(alert: Alert) -> str:
    """Describe what was new: the caller, unusual regions, what overrode a suppression."""
    parts = []
    if alert.broke_through:
        parts.append(f"not suppressed: {format.novelty_names(alert.broke_through)}")
    if alert.baseline is not None:
        parts += _history(alert)
    return "; ".join(parts)


def _history(alert: Alert) -> Iterable[str]:
    baseline = alert.baseline
    assert baseline is not None
    _, history = first_seen(baseline, alert.start)
    if not baseline.has_enough_history(alert.start):
        yield history
        return
    keys = alert.facets.access_keys
    yield f"key {format.masked_key(keys[0])} {history}" if len(keys) == 1 else history
    unusual, regions = len(baseline.unused_regions), len(alert.facets.regions)
    if unusual:
        yield f"{unusual} of {regions} regions never changed by this account before"
