"""Scopes of suppressions, intervals, and which suppressions are accepted."""

from __future__ import annotations

import msgspec
import pytest

from detector.detection.alert import Alert
from detector.detection.event import Event, KeptEvent, Position
from detector.detection.finding import Facets, Finding, Window
from detector.rules.rule_summary import RuleSummary
from detector.text.time import parse_interval
from detector.triage.note import NoteContext
from detector.triage.suppression import (
    SCOPES,
    Suppression,
    check_suppression,
    matches,
    preview_suppression,
    scope_values,
)
from tests.detector.trail import ANA, START

ROLE = "arn:aws:iam::111122223333:role/inventory"


def event(**changed: str) -> Event:
    made = Event(
        "111122223333",
        "e-1",
        START,
        "ec2.amazonaws.com",
        "DescribeInstances",
        "us-east-1",
        "203.0.113.7",
        "aws-cli/2.17.0 md/prompt#off",
        "",
        "IAMUser",
        ANA,
        "AKIAEXAMPLE",
        ROLE,
        "111122223333",
        "",
        "",
        Position("a.json", 0, 0),
    )
    return msgspec.structs.replace(made, **changed)


def alert(*events: Event, last: int = START) -> Alert:
    """An alert on these events."""
    held = events or (event(),)
    finding = Finding(
        "a1",
        RuleSummary("r1", "A rule", "low", 21, False),
        Window("tumbling", START, START + 30),
        {},
        {},
        [each.event_id for each in held],
        START,
        last,
        Facets.of([KeptEvent.of_event(each)[1] for each in held]),
    )
    return Alert(finding)


def suppression(scope: str, value: str, rule_id: str | None = None) -> Suppression:
    return Suppression(scope, value, rule_id, START, START + 1000, "T-1", "sec", "why")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("scope", "value", "expected"),
    [
        ("principal", ANA, True),
        ("principal", ANA + "x", False),
        ("principal", ANA.upper(), False),
        ("principal", "arn:aws:iam::111122223333:user/*", False),
        ("principal-pattern", "arn:aws:iam::111122223333:user/*", True),
        ("principal-pattern", "arn:aws:iam::*:user/a?a", True),
        ("principal-pattern", "*:user/[ab]na", False),
        ("principal-pattern", "*ANA", False),
        ("principal-pattern", "ana", False),
        ("role", ROLE, True),
        ("role", ROLE + "2", False),
        ("access-key", "AKIAEXAMPLE", True),
        ("access-key", "AKIA*", False),
        ("user-agent", "aws-cli/2.17.0 md/prompt#off", True),
        ("user-agent", "aws-cli/*", True),
        ("user-agent", "Boto3/*", False),
        ("cidr", "203.0.113.0/24", True),
        ("cidr", "203.0.113.99/24", True),
        ("cidr", "203.0.113.7", True),
        ("cidr", "198.51.100.0/24", False),
        ("cidr", "::/0", False),
        ("account", "111122223333", True),
        ("account", "11112222333", False),
    ],
)
def test_each_scope_matches_its_values(scope: str, value: str, expected: bool) -> None:
    assert matches(suppression(scope, value), alert().finding) is expected


def test_pattern_has_literal_brackets() -> None:
    odd = alert(event(user_agent="[aws-cli]/1"))
    assert matches(suppression("user-agent", "[aws-cli]/*"), odd.finding)
    assert not matches(
        suppression("user-agent", "[aws-cli]/*"), alert(event(user_agent="a/1")).finding
    )


def test_cidr_scope_matches_ipv4_and_ipv6() -> None:
    six = alert(event(source_address="2001:db8::1"))
    assert matches(suppression("cidr", "2001:DB8::/32"), six.finding)
    assert not matches(suppression("cidr", "0.0.0.0/0"), six.finding)
    service = alert(event(source_address="ec2.amazonaws.com"))
    assert not matches(suppression("cidr", "0.0.0.0/0"), service.finding)


def test_suppression_matches_its_rule_only() -> None:
    assert matches(suppression("principal", ANA, "r1"), alert().finding)
    assert not matches(suppression("principal", ANA, "r2"), alert().finding)


@pytest.mark.parametrize(
    ("scope", "field", "other"),
    [
        ("principal", "arn", ANA + "2"),
        ("role", "role_arn", ROLE + "2"),
        ("access-key", "access_key", "AKIAOTHER"),
        ("user-agent", "user_agent", "curl/8"),
        ("cidr", "source_address", "198.51.100.1"),
        ("account", "caller_account", "444455556666"),
    ],
)
def test_mixed_alert_matches_where_all_values_do(scope: str, field: str, other: str) -> None:
    """Or else whoever is known and benign would hide whoever is neither."""
    value = scope_values(alert())[scope]  # type: ignore[index]
    mixed = alert(event(), event(event_id="e-2", **{field: other}))
    assert matches(suppression(scope, value), alert().finding)
    assert not matches(suppression(scope, value), mixed.finding)


def test_alert_without_value_does_not_match() -> None:
    nobody = alert(
        event(
            arn="", role_arn="", access_key="", user_agent="", source_address="", caller_account=""
        )
    )
    for scope in SCOPES:
        assert not matches(suppression(scope, "*"), nobody.finding)
    assert scope_values(nobody) == {}


def test_scope_values_match_their_alert() -> None:
    made = scope_values(alert())
    assert set(made) == set(SCOPES)
    assert all(matches(suppression(scope, value), alert().finding) for scope, value in made.items())


def test_preview_covers_30_days() -> None:
    day = 86_400
    alerts = [alert(last=START - days * day) for days in (0, 29, 30, 31)] + [alert(last=START + 1)]
    assert [
        found.last_event
        for found in preview_suppression(suppression("principal", ANA), alerts, START).hidden
    ] == [START, START - 29 * day, START - 30 * day]
    assert preview_suppression(suppression("principal", ANA + "x"), alerts, START).hidden == []


def test_suppression_is_active_from_creation_to_expiry() -> None:
    made = suppression("principal", ANA)
    assert [made.active(START + at) for at in (-1, 0, 999, 1000)] == [False, True, True, False]
    assert [made.state(START + at) for at in (0, 999, 1000)] == ["active", "active", "expired"]
    lifted = msgspec.structs.replace(made, lifted=START + 5.0)
    assert (lifted.active(START + 1), lifted.state(START + 5000)) == (False, "lifted")


# what may be written


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90m", 5400),
        ("1m", 60),
        ("12h", 43_200),
        ("7d", 604_800),
        ("2w", 1_209_600),
        (" 3 d ", 259_200),
        ("99999m", 5_999_940),
    ],
)
def test_parse_interval(text: str, seconds: int) -> None:
    assert parse_interval(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "7", "d", "0d", "-1d", "1.5h", "7 days", "1y", "123456d", "7d7h", "٣x"]
)
def test_parse_interval_rejects_other_texts(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration: write it like") as told:
        parse_interval(text)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"value": " "}, "empty: name one"),
        ({"scope": "cidr", "value": "203.0.113"}, "not an address or network"),
        ({"scope": "cidr", "value": "203.0.113.0/33"}, "not an address or network"),
        (
            {"expires": START},
            "^the suppression would end before it starts: choose a duration such as 7d$",
        ),
        ({"ticket": "", "justification": "  "}, "^add a ticket or a reason$"),
        ({"break_at": -1}, "^points must be 0 or more$"),
    ],
)
def test_check_suppression_rejects(changed: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words) as told:
        check_suppression(msgspec.structs.replace(suppression("principal", ANA), **changed))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "changed",
    [
        {"ticket": ""},
        {"justification": ""},
        {"scope": "cidr", "value": "203.0.113.9"},
        {"scope": "cidr", "value": "203.0.113.9/24"},
        {"break_at": 0},
        {"scope": "cidr", "value": "2001:db8::/32"},
    ],
)
def test_check_suppression_accepts(changed: dict[str, object]) -> None:
    check_suppression(msgspec.structs.replace(suppression("principal", ANA), **changed))


def test_note_context_is_the_alerts() -> None:
    context = NoteContext.of(
        alert(event(error_code="AccessDenied"), event(event_id="e-2", region="eu-west-1"))
    )
    assert context.regions == ["eu-west-1", "us-east-1"]
    assert (context.denied, context.events, context.rule) == (1, 2, "A rule")
    assert (context.start, context.end, context.accounts) == (START, START + 30, ["111122223333"])
