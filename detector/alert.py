"""What a rule found: the alert, and the events that it rests on.

An alert is derived from its window's set of hits and from nothing else, so the same records give the
same alert with the same id, in whatever order they came. Only ``revision`` and ``supersedes`` tell how
it came about.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgspec

from detector.baseline import Baseline
from detector.record import Record, event_id, format_time, json_text

Value = None | bool | int | float | str | list[Any]
"""A value of ES|QL as it is kept and printed: dates are text in the one time format, sets are sorted lists."""

Mode = Literal["tumbling", "sliding"]

Status = Literal["open", "acknowledged", "closed"]
STATUSES: tuple[Status, ...] = ("open", "acknowledged", "closed")

SEVERITIES = ("low", "medium", "high", "critical")
"""From the least to the gravest."""


class Position(msgspec.Struct, frozen=True, order=True, gc=False, array_like=True):
    """Where a record lies: the file, the byte offset (decompressed) of the chunk it was read with, its place there."""

    source: str
    offset: int
    index: int


class Event(msgspec.Struct, frozen=True, order=True, gc=False, array_like=True):
    """What is kept of a record that a rule counted; the whole record is read again from its ``position``.

    ``account`` is the recipient account, with ``event_id`` the event's identity. ``time`` is in seconds since
    the Unix epoch. The other strings are the log's own, ``""`` where it had none.
    """

    account: str
    event_id: str
    time: int
    provider: str
    action: str
    region: str
    source_address: str
    user_agent: str
    error_code: str
    identity_type: str
    arn: str
    access_key: str
    role_arn: str
    caller_account: str
    mfa: str
    issued_key: str
    """The access key of the session that this call opened (STS), by which the session is followed."""
    position: Position

    @classmethod
    def of(cls, record: Record, raw: bytes | msgspec.Raw, time: int, position: Position) -> Event:
        caller = record.caller
        context = caller.session_context
        return cls(
            account=record.recipient_account_id or "",
            event_id=event_id(record, raw),
            time=time,
            provider=record.event_source or "",
            action=record.event_name or "",
            region=record.aws_region or "",
            source_address=record.source_ip_address or "",
            user_agent=record.user_agent or "",
            error_code=record.error_code or ("error" if record.error_message else ""),
            identity_type=caller.type or "",
            arn=caller.arn or "",
            access_key=caller.access_key_id or "",
            role_arn=record.role_arn or "",
            caller_account=caller.account_id or record.recipient_account_id or "",
            mfa=(context and context.attributes and context.attributes.mfa_authenticated) or "",
            issued_key=_issued_key(record),
            position=position,
        )


class _Credentials(msgspec.Struct, rename="camel"):
    access_key_id: str = ""


class _SessionOpened(msgspec.Struct):
    credentials: _Credentials | None = None


def _issued_key(record: Record) -> str:
    """``responseElements.credentials.accessKeyId`` of AssumeRole and its like."""
    if record.event_source != "sts.amazonaws.com":
        return ""
    try:
        opened = msgspec.json.decode(record.response_elements, type=_SessionOpened | None)
    except ValueError:
        return ""
    return opened.credentials.access_key_id if opened and opened.credentials else ""


class RuleSummary(msgspec.Struct, frozen=True):
    """What an alert says of its rule."""

    id: str
    name: str
    severity: str
    risk_score: int
    building_block: bool


class Window(msgspec.Struct, frozen=True):
    """The half-open span ``[start, end)`` in seconds since the epoch that an alert covers."""

    mode: Mode
    start: int
    end: int


class Flag(msgspec.Struct, frozen=True):
    """A correlated signal of the same principal: how often, first and last time."""

    flag: str
    count: int
    first: int
    last: int


class Risk(msgspec.Struct, frozen=True):
    """A score from 0 to 100, the severity that it means, and the sum that it came from: (what, how much) in order."""

    score: int
    severity: str
    parts: list[tuple[str, int]]


class Facets(msgspec.Struct, frozen=True):
    """The distinct values over an alert's events, each sorted: what suppressions match and lists show."""

    regions: list[str]
    accounts: list[str]
    arns: list[str]
    roles: list[str]
    access_keys: list[str]
    identity_types: list[str]
    source_addresses: list[str]
    user_agents: list[str]
    error_codes: list[str]
    denied: int
    """How many of the events failed."""

    @classmethod
    def of(cls, events: Sequence[Event]) -> Facets:
        def distinct(values: Iterable[str]) -> list[str]:
            return sorted(set(values) - {""})

        return cls(
            regions=distinct(e.region for e in events),
            accounts=distinct(e.caller_account for e in events),
            arns=distinct(e.arn for e in events),
            roles=distinct(e.role_arn for e in events),
            access_keys=distinct(e.access_key for e in events),
            identity_types=distinct(e.identity_type for e in events),
            source_addresses=distinct(e.source_address for e in events),
            user_agents=distinct(e.user_agent for e in events),
            error_codes=distinct(e.error_code for e in events),
            denied=sum(1 for e in events if e.error_code),
        )


_NETWORK_COLUMN = "source_as_organization_name"


class Alert(msgspec.Struct, frozen=True):
    """One finding of one rule. ``window`` is None for a rule that only filters (one alert an event)."""

    alert_id: str
    rule: RuleSummary
    window: Window | None
    key: dict[str, Value]
    columns: dict[str, Value]
    event_ids: list[str]
    first_event: int
    last_event: int
    facets: Facets
    flags: list[Flag] = []
    baseline: Baseline | None = None
    """What is usual for its principal and account; None until all that was found has been read."""
    risk: Risk | None = None
    """The rule's score with what the flags add and take; None until they are known."""
    revision: int = 1
    settled: bool = False
    status: Status = "open"
    suppressed_by: str | None = None
    broke_through: list[str] = []
    """What it brought that the suppressions that speak of it had not seen, where that is why it is not hidden."""
    supersedes: list[str] = []

    @property
    def principal(self) -> str:
        """The caller's ARN; the first of them where the window mixes callers, ``""`` where none had one."""
        return self.facets.arns[0] if self.facets.arns else ""

    @property
    def account(self) -> str:
        return self.facets.accounts[0] if self.facets.accounts else ""

    @property
    def networks(self) -> list[str]:
        """The AS organizations that the rule's query returned, where it returns them and a database was given."""
        for name, value in self.columns.items():
            if _NETWORK_COLUMN in name and value:
                return [str(item) for item in value] if isinstance(value, list) else [str(value)]
        return []

    @property
    def span(self) -> int:
        """Seconds from the first to the last event."""
        return self.last_event - self.first_event

    @property
    def event_count(self) -> int:
        return len(self.event_ids)

    @property
    def severity(self) -> str:
        return self.risk.severity if self.risk else self.rule.severity

    @property
    def score(self) -> int:
        return self.risk.score if self.risk else self.rule.risk_score

    def as_json(self) -> dict[str, Any]:
        """The object that ``--format jsonl`` prints."""
        window = self.window
        return {
            "alert_id": self.alert_id,
            "revision": self.revision,
            "state": "settled" if self.settled else "provisional",
            "status": self.status,
            "rule": msgspec.to_builtins(self.rule),
            "window": window and {"mode": window.mode, "start": format_time(window.start),
                                  "end": format_time(window.end)},
            "key": self.key,
            "columns": self.columns,
            "event_ids": self.event_ids,
            "first_event": format_time(self.first_event),
            "last_event": format_time(self.last_event),
            "flags": [{"flag": f.flag, "count": f.count, "first": format_time(f.first), "last": format_time(f.last)}
                      for f in self.flags],
            "risk": {"score": self.score, "severity": self.severity},
            "suppressed_by": self.suppressed_by,
            "broke_through": self.broke_through,
            "supersedes": self.supersedes,
        }


def alert_id(rule_id: str, start: int | str, key: Sequence[Value]) -> str:
    """The stable id of what a rule found at ``start`` (an event's id for a rule that only filters) for ``key``."""
    return hashlib.sha256(json_text([rule_id, start, list(key)]).encode()).hexdigest()[:20]
