"""The fields by which principals can be filtered."""

from __future__ import annotations

from operator import attrgetter

from detector.detection.alert import SEVERITIES
from detector.filter.field_types import Choice, Number, Text, Time
from detector.filter.fields import Field, Fields
from detector.investigation.principals import PrincipalRow
from detector.text.abbreviations import short_arn

_text, _number, _time = Text(), Number(), Time()


def _names(row: PrincipalRow) -> list[str]:
    return [short_arn(row.name), row.name]


def _is_new(row: PrincipalRow) -> str:
    return "yes" if row.is_new else "no"


def _region_count(row: PrincipalRow) -> int:
    return len(row.regions)


def _uncommon_count(row: PrincipalRow) -> int:
    return len(row.uncommon)


def _alert_count(row: PrincipalRow) -> int:
    return len(row.alerts)


PRINCIPALS: Fields[PrincipalRow] = Fields(
    "principals",
    (
        Field("last", "its last call", attrgetter("last"), _time),
        Field("first", "its first call ever", attrgetter("first_seen"), _time),
        Field(
            "principal",
            "its ARN, or user/NAME, role/NAME; a service, an account",
            _names,
            _text,
            attrgetter("name"),
        ),
        Field(
            "kind",
            "user, root, role, federated, service, account or external",
            attrgetter("kind"),
            _text,
        ),
        Field("account", "the account it belongs to", attrgetter("account"), _text),
        Field("called", "an account that it called", attrgetter("accounts"), _text),
        Field("calls", "how many calls", attrgetter("calls"), _number),
        Field("failed", "how many of them failed", attrgetter("failed"), _number),
        Field("denied", "how many were denied", attrgetter("denied"), _number),
        Field("writes", "how many were not read-only", attrgetter("writes"), _number),
        Field("region", "a region that it called", attrgetter("regions"), _text),
        Field("regions", "in how many regions", _region_count, _number),
        Field("network", "a network it called from: 203.0.113.0/24", attrgetter("networks"), _text),
        Field("program", "the program of a user agent", attrgetter("programs"), _text),
        Field("service", "a service that it called", attrgetter("services"), _text),
        Field(
            "call",
            "a call that it made: iam.amazonaws.com:CreateUser",
            attrgetter("api_calls"),
            _text,
        ),
        Field("key", "a long-term access key of it", attrgetter("keys"), _text),
        Field("sessions", "how many role sessions", attrgetter("sessions"), _number),
        Field(
            "uncommon", "how many calls that hardly anybody else makes", _uncommon_count, _number
        ),
        Field(
            "rhythm", "new, once, hourly, daily, weekdays, irregular", attrgetter("rhythm"), _text
        ),
        Field(
            "new",
            "whether it came within the last day",
            _is_new,
            Choice(("yes", "no")),
            in_word_search=False,
        ),
        Field("alerts", "how many alerts", _alert_count, _number),
        Field("risk", "its risk over days, 0 to 100", attrgetter("risk.score"), _number),
        Field(
            "severity",
            "how high its risk is",
            attrgetter("risk.severity"),
            Choice(SEVERITIES, ordered=True),
        ),
    ),
)
