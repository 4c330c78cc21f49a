"""What alerts, notes, suppressions and events can be filtered by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

from detector.detection.alert import SEVERITIES, STATUSES, Alert
from detector.filter.field_types import SECONDS, Address, Choice, Number, Text, Time
from detector.filter.fields import Field, Fields
from detector.inventory.inventory_files import current_inventory
from detector.text.abbreviations import FLAG_WORDS, short_arn
from detector.triage.note import VERDICTS, Note
from detector.triage.suppression import SCOPES, Suppression

if TYPE_CHECKING:
    from detector.investigation.pivot import EventRow

_text, _address, _number, _time = Text(), Address(), Number(), Time()
_yes_or_no = Choice(("yes", "no"))


def _yes(whether: object) -> str:
    return "yes" if whether else "no"


def _named(arns: Iterable[str]) -> list[str]:
    """ARNs as they are and as they are shown."""
    return [name for arn in arns for name in (short_arn(arn), arn)]


def _flagged(flags: Sequence[str]) -> list[str]:
    return [*flags, *(FLAG_WORDS[flag] for flag in flags if flag in FLAG_WORDS)]


def _flag_names(alert: Alert) -> list[str]:
    return [flag.flag for flag in alert.flags]


def _flags(alert: Alert) -> list[str]:
    return _flagged(_flag_names(alert))


def _principals(alert: Alert) -> list[str]:
    return _named(alert.facets.arns)


def _state(alert: Alert) -> str:
    return "settled" if alert.settled else "provisional"


def _suppressed(alert: Alert) -> str:
    return _yes(alert.suppressed_by)


def _regions(alert: Alert) -> int:
    return len(alert.facets.regions)


def _flag_count(alert: Alert) -> int:
    return len(alert.flags)


def _rule(alert: Alert) -> list[str]:
    return [alert.rule.name, alert.rule.id]


def _accounts(alert: Alert) -> list[str]:
    """The accounts by id, and by the name that people gave."""
    accounts = alert.facets.accounts
    return [*accounts, *current_inventory().account_names(accounts)]


def _networks(alert: Alert) -> list[str]:
    """The organizations behind addresses, and one's own networks."""
    return [*alert.networks, *current_inventory().network_names(alert.facets.source_addresses)]


def _known(alert: Alert) -> list[str]:
    """Names, owners and tickets of the known callers that it matches."""
    facets = alert.facets
    callers = current_inventory().callers(facets.arns, facets.user_agents)
    return [fact for each in callers for fact in (each.name, each.owner, each.ticket) if fact]


def _noted(alert: Alert) -> str:
    return _yes(alert.handled.notes)


def _techniques(alert: Alert) -> list[str]:
    """The techniques by id and name, and their tactics."""
    return [
        name for each in alert.rule.attack for name in (each.id, each.name, each.tactic) if name
    ]


def _technique_ids(alert: Alert) -> list[str]:
    return [each.id for each in alert.rule.attack]


def _ids(alert: Alert) -> list[str]:
    return [alert.alert_id, *alert.supersedes]


ALERTS: Fields[Alert] = Fields(
    "alerts",
    (
        Field("time", "its first event", attrgetter("first_event"), _time),
        Field("ended", "its last event", attrgetter("last_event"), _time),
        Field(
            "severity", "how bad it is", attrgetter("severity"), Choice(SEVERITIES, ordered=True)
        ),
        Field("risk", "its score, 0 to 100", attrgetter("score"), _number),
        Field("status", "what was decided", attrgetter("status"), Choice(STATUSES)),
        Field("assignee", "who works on it", attrgetter("assignee"), _text),
        Field(
            "verdict",
            "what its latest note that decides has found",
            attrgetter("handled.verdict"),
            Choice(VERDICTS),
        ),
        Field("ticket", "a ticket of its notes", attrgetter("handled.tickets"), _text),
        Field("noted", "whether it has notes", _noted, _yes_or_no, in_word_search=False),
        Field(
            "state", "whether its window may still grow", _state, Choice(("provisional", "settled"))
        ),
        Field(
            "suppressed",
            "whether a suppression hides it",
            _suppressed,
            _yes_or_no,
            in_word_search=False,
        ),
        Field(
            "broke",
            "what it brought that broke through a suppression",
            attrgetter("broke_through"),
            _text,
        ),
        Field(
            "principal",
            "who called: ARN, or user/NAME, role/NAME/…",
            _principals,
            _text,
            attrgetter("facets.arns"),
        ),
        Field(
            "identity",
            "the kind of caller: IAMUser, AssumedRole",
            attrgetter("facets.identity_types"),
            _text,
        ),
        Field("role", "the ARN of a role behind a session", attrgetter("facets.roles"), _text),
        Field("key", "access key id", attrgetter("facets.access_keys"), _text),
        Field(
            "account",
            "the caller's account: its id, or your name for it",
            _accounts,
            _text,
            attrgetter("facets.accounts"),
        ),
        Field("known", "a known caller of yours: its name, owner or ticket", _known, _text),
        Field("region", "a region that was called", attrgetter("facets.regions"), _text),
        Field("regions", "in how many regions", _regions, _number),
        Field("calls", "how many calls it rests on", attrgetter("event_count"), _number),
        Field("denied", "how many of them failed", attrgetter("facets.denied"), _number),
        Field("span", "how long from the first to the last", attrgetter("span"), SECONDS),
        Field("source", "source address", attrgetter("facets.source_addresses"), _address),
        Field(
            "network",
            "the organization behind an address, or your name for its network",
            _networks,
            _text,
        ),
        Field("agent", "user agent", attrgetter("facets.user_agents"), _text),
        Field("error", "error code", attrgetter("facets.error_codes"), _text),
        Field("flag", "what else was seen of its principal", _flags, _text, _flag_names),
        Field("flags", "how many such flags", _flag_count, _number),
        Field("rule", "the rule's name or id", _rule, _text, attrgetter("rule.name")),
        Field(
            "technique",
            "a technique of ATT&CK, by id or name, or its tactic",
            _techniques,
            _text,
            _technique_ids,
        ),
        Field(
            "revision",
            "how often late data has changed it, from 1",
            attrgetter("revision"),
            _number,
        ),
        Field(
            "id",
            "alert id, also of alerts that it took the place of",
            _ids,
            _text,
            attrgetter("alert_id"),
        ),
        Field("event", "event id", attrgetter("event_ids"), _text, in_word_search=False),
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
        Field("edited", "when last", attrgetter("edited"), _time),
        Field("text", "the note's words", attrgetter("body.text"), _text),
        Field("verdict", "what was found", attrgetter("body.verdict"), Choice(VERDICTS)),
        Field("ticket", "ticket", attrgetter("body.ticket"), _text),
        Field("owner", "owner", attrgetter("body.owner"), _text),
        Field("author", "who wrote it", attrgetter("author"), _text),
        Field("happened", "the alert's first event", attrgetter("context.first_event"), _time),
        Field("principal", "who called", _note_principal, _text, attrgetter("context.principal")),
        Field("account", "the caller's account", attrgetter("context.accounts"), _text),
        Field("region", "a region that was called", attrgetter("context.regions"), _text),
        Field("calls", "how many calls the alert rested on", attrgetter("context.events"), _number),
        Field("source", "source address", attrgetter("context.source_addresses"), _address),
        Field("agent", "user agent", attrgetter("context.user_agents"), _text),
        Field("key", "access key id", attrgetter("context.access_keys"), _text),
        Field("flag", "what else was seen of its principal", _note_flags, _text, _note_flag_names),
        Field("rule", "the rule's name", attrgetter("context.rule"), _text),
        Field("alert", "alert id", attrgetter("alert_id"), _text),
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
        Field("ends", "when it stops hiding", attrgetter("expires"), _time),
        Field("lifted", "when it was lifted", attrgetter("lifted"), _time),
        Field("scope", "what it goes by", attrgetter("scope"), Choice(SCOPES)),
        Field("value", "what it hides", _value, _text, attrgetter("value")),
        Field("rule", "of which rule: its id, or all", _rule_meant, _text),
        Field("hidden", "how many alerts it has hidden", attrgetter("hidden"), _number),
        Field("ticket", "ticket", attrgetter("ticket"), _text),
        Field("owner", "owner", attrgetter("owner"), _text),
        Field("author", "who made it", attrgetter("author"), _text),
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


EVENTS: Fields[EventRow] = Fields(
    "events",
    (
        Field("time", "when", attrgetter("event.time"), _time),
        Field("call", "the API call", attrgetter("event.action"), _text),
        Field("service", "the service: ec2.amazonaws.com", attrgetter("event.provider"), _text),
        Field("region", "where", attrgetter("event.region"), _text),
        Field("outcome", "ok, or the error code", _outcome, _text),
        Field("source", "source address", attrgetter("event.source_address"), _address),
        Field("agent", "user agent", attrgetter("event.user_agent"), _text),
        Field(
            "principal",
            "who called: ARN, or user/NAME, role/NAME/…",
            _caller,
            _text,
            attrgetter("event.arn"),
        ),
        Field("identity", "the kind of caller", attrgetter("event.identity_type"), _text),
        Field("role", "the ARN of the role behind a session", attrgetter("event.role_arn"), _text),
        Field("key", "access key id", attrgetter("event.access_key"), _text),
        Field("account", "the account that it was done in", attrgetter("event.account"), _text),
        Field("flag", "the flags that speak of it", _row_flags, _text, attrgetter("flags")),
        Field("own", "whether the alert rests on it", _own, _yes_or_no, in_word_search=False),
        Field("id", "event id", attrgetter("event.event_id"), _text),
    ),
)
