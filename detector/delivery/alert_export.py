"""The alert export, with the inventory's names for accounts, networks and principals."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Any, Literal

from detector.cloudtrail.principal_name import principal_name
from detector.delivery.list_export import ExportColumn, ListExport
from detector.detection.alert import Alert
from detector.inventory.inventory_files import current_inventory


def export_alerts(alerts: Iterable[Alert], format: Literal["jsonl", "csv"]) -> str:
    """Export alerts as JSON Lines or CSV, in the order given."""
    return ALERT_EXPORT.text(alerts, format)


def alert_object(alert: Alert) -> dict[str, Any]:
    """Return an alert's JSON object, with the inventory's names where there is an inventory."""
    inventory = current_inventory()
    if not inventory:
        return alert.as_json()
    facets = alert.facets
    return {
        **alert.as_json(),
        "account_names": inventory.account_names(facets.accounts),
        "own_networks": inventory.network_names(facets.source_addresses),
        "known": [
            {"name": each.name, "owner": each.owner or None, "ticket": each.ticket or None}
            for each in inventory.callers(facets.arns, facets.user_agents)
        ],
    }


def alert_name(alert: Alert) -> str:
    """Return the alert's principal with the inventory's account name."""
    return principal_name(alert.principal, account_names=current_inventory().accounts)


def _account_names(alert: Alert) -> list[str]:
    return current_inventory().account_names(alert.facets.accounts)


def _own_networks(alert: Alert) -> list[str]:
    return current_inventory().network_names(alert.facets.source_addresses)


def _known(alert: Alert) -> list[str]:
    facets = alert.facets
    return [each.label() for each in current_inventory().callers(facets.arns, facets.user_agents)]


def _state(alert: Alert) -> str:
    return "settled" if alert.settled else "provisional"


def _window_start(alert: Alert) -> int | None:
    return alert.window.start if alert.window else None


def _window_end(alert: Alert) -> int | None:
    return alert.window.end if alert.window else None


def _region_count(alert: Alert) -> int:
    return len(alert.facets.regions)


def _flags(alert: Alert) -> list[str]:
    return [flag.flag for flag in alert.flags]


def _risk_parts(alert: Alert) -> list[str]:
    """Return the parts that add up to the risk score, such as ``rule 21``, ``access-key 50``."""
    return [f"{name} {points}" for name, points in alert.risk.parts] if alert.risk else []


def _techniques(alert: Alert) -> list[str]:
    return sorted({each.id for each in alert.rule.attack})


def _tactics(alert: Alert) -> list[str]:
    return sorted({each.tactic for each in alert.rule.attack})


def _suppressed_by(alert: Alert) -> str:
    return alert.suppressed_by or ""


_Column = ExportColumn[Alert]

ALERT_EXPORT: ListExport[Alert] = ListExport(
    "Alerts",
    "alert",
    (
        _Column("alert_id", "", "text", attrgetter("alert_id")),
        _Column("revision", "", "number", attrgetter("revision")),
        _Column("state", "", "text", _state),
        _Column("severity", "Severity", "text", attrgetter("severity")),
        _Column("risk_score", "Risk", "number", attrgetter("score")),
        _Column("status", "Status", "text", attrgetter("status")),
        _Column("assignee", "Assignee", "text", attrgetter("assignee")),
        _Column("verdict", "Verdict", "text", attrgetter("handling.verdict")),
        _Column("tickets", "Tickets", "list", attrgetter("handling.tickets")),
        _Column("rule", "Rule", "text", attrgetter("rule.name")),
        _Column("techniques", "ATT&CK", "list", _techniques),
        _Column("tactics", "", "list", _tactics),
        _Column("window_start", "", "time", _window_start),
        _Column("window_end", "", "time", _window_end),
        _Column("first_event", "First event (UTC)", "time", attrgetter("first_event")),
        _Column("last_event", "", "time", attrgetter("last_event")),
        _Column("principal", "", "code", attrgetter("principal")),
        _Column("principal_name", "Principal", "code", alert_name),
        _Column("accounts", "Accounts", "list", attrgetter("facets.accounts")),
        _Column("account_names", "Account names", "list", _account_names),
        _Column("regions", "", "list", attrgetter("facets.regions")),
        _Column("region_count", "Regions", "number", _region_count),
        _Column("calls", "Calls", "number", attrgetter("event_count")),
        _Column("denied", "Denied", "number", attrgetter("facets.denied")),
        _Column("source_ips", "Source", "list", attrgetter("facets.source_addresses")),
        _Column("own_networks", "Own networks", "list", _own_networks),
        _Column("known", "Known as", "list", _known),
        _Column("user_agents", "", "list", attrgetter("facets.user_agents")),
        _Column("access_keys", "", "list", attrgetter("facets.access_keys")),
        _Column("flags", "Flags", "list", _flags),
        _Column("risk_parts", "", "list", _risk_parts),
        _Column("suppressed_by", "", "text", _suppressed_by),
    ),
    alert_object,
)
