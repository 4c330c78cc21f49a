"""The oracle: the alerts of the reference rule over raw records, in plain Python.

It shares no code with the detector and takes none of its shortcuts: events are put in one list, and
every window is evaluated by itself.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

WIDTH = 30
REGIONS_NEEDED = EVENTS_NEEDED = 10

Raw = dict[str, Any]


class Event(NamedTuple):
    time: int
    event_id: str
    record: Raw


class Sums(NamedTuple):
    """What becomes of the records: seen = read + skipped + rejected; hits = counted + duplicate."""

    seen: int
    counted: int
    duplicate: int
    skipped: dict[str, int]
    rejected: dict[str, int]


def alerts(records: Iterable[Raw], mode: str) -> list[Raw]:
    """The alerts, the earliest window first; of each what follows from the records alone."""
    return sorted(
        _alerts(records, {"tumbling": _tumbling, "sliding": _sliding}[mode]),
        key=lambda alert: (alert["window"]["start"], str(alert["key"])),
    )


def sums(records: Iterable[Raw]) -> Sums:
    skipped: Counter[str] = Counter()
    rejected: Counter[str] = Counter()
    copies: Counter[tuple[str, str]] = Counter()
    seen = 0
    for record in records:
        seen += 1
        if reason := _SKIPPED.get(record.get("eventCategory") or ""):
            skipped[reason] += 1
        elif _time(record) is None:
            rejected["no-event-time"] += 1
        elif _counts(record):
            copies[_identity(record)] += 1
    duplicate = copies.total() - len(copies)
    return Sums(seen, len(copies), duplicate, dict(skipped), dict(rejected))


_SKIPPED = {"Insight": "insight", "NetworkActivity": "network-activity", "Aggregated": "aggregated"}


def _counts(record: Raw) -> bool:
    return (record.get("eventSource"), record.get("eventName")) == (
        "ec2.amazonaws.com",
        "DescribeInstances",
    )


def _identity(record: Raw) -> tuple[str, str]:
    if not (event_id := record.get("eventID")):
        canonical = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        event_id = "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()
    with contextlib.suppress(ValueError):
        if str(UUID(event_id)) == event_id.lower():
            return "", event_id.lower()
    account = record.get("recipientAccountId") or _value(record, "userIdentity", "accountId")
    return account or "", event_id


def _time(record: Raw) -> int | None:
    text = record.get("eventTime")
    if not isinstance(text, str) or "T" not in text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (
        moment.replace(tzinfo=moment.tzinfo or UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    ) // timedelta(seconds=1)


Windows = Callable[[list[Event]], Iterator[tuple[int, int]]]


def _alerts(records: Iterable[Raw], windows: Windows) -> Iterator[Raw]:
    events: dict[str | None, dict[tuple[str, str], Event]] = {}
    for record in records:
        if (
            _counts(record)
            and record.get("eventCategory") not in _SKIPPED
            and (time := _time(record)) is not None
        ):
            identity = _identity(record)
            of_principal = events.setdefault(_value(record, "userIdentity", "arn"), {})
            of_principal[identity] = Event(time, identity[1], record)
    for arn, held in events.items():
        calls = list(held.values())
        for start, end in windows(calls):
            yield _alert(arn, start, end, _within(calls, start, end))


def _within(calls: list[Event], start: int, end: int) -> list[Event]:
    return [call for call in calls if start <= call.time < end]


def _meets(calls: list[Event]) -> bool:
    return (
        len(calls) >= EVENTS_NEEDED
        and len({_value(call.record, "awsRegion") for call in calls} - {None}) >= REGIONS_NEEDED
    )


def _tumbling(calls: list[Event]) -> Iterator[tuple[int, int]]:
    for number in {call.time // WIDTH for call in calls}:
        span = number * WIDTH, number * WIDTH + WIDTH
        if _meets(_within(calls, *span)):
            yield span


def _sliding(calls: list[Event]) -> Iterator[tuple[int, int]]:
    """Spans that start at an event's time and meet the threshold; those that overlap are one, those
    that touch two."""
    spans = [
        (time, time + WIDTH)
        for time in sorted({call.time for call in calls})
        if _meets(_within(calls, time, time + WIDTH))
    ]
    while spans:
        start, end = spans.pop(0)
        while spans and spans[0][0] < end:
            end = spans.pop(0)[1]
        yield start, end


def _alert(arn: str | None, start: int, end: int, calls: list[Event]) -> Raw:
    def values(*path: str) -> list[str] | None:
        return sorted({value for call in calls if (value := _value(call.record, *path))}) or None

    accounts = {
        _value(call.record, "userIdentity", "accountId")
        or _value(call.record, "recipientAccountId")
        for call in calls
    } - {None}
    regions = values("awsRegion")
    return {
        "window": {"start": _text(start), "end": _text(end)},
        "key": {"aws.cloudtrail.user_identity.arn": arn},
        "columns": {
            "Esql.cloud_region_count_distinct": len(regions or []),
            "Esql.event_count": len(calls),
            "Esql.event_timestamp_values": sorted({_text(call.time) for call in calls}),
            "Esql.aws_cloudtrail_user_identity_type_values": values("userIdentity", "type"),
            "Esql.aws_cloudtrail_user_identity_access_key_id_values": values(
                "userIdentity", "accessKeyId"
            ),
            "Esql.source_ip_values": _addresses(calls),
            "Esql.user_agent_original_values": values("userAgent"),
            "Esql.source_as_organization_name_values": None,
            "Esql.cloud_account_id_values": sorted(account for account in accounts if account)
            or None,
            "Esql.cloud_region_values": regions,
            "Esql.data_stream_namespace_values": ["default"],
            "Esql.time_window_date_trunc": _text(start),
            "aws.cloudtrail.user_identity.arn": arn,
        },
        "event_ids": sorted({call.event_id for call in calls}),
        "first_event": _text(min(call.time for call in calls)),
        "last_event": _text(max(call.time for call in calls)),
    }


def _value(record: Raw, *path: str) -> str | None:
    """An element of the record; what stands for nothing in the integration is none."""
    found: Any = record
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found if found not in (None, "", "-", "none") else None


def _addresses(calls: list[Event]) -> list[str] | None:
    found = set()
    for call in calls:
        try:
            found.add(str(ipaddress.ip_address(_value(call.record, "sourceIPAddress") or "")))
        except ValueError:
            continue
    return sorted(found) or None


def _text(seconds: int) -> str:
    return (
        (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds))
        .isoformat()
        .replace("+00:00", "Z")
    )
