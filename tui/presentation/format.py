"""Values of an alert as text: principals, times, why it fired.

The results still hold the log's own characters; ``tui.presentation.safe`` and the list widget make
them visible.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

from detector.cloudtrail.tool_signatures import tool_signatures
from detector.detection.alert import Alert, Flag
from detector.detection.baseline import first_seen
from detector.detection.event import Event
from detector.detection.log_integrity import integrity_sentence, log_file_name
from detector.detection.risk import risk_sentence
from detector.text.abbreviations import FLAG_NAMES, FLAG_WORDS, flag_name, short_arn
from detector.text.plural import plural as plural
from detector.text.time import format_age, format_duration
from tui.presentation import time_display

if TYPE_CHECKING:
    from detector.rules.rule import Rule

SEVERITY_GLYPHS = {"critical": "◆", "high": "▲", "medium": "●", "low": "·"}


def number(value: int) -> str:
    return f"{value:,}"


def severity_label(word: str) -> str:
    return f"{SEVERITY_GLYPHS.get(word, ' ')} {word}"


def principal(alert: Alert) -> str:
    """Write the first principal in short, and how many more there are.

    Without an ARN, the kinds of the callers; of an alert about a log file, the file.
    """
    file = log_file_name(alert)
    if file:
        return file.partition("_CloudTrail_")[2] or file
    arns = alert.facets.arns
    if not arns:
        kinds = ", ".join(alert.facets.identity_types)
        return f"no ARN ({kinds})" if kinds else "no ARN"
    more = f" +{len(arns) - 1}" if len(arns) > 1 else ""
    return short_arn(arns[0]) + more


def subject(alert: Alert) -> str:
    """Write who called, as the beginning of a sentence."""
    if alert.facets.arns:
        return principal(alert)
    return f"Callers without an ARN ({', '.join(alert.facets.identity_types) or 'unknown'})"


def value_or_count(values: Sequence[str], noun: str) -> str:
    """Write the value, or how many there are; a dash for none."""
    if not values:
        return "–"
    if len(values) == 1:
        return values[0]
    return plural(len(values), noun)


def first_values(values: Sequence[str], limit: int = 1) -> str:
    """Write the first values and how many more; a dash for none."""
    more = len(values) - limit
    shown = ", ".join(values[:limit]) or "–"
    if more > 0:
        return f"{shown} +{more}"
    return shown


def agent(user_agent: str) -> str:
    """Write the product of a user agent and the tools it reveals."""
    if not user_agent:
        return "–"
    product = _product(user_agent)
    tools = [
        signature.name
        for signature in tool_signatures(user_agent)
        if signature.name not in product.lower()
    ]
    return " ".join([product, *tools])


def _product(user_agent: str) -> str:
    for prefix, name in _PRODUCTS.items():
        if user_agent.lower().startswith(prefix):
            return name
    return user_agent.split(" ", 1)[0].split("/", 1)[0].strip("[],;")


_PRODUCTS = {
    "mozilla": "browser",
    "apn/1.0 hashicorp": "terraform",
    "aws internal": "AWS Internal",
    "scout suite": "scoutsuite",
}


def agents(user_agents: Sequence[str]) -> str:
    return value_or_count(sorted({agent(text) for text in user_agents}), "agent")


class Places(Protocol):
    """The places of addresses, where a database tells them: a rule set."""

    @property
    def has_places(self) -> bool: ...
    def with_place(self, address: str) -> str: ...


def address_width(places: Places) -> int:
    """Return the width of a column of addresses, in cells; of IPv4, with their places if known."""
    if places.has_places:
        return 34
    return 15


def network(alert: Alert) -> str:
    """Write the AS organizations that the rule returns."""
    return first_values(alert.networks)


def flag_words(flags: Sequence[str]) -> str:
    return " ".join(FLAG_WORDS.get(flag, flag) for flag in flags)


def flag_counts(flags: Sequence[Flag]) -> str:
    """Name flags with their counts: ``access key (1), snapshot (3)``."""
    return ", ".join(f"{flag_name(flag.flag)} ({flag.count})" for flag in flags)


def novelty_names(novelties: Sequence[str]) -> str:
    """Name what overrode a suppression: ``access key (1), new region us-east-2``."""
    return ", ".join(map(_novelty_name, novelties))


def _novelty_name(novelty: str) -> str:
    flag, _, count = novelty.rpartition(" ")
    return f"{flag_name(flag)} ({count})" if flag in FLAG_NAMES else novelty


def state_label(alert: Alert) -> str:
    """Write the state in five letters; ``~`` while not settled."""
    if alert.suppressed_by:
        label = "supp"
    else:
        label = {"open": "", "acknowledged": "ack", "closed": "res"}[alert.status]
    return label if alert.settled else f"~{label}"


def date_time(seconds: float) -> str:
    """Write ``03-01 11:58:02`` for lists, or ``3 h 02 m ago``."""
    if time_display.mode == "relative":
        return _ago(seconds)
    if time_display.mode == "local":
        return time_display.datetime_at(seconds).isoformat(" ", "seconds")[5:19]
    hour, rest = divmod(int(seconds), 3_600)
    return f"{_hour(hour)}{rest // 60:02}:{rest % 60:02}"


@lru_cache(1 << 10)
def _hour(hour: int) -> str:
    """Write ``03-01 11:`` for a count of hours since the epoch.

    Cached, since a long list has many times of few hours.
    """
    return datetime.fromtimestamp(hour * 3_600, UTC).strftime("%m-%d %H:")


def date_minute(seconds: float) -> str:
    """Write ``03-01 11:58`` for narrow lists, or ``3 h ago``."""
    if time_display.mode == "relative":
        return _ago(seconds, format_age)
    return time_display.datetime_at(seconds).strftime("%m-%d %H:%M")


def clock_time(seconds: float, start: float) -> str:
    """Write ``11:58:02``, or ``+02:05`` after ``start``."""
    if time_display.mode != "relative":
        return time_display.datetime_at(seconds).strftime("%H:%M:%S")
    elapsed = max(0, int(seconds - start))
    hours, minutes = divmod(elapsed // 60, 60)
    if hours > 9:
        return f"+{format_age(elapsed)}"
    if hours:
        return f"+{hours}:{minutes:02}:{elapsed % 60:02}"
    return f"+{minutes:02}:{elapsed % 60:02}"


def full_time(seconds: float) -> str:
    """Write ``2026-03-01 11:58:02Z``, and how long ago if times are relative."""
    moment = time_display.datetime_at(seconds)
    stamp = f"{moment:%Y-%m-%d %H:%M:%S}{time_display.zone_suffix(moment)}"
    return _with_age(stamp, seconds)


def time_range(start: float, end: float) -> str:
    """Write ``2026-03-01 11:58:00–11:58:30Z``; a second date only where it differs."""
    first, last = time_display.datetime_at(start), time_display.datetime_at(end)
    same_day = first.date() == last.date()
    until = f"{last:%H:%M:%S}" if same_day else f"{last:%Y-%m-%d %H:%M:%S}"
    stamp = f"{first:%Y-%m-%d %H:%M:%S}–{until}{time_display.zone_suffix(last)}"
    return _with_age(stamp, start)


def compact_range(start: float, end: float | None = None) -> str:
    """Write ``03-01 11:58:00–11:58:30Z``, or ``3 h 02 m ago``."""
    if time_display.mode == "relative":
        return _ago(start)
    until = f"–{time_display.datetime_at(end):%H:%M:%S}" if end is not None else ""
    return f"{date_time(start)}{until}{time_display.zone_suffix(time_display.datetime_at(start))}"


def _with_age(stamp: str, seconds: float) -> str:
    if time_display.mode == "relative":
        return f"{stamp}, {_ago(seconds)}"
    return stamp


def _ago(seconds: float, format_length: Callable[[float], str] = format_duration) -> str:
    age = time_display.now() - seconds
    length = format_length(abs(age))
    return f"{length} ago" if age >= 0 else f"in {length}"


def masked_key(access_key: str) -> str:
    """Shorten an access key id to ``AKIA…MPLE``."""
    if len(access_key) > 12:
        return f"{access_key[:4]}…{access_key[-4:]}"
    return access_key


def why(
    alert: Alert, rule: Rule | None, signals: Mapping[str, Sequence[Event]] = MappingProxyType({})
) -> str:
    """Explain why the alert fired and what followed.

    ``signals`` are the events behind the alert's flags.
    """
    integrity = integrity_sentence(alert)
    if integrity:
        return integrity
    regions = alert.facets.regions
    actions = counted_calls(rule) if rule else ""
    deed = f"called {actions}" if actions else f"matched “{alert.rule.name}”"
    where = regions[0] if len(regions) == 1 else plural(len(regions), "region")
    sentence = f"{subject(alert)} {deed} in {where} {_time_phrase(alert, rule)}."
    return " ".join([sentence, *_remarks(alert, signals)])


def _time_phrase(alert: Alert, rule: Rule | None) -> str:
    if alert.window is None:
        return f"at {full_time(alert.first_event)}"
    within = f"within {format_duration(alert.span)}" if alert.span else "in under 1 s"
    return f"{within}{_threshold(rule)}"


def counted_calls(rule: Rule) -> str:
    """Name the API calls that the rule counts, if few."""
    actions = {action for _, action in rule.query.required_pairs}
    if not 0 < len(actions) <= 3 or not all(actions):
        return ""
    return " or ".join(sorted(action for action in actions if action))


def _threshold(rule: Rule | None) -> str:
    if rule is None or not rule.window or not rule.thresholds:
        return ""
    thresholds = " and ".join(
        words.removeprefix("at least ").replace("distinct cloud.region", "regions")
        for words in rule.thresholds
    )
    return f" (threshold: {thresholds} in {format_duration(rule.window)})"


def _remarks(alert: Alert, signals: Mapping[str, Sequence[Event]]) -> list[str]:
    """Write what stands out, a sentence each."""
    remarks = []
    if alert.broke_through:
        remarks.append(f"Not suppressed: {novelty_names(alert.broke_through)}.")
    denied = alert.facets.denied
    if denied:
        all_denied = denied == alert.event_count
        share = (
            f"All {number(denied)}"
            if all_denied
            else f"{number(denied)} of {number(alert.event_count)}"
        )
        remarks.append(f"{share} calls were denied.")
    remarks.append(_caller(alert))
    actions = _later_actions(alert, signals)
    other_flags = [flag for flag in alert.flags if flag.flag not in _WORDED_FLAGS]
    if actions:
        remarks.append(f"Then: {first_values(actions, _MAX_ACTIONS)}.")
    elif other_flags:
        counts = flag_counts(other_flags)
        remarks.append(f"Also: {counts}.")
    return [remark for remark in remarks if remark]


_WORDED_FLAGS = ("first-seen-principal", "denied-calls", "tool-tell")
"""Flags that the explanation has other words for."""

_MAX_ACTIONS = 5
"""Calls named after "Then"."""


def _later_actions(alert: Alert, signals: Mapping[str, Sequence[Event]]) -> list[str]:
    """List the calls behind the flags from the alert's first event on.

    Those of the weightiest flag come first; each call is listed once.
    """
    actions: dict[str, None] = {}
    for flag in alert.flags:
        for event in signals.get(flag.flag, ()):
            if event.time >= alert.first_event:
                actions[event.action] = None
    return list(actions)


def _caller(alert: Alert) -> str:
    """Write which key called and how new the caller is."""
    keys = alert.facets.access_keys
    caller = _key_phrase(keys)
    if alert.baseline is None or not (keys or alert.facets.arns):
        if caller:
            return f"{caller}."
        return ""
    start = alert.start
    is_new, history = first_seen(alert.baseline, start)
    if len(keys) != 1:
        sentences = [caller, f"{history[:1].upper()}{history[1:]}"]
        return ". ".join(filter(None, sentences)) + "."
    separator = ": " if is_new is None else " "
    return f"{caller}{separator}{history}."


def _key_phrase(keys: Sequence[str]) -> str:
    if not keys:
        return ""
    if len(keys) == 1:
        return f"Key {masked_key(keys[0])}"
    return f"{len(keys)} access keys"


def risk_sum(alert: Alert) -> str:
    """Write the risk score and the sum that it came from."""
    return risk_sentence(alert.risk) if alert.risk else str(alert.score)
