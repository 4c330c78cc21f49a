"""How an alert's values are said: short principals, times, spans, agents, and why it fired in one sentence.

The results still hold the log's own characters: the sinks (``tui.presentation.safe``, the list widget) make them visible.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from detector.cloudtrail.tool_signatures import tool_signatures
from detector.detection.alert import Alert
from detector.detection.baseline import first_seen
from detector.detection.event import Event
from detector.detection.log_integrity import integrity_sentence, log_file_name
from detector.detection.risk import risk_sentence
from detector.text.abbreviations import FLAG_WORDS, short_arn
from detector.text.time import format_age, format_duration
from tui.presentation import time_display

if TYPE_CHECKING:
    from detector.rules.rule import Rule

SEVERITY_GLYPHS = {"critical": "◆", "high": "▲", "medium": "●", "low": "·"}


def number(value: int) -> str:
    return f"{value:,}"


def plural(count: int, noun: str) -> str:
    """``1 alert``, ``2 alerts``, ``3 entries``."""
    if count == 1:
        return f"1 {noun}"
    return f"{number(count)} {noun[:-1] + 'ies' if noun.endswith('y') else noun + 's'}"


def severity_label(word: str) -> str:
    return f"{SEVERITY_GLYPHS.get(word, ' ')} {word}"


def principal(alert: Alert) -> str:
    """Who called, short; what kind of caller it was where none had an ARN, and how many more there
    were.

    Of an alert about a log file, the file.
    """
    arns = alert.facets.arns
    if file := log_file_name(alert):
        return file.partition("_CloudTrail_")[2] or file
    if not arns:
        kinds = ", ".join(alert.facets.identity_types)
        return f"no ARN ({kinds})" if kinds else "no ARN"
    return short_arn(arns[0]) + (f" +{len(arns) - 1}" if len(arns) > 1 else "")


def subject(alert: Alert) -> str:
    """Who called, as a sentence begins with it."""
    if alert.facets.arns:
        return principal(alert)
    return f"Callers without an ARN ({', '.join(alert.facets.identity_types) or 'unknown'})"


def one_of(values: Sequence[str], noun: str) -> str:
    """The value, or how many there are; a dash for none."""
    return plural(len(values), noun) if len(values) > 1 else values[0] if values else "–"


def first_values(values: Sequence[str], limit: int = 1) -> str:
    """The first ``limit`` values, and how many more there are; a dash for none."""
    more = len(values) - limit
    return (", ".join(values[:limit]) or "–") + (f" +{more}" if more > 0 else "")


def agent(user_agent: str) -> str:
    """The product that a user agent names first, and what it tells of the tool behind it."""
    if not user_agent:
        return "–"
    first = user_agent.split(" ", 1)[0].split("/", 1)[0].strip("[],;")
    product = next(
        (name for word, name in _PRODUCTS.items() if user_agent.lower().startswith(word)), first
    )
    return " ".join(
        [
            product,
            *(
                tell.name
                for tell in tool_signatures(user_agent)
                if tell.name not in product.lower()
            ),
        ]
    )


_PRODUCTS = {
    "mozilla": "browser",
    "apn/1.0 hashicorp": "terraform",
    "aws internal": "AWS Internal",
    "scout suite": "scoutsuite",
}


def agents(user_agents: Sequence[str]) -> str:
    return one_of(sorted({agent(text) for text in user_agents}), "agent")


def network(alert: Alert) -> str:
    """The AS organizations that the rule's query returned, where it returns them and a database was
    given."""
    return first_values(alert.networks)


def flag_words(flags: Sequence[str]) -> str:
    return " ".join(FLAG_WORDS.get(flag, flag) for flag in flags)


def state_label(alert: Alert) -> str:
    """Where an alert stands, in at most five letters; ``~`` while its window may still grow."""
    word = (
        "hid"
        if alert.suppressed_by
        else {"open": "", "acknowledged": "ack", "closed": "done"}[alert.status]
    )
    return word if alert.settled else f"~{word}"


def date_time(seconds: float) -> str:
    """``03-01 11:58:02``, for lists; ``3 h 02 m ago`` where times are relative."""
    if time_display.mode == "relative":
        return _ago(seconds)
    if time_display.mode == "local":
        return time_display.datetime_at(seconds).isoformat(" ", "seconds")[5:19]
    hour, rest = divmod(int(seconds), 3_600)
    return f"{_hour(hour)}{rest // 60:02}:{rest % 60:02}"


@lru_cache(1 << 10)
def _hour(hour: int) -> str:
    """``03-01 11:``, so many hours after the epoch: of long lists the time is what differs most."""
    return datetime.fromtimestamp(hour * 3_600, UTC).strftime("%m-%d %H:")


def date_minute(seconds: float) -> str:
    """``03-01 11:58``, for narrow lists; ``3 h ago`` where times are relative."""
    return (
        _ago(seconds, format_age)
        if time_display.mode == "relative"
        else time_display.datetime_at(seconds).strftime("%m-%d %H:%M")
    )


def clock_time(seconds: float, start: float) -> str:
    """``11:58:02``, of something that began at ``start``; where times are relative, how long after:
    ``+02:05``."""
    if time_display.mode != "relative":
        return time_display.datetime_at(seconds).strftime("%H:%M:%S")
    after = max(0, int(seconds - start))
    hours, minutes = divmod(after // 60, 60)
    return (
        f"+{format_age(after)}"
        if hours > 9
        else f"+{hours}:{minutes:02}:{after % 60:02}"
        if hours
        else f"+{minutes:02}:{after % 60:02}"
    )


def full_time(seconds: float) -> str:
    """``2026-03-01 11:58:02Z``; ``2026-03-01 12:58:02+01:00``; ``2026-03-01 11:58:02Z, 3 h 02 m
    ago``."""
    at = time_display.datetime_at(seconds)
    stamp = f"{at:%Y-%m-%d %H:%M:%S}{time_display.zone_suffix(at)}"
    return f"{stamp}, {_ago(seconds)}" if time_display.mode == "relative" else stamp


def time_range(start: float, end: float) -> str:
    """``2026-03-01 11:58:00–11:58:30Z``; the second date only where it is another day."""
    first, last = time_display.datetime_at(start), time_display.datetime_at(end)
    until = f"{last:%H:%M:%S}" if first.date() == last.date() else f"{last:%Y-%m-%d %H:%M:%S}"
    stamp = f"{first:%Y-%m-%d %H:%M:%S}–{until}{time_display.zone_suffix(last)}"
    return f"{stamp}, {_ago(start)}" if time_display.mode == "relative" else stamp


def compact_range(start: float, end: float | None = None) -> str:
    """``03-01 11:58:00–11:58:30Z``, in as few cells as it takes; ``3 h 02 m ago`` where times are
    relative."""
    if time_display.mode == "relative":
        return _ago(start)
    until = f"–{time_display.datetime_at(end):%H:%M:%S}" if end is not None else ""
    return f"{date_time(start)}{until}{time_display.zone_suffix(time_display.datetime_at(start))}"


def _ago(seconds: float, length: Callable[[float], str] | None = None) -> str:
    past = time_display.now() - seconds
    said = (length or format_duration)(abs(past))
    return f"{said} ago" if past >= 0 else f"in {said}"


def masked_key(access_key: str) -> str:
    """Enough of an access key id to tell it from the others on screen: ``AKIA…MPLE``."""
    return f"{access_key[:4]}…{access_key[-4:]}" if len(access_key) > 12 else access_key


def why(
    alert: Alert, rule: Rule | None, signals: Mapping[str, Sequence[Event]] = MappingProxyType({})
) -> str:
    """Why the alert fired, in a sentence or two, from what the alert itself knows; and what its
    principal did then, where ``signals`` (the events behind its flags) tell."""
    if of_file := integrity_sentence(alert):
        return of_file
    who, facets = subject(alert), alert.facets
    did = counted_calls(rule) if rule else ""
    deed = f"called {did}" if did else f"matched “{alert.rule.name}”"
    where = (
        f"in {plural(len(facets.regions), 'region')}"
        if len(facets.regions) != 1
        else f"in {facets.regions[0]}"
    )
    if alert.window is None:
        return " ".join(
            [f"{who} {deed} {where} at {full_time(alert.first_event)}.", *_remarks(alert, signals)]
        )
    within = f"within {format_duration(alert.span)}" if alert.span else "within one second"
    return " ".join(
        [f"{who} {deed} {where} {within}{_threshold(rule)}.", *_remarks(alert, signals)]
    )


def counted_calls(rule: Rule) -> str:
    """The API calls that the rule counts, where it names them and they are few."""
    actions = sorted({action for _, action in rule.query.required_pairs if action})
    named = all(action for _, action in rule.query.required_pairs)
    return " or ".join(actions) if named and 0 < len(actions) <= 3 else ""


def _threshold(rule: Rule | None) -> str:
    if rule is None or not rule.window or not rule.thresholds:
        return ""
    wanted = " and ".join(
        words.removeprefix("at least ").replace("distinct cloud.region", "regions")
        for words in rule.thresholds
    )
    return f" (fires at {wanted} in {format_duration(rule.window)})"


def _remarks(alert: Alert, signals: Mapping[str, Sequence[Event]]) -> list[str]:
    facets, remarks = alert.facets, []
    if alert.broke_through:
        remarks.append(f"Broke through a suppression: {', '.join(alert.broke_through)}.")
    if facets.denied:
        share = (
            f"All {number(facets.denied)}"
            if facets.denied == alert.event_count
            else f"{number(facets.denied)} of {number(alert.event_count)}"
        )
        remarks.append(f"{share} calls were denied.")
    remarks.append(_caller(alert))
    if then := _then(alert, signals):
        remarks.append(f"Then: {first_values(then, _THEN)}.")
    elif others := [flag for flag in alert.flags if flag.flag not in _SAID]:
        remarks.append("Also: " + ", ".join(f"{flag.flag} {flag.count}" for flag in others) + ".")
    return [remark for remark in remarks if remark]


_SAID = ("first-seen-principal", "denied-calls", "tool-tell")
"""Flags that the sentence has other words for."""

_THEN = 5
"""Calls named after "Then"."""


def _then(alert: Alert, signals: Mapping[str, Sequence[Event]]) -> list[str]:
    """What was called from the alert's first event on, each once: for the weightiest flag first, in
    order of time."""
    weight = [flag.flag for flag in alert.flags]
    events = [
        event
        for flag in weight
        for event in signals.get(flag, ())
        if event.time >= alert.first_event
    ]
    return list(dict.fromkeys(event.action for event in events))


def _caller(alert: Alert) -> str:
    """Which key called, and how new the caller is, as far as there is history enough to say so."""
    keys = alert.facets.access_keys
    who = (
        f"Key {masked_key(keys[0])}"
        if len(keys) == 1
        else f"{len(keys)} access keys"
        if keys
        else ""
    )
    if alert.baseline is None or not (keys or alert.facets.arns):
        return who and f"{who}."
    _new, words = first_seen(
        alert.baseline, alert.window.start if alert.window else alert.first_event
    )
    if len(keys) != 1:
        return ". ".join(filter(None, (who, f"{words[:1].upper()}{words[1:]}"))) + "."
    return f"{who}{': ' if words.startswith('baseline') else ' '}{words}."


def risk_sum(alert: Alert) -> str:
    """The score, and the sum that it came from, as a sentence."""
    return risk_sentence(alert.risk) if alert.risk else str(alert.score)
