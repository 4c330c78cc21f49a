"""What to follow up after a case: the objects its calls touched, and indicators to search for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from detector.cloudtrail.call_object import call_object_in_json
from detector.detection.alert import Alert
from detector.inventory.inventory_files import current_inventory
from detector.investigation.pivot import EventRow

ENUMERATION = frozenset({"other-enumeration", "discovery-burst", "caller-identity"})
"""The flags of calls that only look around and change nothing."""

_ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")
_KEY = re.compile(r"\b(?:AKIA|ASIA)[A-Z2-7]{12,28}\b")


class CaseIndicator(msgspec.Struct, frozen=True, order=True):
    """A value to search for; ``remark`` says what is known about the value."""

    kind: str
    value: str
    remark: str = ""


class TouchedObject(msgspec.Struct, frozen=True):
    """An object, the call that acted on it, how often, and the first time (epoch seconds)."""

    call: str
    object: str
    result: str
    count: int
    first: int
    flags: tuple[str, ...]


def is_telling(row: EventRow) -> bool:
    """Tell whether a call did more than look around, and is not one of the alert's own calls."""
    return not row.own and bool(set(row.flags) - ENUMERATION)


def touched_objects(rows: Iterable[EventRow]) -> list[TouchedObject]:
    """Return the objects of the telling calls, in order of their first call."""
    groups: dict[tuple[str, str, str], list[EventRow]] = {}
    for row in rows:
        if is_telling(row):
            key = (row.event.action, call_object_in_json(row.raw), row.event.error_code or "ok")
            groups.setdefault(key, []).append(row)
    return [
        TouchedObject(
            call,
            acted_on,
            result,
            len(group),
            min(row.event.time for row in group),
            tuple(sorted({flag for row in group for flag in row.flags} - ENUMERATION)),
        )
        for (call, acted_on, result), group in groups.items()
    ]


def case_indicators(alerts: Sequence[Alert], rows: Sequence[EventRow]) -> list[CaseIndicator]:
    """Return the indicators of alerts and of the calls around them, sorted."""
    found = {(each.kind, each.value): each for alert in alerts for each in _of_alert(alert)}
    accounts = {account for alert in alerts for account in alert.facets.accounts}
    for each in _of_rows(rows, accounts):
        found.setdefault((each.kind, each.value), each)
    return sorted(found.values())


def _of_alert(alert: Alert) -> Iterator[CaseIndicator]:
    facets, inventory = alert.facets, current_inventory()
    for arn in facets.arns:
        labels = [each.label() for each in inventory.callers([arn], facets.user_agents)]
        yield CaseIndicator("principal", arn, ", ".join(labels))
    for address in facets.source_addresses:
        yield CaseIndicator("source IP", address, ", ".join(inventory.network_names([address])))
    for kind, values in (("access key", facets.access_keys), ("user agent", facets.user_agents)):
        yield from (CaseIndicator(kind, value) for value in values)


def _of_rows(rows: Sequence[EventRow], accounts: set[str]) -> Iterator[CaseIndicator]:
    inventory = current_inventory()
    for row in rows:
        if row.event.issued_key:
            yield CaseIndicator("issued session key", row.event.issued_key, row.event.action)
        if row.event.error_code or not (is_telling(row) or row.event.issued_key):
            continue
        acted_on = call_object_in_json(row.raw)
        if row.event.action == "CreateAccessKey":
            for key in _KEY.findall(acted_on):
                yield CaseIndicator("created access key", key, acted_on)
        for account in _ACCOUNT.findall(acted_on):
            if account not in accounts and account != row.event.account:
                name = inventory.accounts.get(account, "")
                remark = f"{row.event.action}: {acted_on}"
                yield CaseIndicator(
                    "foreign account", account, f"{name}, {remark}" if name else remark
                )
