"""Exports of principals and events."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from detector.cloudtrail.attacker_use import attacker_use
from detector.cloudtrail.call_object import call_object_in_json
from detector.delivery.list_export import ExportColumn, ListExport
from detector.inventory.inventory_files import current_inventory
from detector.investigation.pivot import EventRow
from detector.investigation.principals import PrincipalRow
from detector.triage.export import event_object


def _account_name(row: PrincipalRow) -> str:
    return ", ".join(current_inventory().account_names([row.account]))


def _is_new(row: PrincipalRow) -> str:
    return "yes" if row.is_new else "no"


_Principal = ExportColumn[PrincipalRow]

PRINCIPAL_EXPORT: ListExport[PrincipalRow] = ListExport(
    "Principals",
    "principal",
    (
        _Principal("principal", "Principal", "code", attrgetter("name")),
        _Principal("kind", "Kind", "text", attrgetter("kind")),
        _Principal("account", "Account", "code", attrgetter("account")),
        _Principal("account_name", "Account name", "text", _account_name),
        _Principal("first_seen", "First seen (UTC)", "time", attrgetter("first_seen")),
        _Principal("first_call", "", "time", attrgetter("first")),
        _Principal("last_call", "Last call (UTC)", "time", attrgetter("last")),
        _Principal("calls", "Calls", "number", attrgetter("calls")),
        _Principal("failed", "Failed", "number", attrgetter("failed")),
        _Principal("denied", "Denied", "number", attrgetter("denied")),
        _Principal("writes", "Writes", "number", attrgetter("writes")),
        _Principal("regions", "Regions", "list", attrgetter("regions")),
        _Principal("networks", "Networks", "list", attrgetter("networks")),
        _Principal("programs", "Programs", "list", attrgetter("programs")),
        _Principal("services", "", "list", attrgetter("services")),
        _Principal("access_keys", "", "list", attrgetter("keys")),
        _Principal("sessions", "Sessions", "number", attrgetter("sessions")),
        _Principal("uncommon_calls", "Uncommon calls", "list", attrgetter("uncommon")),
        _Principal("rhythm", "Rhythm", "text", attrgetter("rhythm")),
        _Principal("new", "New", "text", _is_new),
        _Principal("alerts", "", "list", attrgetter("alerts")),
        _Principal("risk", "Risk", "number", attrgetter("risk.score")),
    ),
    PrincipalRow.as_json,
)


def acted_on(row: EventRow) -> str:
    """Return the object of an event's call."""
    return row.acted_on or call_object_in_json(row.raw)


def event_row_object(row: EventRow) -> dict[str, Any]:
    """Return the object that ``--format jsonl`` prints for an event."""
    event = {**event_object(row.event), "object": acted_on(row), "flags": row.flags}
    use = attacker_use(row.event.provider, row.event.action)
    if use is not None:
        event["attacker_use"] = use._asdict()
    return event


def _outcome(row: EventRow) -> str:
    return row.event.error_code or "ok"


def _technique(row: EventRow) -> str:
    use = attacker_use(row.event.provider, row.event.action)
    return use.technique if use else ""


_Event = ExportColumn[EventRow]

EVENT_EXPORT: ListExport[EventRow] = ListExport(
    "Events",
    "event",
    (
        _Event("time", "Time (UTC)", "time", attrgetter("event.time")),
        _Event("principal", "Principal", "code", attrgetter("event.arn")),
        _Event("service", "Service", "code", attrgetter("event.provider")),
        _Event("call", "Call", "code", attrgetter("event.action")),
        _Event("object", "Object", "code", acted_on),
        _Event("region", "Region", "code", attrgetter("event.region")),
        _Event("outcome", "Outcome", "code", _outcome),
        _Event("source", "Source", "code", attrgetter("event.source_address")),
        _Event("agent", "Agent", "code", attrgetter("event.user_agent")),
        _Event("access_key", "Access key", "code", attrgetter("event.access_key")),
        _Event("account", "Account", "code", attrgetter("event.account")),
        _Event("event_id", "", "code", attrgetter("event.event_id")),
        _Event("flags", "Flags", "list", attrgetter("flags")),
        _Event("technique", "ATT&CK", "text", _technique),
    ),
    event_row_object,
)
