"""Values of an alert as text: principals, times, risk.

The results contain raw characters from the log; ``tui.presentation.safe`` and the list widget make
control characters visible.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from detector.cloudtrail.principal_name import principal_name
from detector.cloudtrail.tool_signatures import tool_signatures
from detector.detection.alert import Alert, Flag
from detector.detection.log_integrity import log_file_name
from detector.detection.risk import risk_sentence
from detector.filter.quoting import utc_minute
from detector.text.abbreviations import FLAG_NAMES, FLAG_WORDS, flag_name
from detector.text.plural import plural as plural
from detector.text.time import format_age, format_duration
from tui.presentation import time_display

if TYPE_CHECKING:
    pass

SEVERITY_GLYPHS = {"critical": "◆", "high": "▲", "medium": "●", "low": "○"}


def number(value: int) -> str:
    return f"{value:,}"


def severity_label(word: str) -> str:
    return f"{SEVERITY_GLYPHS.get(word, ' ')} {word}"


def principal(alert: Alert) -> str:
    """Return the first principal's short name, and the number of others.

    Without an ARN, name the callers' identity types; for an alert about a log file, the file.
    """
    file = log_file_name(alert)
    if file:
        return file.partition("_CloudTrail_")[2] or file
    arns = alert.facets.arns
    if not arns:
        kinds = ", ".join(alert.facets.identity_types)
        return f"no ARN ({kinds})" if kinds else "no ARN"
    more = f" +{len(arns) - 1}" if len(arns) > 1 else ""
    home = alert.facets.accounts[0] if len(alert.facets.accounts) == 1 else ""
    return _name(arns[0], home) + more


_name = lru_cache(1 << 12)(principal_name)


def subject(alert: Alert) -> str:
    """Name the caller, to begin a sentence."""
    if alert.facets.arns:
        return principal(alert)
    return f"Callers without an ARN ({', '.join(alert.facets.identity_types) or 'unknown'})"


def value_or_count(values: Sequence[str], noun: str) -> str:
    """Return the only value, or the number of values; a dash for none."""
    if not values:
        return "–"
    if len(values) == 1:
        return values[0]
    return plural(len(values), noun)


def first_values(values: Sequence[str], limit: int = 1) -> str:
    """List the first values and the number of others; a dash for none."""
    more = len(values) - limit
    shown = ", ".join(values[:limit]) or "–"
    if more > 0:
        return f"{shown} +{more}"
    return shown


def agent(user_agent: str) -> str:
    """Name the product of a user agent and the tools that it reveals."""
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


def elide(text: str, cells: int) -> str:
    """Cut the middle of a text that is too long, because many texts differ at the end."""
    if len(text) <= cells:
        return text
    if cells < 3:
        return text[:cells]
    tail = cells // 2
    return f"{text[: cells - tail - 1]}…{text[-tail:]}"


def agents(user_agents: Sequence[str]) -> str:
    return value_or_count(sorted({agent(text) for text in user_agents}), "agent")


class Places(Protocol):
    """Looks up the places of addresses, if there is a database for them; a rule set does."""

    @property
    def has_places(self) -> bool: ...
    def with_place(self, address: str) -> str: ...


def address_width(places: Places) -> int:
    """Return the width in cells of a column of IPv4 addresses, with places if known."""
    if places.has_places:
        return 34
    return 15


def network(alert: Alert) -> str:
    """List the AS organizations that the rule returned."""
    return first_values(alert.networks)


def flag_words(flags: Sequence[str]) -> str:
    return " ".join(FLAG_WORDS.get(flag, flag) for flag in flags)


def flag_counts(flags: Sequence[Flag]) -> str:
    """Name flags with their counts: ``access key (1), snapshot (3)``."""
    return ", ".join(f"{flag_name(flag.flag)} ({flag.count})" for flag in flags)


def novelty_names(novelties: Sequence[str]) -> str:
    """Name what overrode a suppression: ``access key (1), new region us-east-2``."""
    return ", ".join(map(_novelty_with_count, novelties))


def novelty_name(novelty: str) -> str:
    """Name what overrode a suppression, without its number: ``access key``."""
    flag = novelty.rpartition(" ")[0]
    if flag in FLAG_NAMES:
        return flag_name(flag)
    return novelty


def _novelty_with_count(novelty: str) -> str:
    name = novelty_name(novelty)
    if name == novelty:
        return novelty
    return f"{name} ({novelty.rpartition(' ')[2]})"


def status_label(alert: Alert) -> str:
    """Abbreviate the decision on an alert; empty for an open alert."""
    if alert.suppressed_by:
        return "supp"
    return {"open": "", "acknowledged": "ack", "closed": "res"}[alert.status]


def date_time(seconds: float) -> str:
    """Write ``03-01 11:58:02`` for lists, or ``3 h 02 m ago``.

    A local time that occurs twice, as summer time ends, has its UTC offset in place of the month:
    ``25 02:30:00+02``.
    """
    if time_display.mode == "relative":
        return _ago(seconds)
    if time_display.mode == "local":
        moment = time_display.datetime_at(seconds)
        offset = time_display.repeated_offset(moment)
        if offset:
            return f"{moment:%d %H:%M:%S}{offset}"
        return moment.isoformat(" ", "seconds")[5:19]
    hour, rest = divmod(int(seconds), 3_600)
    return f"{_hour(hour)}{rest // 60:02}:{rest % 60:02}"


@lru_cache(1 << 10)
def _hour(hour: int) -> str:
    """Write ``03-01 11:`` for a count of hours since the epoch.

    The result is cached, because a long list has many times within few hours.
    """
    return datetime.fromtimestamp(hour * 3_600, UTC).strftime("%m-%d %H:")


def date_minute(seconds: float) -> str:
    """Write ``03-01 11:58`` for narrow lists, or ``3 h ago``; repeated times as ``date_time``."""
    if time_display.mode == "relative":
        return _ago(seconds, format_age)
    moment = time_display.datetime_at(seconds)
    offset = time_display.repeated_offset(moment)
    if offset:
        return f"{moment:%d %H:%M}{offset}"
    return f"{moment:%m-%d %H:%M}"


def filter_minute(seconds: float) -> str:
    """Write a time for a filter, to the minute: ``2026-03-01T11:58``, with an offset if local."""
    if time_display.mode == "local":
        return time_display.datetime_at(seconds).isoformat(timespec="minutes")
    return utc_minute(seconds)


def clock_time(seconds: float, start: float) -> str:
    """Write ``11:58:02``, or ``+02:05`` after ``start`` if times are relative or repeated."""
    moment = time_display.datetime_at(seconds)
    if time_display.mode != "relative" and not time_display.is_repeated(moment):
        return f"{moment:%H:%M:%S}"
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
    """Write ``2026-03-01 11:58:00–11:58:30Z``, with a second date only if it differs."""
    first, last = time_display.datetime_at(start), time_display.datetime_at(end)
    same_day = first.date() == last.date()
    until = f"{last:%H:%M:%S}" if same_day else f"{last:%Y-%m-%d %H:%M:%S}"
    changed = "" if first.utcoffset() == last.utcoffset() else time_display.zone_suffix(first)
    stamp = f"{first:%Y-%m-%d %H:%M:%S}{changed}–{until}{time_display.zone_suffix(last)}"
    return _with_age(stamp, start)


def compact_range(start: float, end: float | None = None) -> str:
    """Write ``03-01 11:58:00–11:58:30Z``, or ``3 h 02 m ago``."""
    if time_display.mode == "relative":
        return _ago(start)
    first = time_display.datetime_at(start)
    zone = time_display.zone_suffix(first)
    if end is None:
        return f"{first:%m-%d %H:%M:%S}{zone}"
    last = time_display.datetime_at(end)
    changed = "" if first.utcoffset() == last.utcoffset() else zone
    return f"{first:%m-%d %H:%M:%S}{changed}–{last:%H:%M:%S}{time_display.zone_suffix(last)}"


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


def total_risk(alert: Alert) -> int:
    """Return the uncapped sum of the risk's parts, or the rule's score if there is no risk."""
    if alert.risk is None:
        return alert.score
    return sum(points for _, points in alert.risk.parts)


def risk_sum(alert: Alert) -> str:
    """Write the risk score and the sum that produced it."""
    return risk_sentence(alert.risk) if alert.risk else str(alert.score)
