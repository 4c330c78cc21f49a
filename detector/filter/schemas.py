"""The fields by which alerts, notes, suppressions and events can be filtered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

from detector.cloudtrail.attacker_use import AttackerUse, attacker_use
from detector.detection.alert import SEVERITIES, STATUSES, Alert
from detector.filter.field_types import SECONDS, Address, Choice, Number, Text, Time
from detector.filter.fields import Field, Fields
from detector.filter.people import Person
from detector.inventory.inventory_files import current_inventory
from detector.text.abbreviations import FLAG_WORDS, short_arn
from detector.triage.note import VERDICTS, Note
from detector.triage.suppression import SCOPES, Suppression

if TYPE_CHECKING:
    from detector.investigation.pivot import EventRow

_text, _address, _number, _time = Text(), Address(), Number(), Time()
_person = Person()
_yes_or_no = Choice(("yes", "no"))


def _yes(whether: object) -> str:
    return "yes" if whether else "no"


def _named(arns: Iterable[str]) -> list[str]:
    """Return each ARN in its short form and in full."""
    return [name for arn in arns for name in (short_arn(arn), arn)]


def _flagged(flags: Sequence[str]) -> list[str]:
    return [*flags, *(FLAG_WORDS[flag] for flag in flags if flag in FLAG_WORDS)]


def _flag_names(alert: Alert) -> list[str]:
    return [flag.flag for flag in alert.context.flags]


def _flags(alert: Alert) -> list[str]:
    return _flagged(_flag_names(alert))


def _principals(alert: Alert) -> list[str]:
    return _named(alert.finding.facets.arns)


def _state(alert: Alert) -> str:
    return "settled" if alert.lifecycle.settled else "provisional"


def _suppressed(alert: Alert) -> str:
    return _yes(alert.triage.suppressed_by)


def _regions(alert: Alert) -> int:
    return len(alert.finding.facets.regions)


def _flag_count(alert: Alert) -> int:
    return len(alert.context.flags)


def _rule(alert: Alert) -> list[str]:
    return [alert.finding.rule.name, alert.finding.rule.id]


def _accounts(alert: Alert) -> list[str]:
    """Return the alert's accounts: their ids and their names in the inventory."""
    accounts = alert.finding.facets.accounts
    return [*accounts, *current_inventory().account_names(accounts)]


def _networks(alert: Alert) -> list[str]:
    """Return the AS organizations of the addresses and the inventory's names of their networks."""
    return [
        *alert.finding.networks,
        *current_inventory().network_names(alert.finding.facets.source_addresses),
    ]


def _known(alert: Alert) -> list[str]:
    """Return the names, owners and tickets of the known callers that the alert matches."""
    facets = alert.finding.facets
    callers = current_inventory().callers(facets.arns, facets.user_agents)
    return [fact for each in callers for fact in (each.name, each.owner, each.ticket) if fact]


def _noted(alert: Alert) -> str:
    return _yes(alert.triage.handling.notes)


def _techniques(alert: Alert) -> list[str]:
    """Return the rule's ATT&CK techniques by id and name, and their tactics."""
    return [
        name
        for each in alert.finding.rule.attack
        for name in (each.id, each.name, each.tactic)
        if name
    ]


def _technique_ids(alert: Alert) -> list[str]:
    return [each.id for each in alert.finding.rule.attack]


def _ids(alert: Alert) -> list[str]:
    return [alert.finding.alert_id, *alert.lifecycle.supersedes]


ALERTS: Fields[Alert] = Fields(
    "alerts",
    (
        Field("time", "first event", attrgetter("finding.first_event"), _time),
        Field("ended", "last event", attrgetter("finding.last_event"), _time),
        Field("severity", "severity", attrgetter("severity"), Choice(SEVERITIES, ordered=True)),
        Field("risk", "risk score", attrgetter("score"), _number),
        Field("status", "status", attrgetter("triage.status"), Choice(STATUSES)),
        Field("assignee", "assignee", attrgetter("triage.handling.assignee"), _person),
        Field(
            "verdict",
            "verdict of the latest note that has one",
            attrgetter("triage.handling.verdict"),
            Choice(VERDICTS),
        ),
        Field("ticket", "ticket of a note", attrgetter("triage.handling.tickets"), _text),
        Field("noted", "has notes", _noted, _yes_or_no, in_word_search=False),
        Field(
            "state",
            "provisional (may still grow) or settled",
            _state,
            Choice(("provisional", "settled")),
        ),
        Field(
            "suppressed",
            "hidden by a suppression",
            _suppressed,
            _yes_or_no,
            in_word_search=False,
        ),
        Field(
            "broke",
            "new activity that overrode a suppression",
            attrgetter("triage.broke_through"),
            _text,
        ),
        Field(
            "principal",
            "principal: ARN, or user/NAME, role/NAME/…",
            _principals,
            _text,
            attrgetter("finding.facets.arns"),
        ),
        Field(
            "identity",
            "identity type: IAMUser, AssumedRole",
            attrgetter("finding.facets.identity_types"),
            _text,
        ),
        Field("role", "role ARN of a session", attrgetter("finding.facets.roles"), _text),
        Field("key", "access key ID", attrgetter("finding.facets.access_keys"), _text),
        Field(
            "account",
            "account ID: its id, or your name for it",
            _accounts,
            _text,
            attrgetter("finding.facets.accounts"),
        ),
        Field("known", "known caller: name, owner or ticket", _known, _text),
        Field("region", "region", attrgetter("finding.facets.regions"), _text),
        Field("regions", "number of regions", _regions, _number),
        Field("calls", "number of calls", attrgetter("finding.event_count"), _number),
        Field("denied", "number of denied calls", attrgetter("finding.facets.denied"), _number),
        Field("span", "time from first to last call", attrgetter("finding.span"), SECONDS),
        Field("source", "source IP", attrgetter("finding.facets.source_addresses"), _address),
        Field(
            "network",
            "network (AS) organization, or your name for its network",
            _networks,
            _text,
        ),
        Field("agent", "user agent", attrgetter("finding.facets.user_agents"), _text),
        Field("error", "error code", attrgetter("finding.facets.error_codes"), _text),
        Field("flag", "flag", _flags, _text, _flag_names),
        Field("flags", "number of flags", _flag_count, _number),
        Field("rule", "rule name or ID", _rule, _text, attrgetter("finding.rule.name")),
        Field(
            "technique",
            "ATT&CK technique ID or name, or tactic",
            _techniques,
            _text,
            _technique_ids,
        ),
        Field(
            "revision",
            "revision number, from 1",
            attrgetter("lifecycle.revision"),
            _number,
        ),
        Field(
            "id",
            "alert ID (also of merged alerts)",
            _ids,
            _text,
            attrgetter("finding.alert_id"),
        ),
        Field("event", "event ID", attrgetter("finding.event_ids"), _text, in_word_search=False),
    ),
)


def _note_principal(note: Note) -> list[str]:
    return _named([note.context.principal])


def _note_flag_names(note: Note) -> list[str]:
    return [flag.flag for flag in note.context.flags]


def _note_flags(note: Note) -> list[str]:
    return _flagged(_note_flag_names(note))


NOTES: Fields[Note] = Fields(
    "notes",
    (
        Field("written", "when", attrgetter("created"), _time),
        Field("edited", "last written", attrgetter("edited"), _time),
        Field("text", "text of the note", attrgetter("body.text"), _text),
        Field("verdict", "verdict", attrgetter("body.verdict"), Choice(VERDICTS)),
        Field("ticket", "ticket", attrgetter("body.ticket"), _text),
        Field("owner", "owner", attrgetter("body.owner"), _person),
        Field("author", "author", attrgetter("author"), _person),
        Field("happened", "first event of the alert", attrgetter("context.first_event"), _time),
        Field("principal", "principal", _note_principal, _text, attrgetter("context.principal")),
        Field("account", "account ID", attrgetter("context.accounts"), _text),
        Field("region", "region", attrgetter("context.regions"), _text),
        Field("calls", "number of calls in the alert", attrgetter("context.events"), _number),
        Field("source", "source IP", attrgetter("context.source_addresses"), _address),
        Field("agent", "user agent", attrgetter("context.user_agents"), _text),
        Field("key", "access key ID", attrgetter("context.access_keys"), _text),
        Field("flag", "flag", _note_flags, _text, _note_flag_names),
        Field("rule", "rule name", attrgetter("context.rule"), _text),
        Field("alert", "alert ID", attrgetter("alert_id"), _text),
    ),
)


def _rule_meant(entry: Suppression) -> str:
    return entry.rule_id or "all"


def _value(entry: Suppression) -> list[str]:
    return [entry.value, short_arn(entry.value)]


SUPPRESSIONS: Fields[Suppression] = Fields(
    "suppressions",
    (
        Field("made", "when", attrgetter("created"), _time),
        Field("ends", "end of the suppression", attrgetter("expires"), _time),
        Field("lifted", "when it was ended", attrgetter("lifted"), _time),
        Field("scope", "scope", attrgetter("scope"), Choice(SCOPES)),
        Field("value", "value that it matches", _value, _text, attrgetter("value")),
        Field("rule", "rule ID, or all", _rule_meant, _text),
        Field("hidden", "number of alerts hidden", attrgetter("hidden"), _number),
        Field("ticket", "ticket", attrgetter("ticket"), _text),
        Field("owner", "owner", attrgetter("owner"), _person),
        Field("author", "author", attrgetter("author"), _person),
        Field("justification", "why", attrgetter("justification"), _text),
    ),
)


def _outcome(row: EventRow) -> str:
    return row.event.error_code or "ok"


def _caller(row: EventRow) -> list[str]:
    return _named([row.event.arn])


def _row_flags(row: EventRow) -> list[str]:
    return _flagged(row.flags)


def _own(row: EventRow) -> str:
    return _yes(row.own)


def _technique(row: EventRow) -> str:
    use = attacker_use(row.event.provider, row.event.action) or _NO_USE
    return use.technique


def _use(row: EventRow) -> str:
    use = attacker_use(row.event.provider, row.event.action) or _NO_USE
    return use.purpose


_NO_USE = AttackerUse("", "")


EVENTS: Fields[EventRow] = Fields(
    "events",
    (
        Field("time", "when", attrgetter("event.time"), _time),
        Field("call", "API call", attrgetter("event.action"), _text),
        Field("service", "service: ec2.amazonaws.com", attrgetter("event.provider"), _text),
        Field("region", "where", attrgetter("event.region"), _text),
        Field("outcome", "ok or the error code", _outcome, _text),
        Field("source", "source IP", attrgetter("event.source_address"), _address),
        Field("agent", "user agent", attrgetter("event.user_agent"), _text),
        Field(
            "principal",
            "principal: ARN, or user/NAME, role/NAME/…",
            _caller,
            _text,
            attrgetter("event.arn"),
        ),
        Field("identity", "identity type", attrgetter("event.identity_type"), _text),
        Field("role", "role ARN of a session", attrgetter("event.role_arn"), _text),
        Field("key", "access key ID", attrgetter("event.access_key"), _text),
        Field("account", "account ID", attrgetter("event.account"), _text),
        Field("caller", "account ID of the caller", attrgetter("event.caller_account"), _text),
        Field("object", "what the call acted on", attrgetter("acted_on"), _text),
        Field("technique", "ATT&CK technique that the call is used for", _technique, _text),
        Field("use", "what attackers use the call for", _use, _text),
        Field("flag", "flag", _row_flags, _text, attrgetter("flags")),
        Field("own", "part of the alert", _own, _yes_or_no, in_word_search=False),
        Field("id", "event ID", attrgetter("event.event_id"), _text),
    ),
)
