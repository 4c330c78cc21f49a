"""The callers of rows other than alerts, for notes and suppressions."""

from __future__ import annotations

from collections.abc import Sequence

from detector.detection.activity.parts import is_denial
from detector.filter.quoting import quote_value
from detector.investigation.pivot import EventRow
from detector.investigation.principals import PrincipalRow
from detector.text.abbreviations import short_arn
from detector.triage.caller import Caller
from detector.triage.note import NoteContext
from detector.triage.suppression import SCOPES, Scope

_NAMED = ("user", "root", "federated")
"""The kinds of principals for which every call carries the principal's own ARN."""


def caller_of_principal(row: PrincipalRow) -> Caller:
    """Return a principal as a caller, with what is known about the days that its row covers."""
    context = NoteContext(
        alert_id="",
        revision=0,
        rule="",
        principal=row.name,
        accounts=list(row.accounts),
        regions=list(row.regions),
        start=row.first,
        end=row.last + 1,
        first_event=row.first,
        last_event=row.last,
        events=row.calls,
        source_addresses=list(row.networks),
        user_agents=list(row.programs),
        access_keys=list(row.keys),
        denied=row.denied,
        flags=[],
    )
    values: dict[Scope, str] = {"account": row.account}
    if row.kind in _NAMED:
        values["principal"] = row.name
    if row.kind == "role":
        values["principal-pattern"] = f"{row.name}/*"
    values["access-key"] = _only(row.keys)
    values["cidr"] = _only([each for each in row.networks if "/" in each])
    return Caller(context, _in_order(values))


def caller_of_event(row: EventRow) -> Caller:
    """Return the caller of an event, with what the event shows."""
    event = row.event
    context = NoteContext(
        alert_id="",
        revision=0,
        rule="",
        principal=event.arn or event.caller_account,
        accounts=[event.account] if event.account else [],
        regions=[event.region] if event.region else [],
        start=event.time,
        end=event.time + 1,
        first_event=event.time,
        last_event=event.time,
        events=1,
        source_addresses=[event.source_address] if event.source_address else [],
        user_agents=[event.user_agent] if event.user_agent else [],
        access_keys=[event.access_key] if event.access_key else [],
        denied=int(is_denial(event.error_code)),
        flags=[],
    )
    values: dict[Scope, str] = {
        "principal": event.arn,
        "role": event.role_arn,
        "access-key": event.access_key,
        "user-agent": event.user_agent,
        "cidr": event.source_address,
        "account": event.account,
    }
    return Caller(context, _in_order(values))


def principal_filter(name: str) -> str:
    """Return a filter that selects the events of a principal named in a note."""
    if name.isdecimal():
        return f'caller={name} principal:""'
    if not name.startswith("arn:"):
        return f'source={quote_value(name)} principal:""'
    if ":assumed-role/" in name and name.count("/") == 1:
        return f"principal:{quote_value(short_arn(name) + '/')}"
    return f"principal={quote_value(name)}"


def _only(values: Sequence[str]) -> str:
    """Return the only value; empty if there is none or more than one."""
    return values[0] if len(values) == 1 else ""


def _in_order(values: dict[Scope, str]) -> dict[Scope, str]:
    return {scope: values[scope] for scope in SCOPES if values.get(scope)}
