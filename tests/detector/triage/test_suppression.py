"""Suppressions: what they hide, what breaks through, and what the history has of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from detector.detection.alert import Alert, AlertContext, Flag, Risk
from detector.detection.finding import Facets, Finding
from detector.detection.risk import load_risk_table
from detector.rules.rule_summary import RuleSummary
from detector.store import Store
from detector.triage.suppression import (
    ALWAYS_BREAKING_FLAGS,
    Suppression,
    apply_suppressions,
    check_suppression,
    learn,
    matches,
    novelties,
    preview_suppression,
)
from tests.detector.alerts import changed_alert
from tests.detector.detection.test_correlate import act, rules, swept
from tests.detector.trail import ANA, START, scan, write

DAY = 86_400


def alert(
    name: str = "a",
    flags: Sequence[str] = (),
    address: str = "203.0.113.7",
    agent: str = "aws-cli/2.1",
    regions: Sequence[str] = ("us-east-1",),
    at: int = 0,
) -> Alert:
    facets = Facets(
        list(regions),
        ["111122223333"],
        [ANA],
        [],
        ["AKIAEXAMPLE"],
        ["IAMUser"],
        [address],
        [agent],
        [],
        0,
    )
    held = [Flag(flag, 2, at, at) for flag in flags]
    rule = RuleSummary("r", "a rule", "low", 21, False)
    finding = Finding(name, rule, None, {}, {}, [name], at, at, facets)
    return Alert(finding, AlertContext(held, risk=load_risk_table().risk(21, held, [])))


def suppression(**changed: Any) -> Suppression:
    return msgspec.structs.replace(
        Suppression("principal", ANA, None, 0.0, 40.0 * DAY, "OPS-1", "", ""), **changed
    )


@pytest.mark.parametrize("flag", ALWAYS_BREAKING_FLAGS)
def test_always_breaking_flags_break_through_unless_ignored(flag: str) -> None:
    seen = learn(suppression(break_at=100), [alert(), alert(flags=[flag])])
    assert novelties(seen, alert(flags=[flag])) == [f"{flag} 2"]
    assert novelties(msgspec.structs.replace(seen, ignored_flags=[flag]), alert(flags=[flag])) == []


@pytest.mark.parametrize(
    ("break_at", "flag", "through"),
    [
        (15, "first-seen-principal", True),
        (16, "first-seen-principal", False),
        (15, "other-enumeration", False),
        (5, "other-enumeration", True),
        (20, "s3-egress", True),
        (0, "a-flag-without-points", True),
    ],
)
def test_new_flag_breaks_through_from_break_at_points(
    break_at: int, flag: str, through: bool
) -> None:
    made = learn(suppression(break_at=break_at), [alert()])
    assert bool(novelties(made, alert(flags=[flag]))) is through


def test_seen_profile_is_no_novelty() -> None:
    made = learn(suppression(), [alert(flags=["s3-egress"])])
    assert novelties(made, alert(flags=["s3-egress"])) == []
    assert novelties(made, alert(flags=["session-start"])) == ["session-start 2"]


@pytest.mark.parametrize(
    ("changed", "scope", "brought"),
    [
        ({"address": "203.0.113.99"}, "principal", []),
        ({"address": "198.51.100.1"}, "principal", ["new network 198.51.100.0/24"]),
        ({"agent": "aws-cli/3.0 other"}, "principal", []),
        ({"agent": "Boto3/1.40"}, "principal", ["new agent Boto3"]),
        ({"regions": ["eu-west-1", "us-east-1"]}, "principal", []),
        ({"agent": "Boto3/1.40"}, "user-agent", []),
        ({"address": "203.0.114.9"}, "cidr", []),
        ({"address": "203.0.114.9", "agent": "Boto3/1.40"}, "cidr", ["new agent Boto3"]),
        ({"address": "203.0.114.9"}, "user-agent", ["new network 203.0.114.0/24"]),
    ],
)
def test_suppression_hides_only_what_was_seen(
    changed: dict[str, Any], scope: Any, brought: list[str]
) -> None:
    value = {"principal": ANA, "user-agent": "*", "cidr": "203.0.112.0/20"}[scope]
    made = learn(suppression(scope=scope, value=value), [alert()])
    assert matches(made, alert(**changed).finding)
    assert novelties(made, alert(**changed)) == brought


def test_suppression_learns_nothing_from_alerts_it_does_not_hide() -> None:
    """An alert with a flag that always breaks through is none that was thought harmless."""
    snapshot = alert(flags=["snapshot"], agent="Boto3/1.40", address="198.51.100.1")
    later = alert(agent="Boto3/1.40", address="198.51.100.1")
    brought = ["new network 198.51.100.0/24", "new agent Boto3"]
    made = learn(suppression(), [alert(), snapshot])
    assert novelties(made, later) == brought
    ignoring = learn(suppression(ignored_flags=["snapshot"]), [alert(), snapshot])
    assert novelties(ignoring, later) == []
    assert learn(suppression(), [snapshot]).seen_profile is None


def test_new_region_breaks_through_by_break_at() -> None:
    made = learn(suppression(break_at=10), [alert()])
    assert novelties(made, alert(regions=["eu-west-1"])) == ["new region eu-west-1"]
    assert (
        novelties(
            msgspec.structs.replace(made, ignored_flags=["new-region"]),
            alert(regions=["eu-west-1"]),
        )
        == []
    )


def test_unseen_tool_breaks_through() -> None:
    made = learn(suppression(), [alert()])
    risk = Risk(41, "medium", [("rule", 21), ("kali (tool)", 20)])
    kali = changed_alert(alert(flags=["tool-tell"]), risk=risk)
    assert novelties(made, kali) == ["tool-tell 2"]


def test_preview_separates_hidden_from_breaking_through() -> None:
    alerts = [alert("a", at=100), alert("b", ["snapshot"], at=200), alert("old", at=-31 * DAY)]
    hidden, through = preview_suppression(suppression(), alerts, 300.0)
    assert [each.alert_id for each in hidden] == ["a"]
    assert [(each.alert_id, brought) for each, brought in through] == [("b", ["snapshot 2"])]


def test_negative_break_at_is_rejected() -> None:
    with pytest.raises(ValueError, match="points"):
        check_suppression(suppression(break_at=-1))


# in the state


class Clock:
    now = START + 7200.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    with closing(Store.open(tmp_path / "hunt.db", clock)) as held:
        yield held


def kinds(store: Store, subject: str) -> list[tuple[str, str]]:
    return [(entry.kind, entry.detail) for entry in store.history.entries(subject)]


def test_late_flag_breaks_through_and_is_in_history(tmp_path: Path, store: Store) -> None:
    write(tmp_path / "logs", "a.json", swept("ana", 0))
    [found] = scan(tmp_path / "logs", store=store, by=rules("tumbling")).alerts
    [made] = store.triage.suppress(
        [suppression(value=found.principal, created=START, expires=START + 40.0 * DAY)]
    )
    assert (
        made.seen_profile is not None
        and made.seen_profile.source_addresses == ["203.0.113.7"]
        and made.hidden == 1
    )
    assert store.alerts.all()[0].suppressed_by == made.suppression_id
    write(tmp_path / "logs", "b.json", [act("access-key", "ana", 100)])
    [after] = scan(tmp_path / "logs", store=store, by=rules("tumbling")).alerts
    assert (after.suppressed_by, after.broke_through) == (None, ["access-key 1"])
    assert after.as_json()["broke_through"] == ["access-key 1"]
    assert [kind for kind, _ in kinds(store, found.alert_id)] == ["hidden", "broke-through"]
    assert kinds(store, made.suppression_id)[1:] == [
        ("broke-through", f"alert {found.alert_id}: access-key 1")
    ]
    scan(tmp_path / "logs", store=store, by=rules("tumbling"))
    assert len(kinds(store, made.suppression_id)) == 2


def test_expired_suppression_shows_and_extension_hides_again(
    tmp_path: Path, store: Store, clock: Clock
) -> None:
    write(tmp_path / "logs", "a.json", swept("ana", 0))
    [found] = scan(tmp_path / "logs", store=store, by=rules("tumbling")).alerts
    name = store.triage.suppress([suppression(value=found.principal, expires=clock.now + DAY)])[
        0
    ].suppression_id
    clock.now += 2 * DAY
    assert store.alerts.all()[0].suppressed_by is None
    store.suppressions.record_expired()
    store.suppressions.record_expired()
    assert [kind for kind, _ in kinds(store, name)] == ["created", "expired"]
    store.triage.extend([name], clock.now + DAY)
    assert store.alerts.all()[0].suppressed_by == name
    clock.now += 2 * DAY
    store.close()
    with closing(Store.open(tmp_path / "hunt.db", clock)) as again:
        assert [kind for kind, _ in kinds(again, name)] == [
            "created",
            "expired",
            "extended",
            "expired",
        ]
        again.triage.lift([name])
        assert kinds(again, name)[-1][0] == "lifted"


def test_history_has_one_line_for_each_change_of_what_breaks_through(
    tmp_path: Path, store: Store
) -> None:
    """A revision of the alert with the same novelties is no news of the suppression."""
    logs, by = tmp_path / "logs", rules("tumbling")
    write(logs, "a.json", swept("ana", 0))
    [found] = scan(logs, store=store, by=by).alerts
    [made] = store.triage.suppress([suppression(value=found.principal, expires=START + 40.0 * DAY)])
    told = []
    for number, part in enumerate(
        (
            [act("access-key", "ana", 100)],
            swept("ana", 5, 3),
            swept("ana", 6, 3),
            [act("access-key", "ana", 110)],
            swept("ana", 7, 3),
        )
    ):
        write(logs, f"{number}.json", part)
        [alert] = scan(logs, store=store, by=by).alerts
        told.append((alert.revision, kinds(store, made.suppression_id)[1:]))
    lines = [("broke-through", f"alert {found.alert_id}: access-key {count}") for count in (1, 2)]
    assert told == [(2, lines[:1]), (3, lines[:1]), (4, lines[:1]), (5, lines), (6, lines)]
    assert [kind for kind, _ in kinds(store, found.alert_id)] == ["hidden", *["broke-through"] * 2]


def test_one_of_several_suppressions_is_enough() -> None:
    """A suppression of another principal changes nothing; what breaks through is told of all."""
    other = msgspec.structs.replace(suppression(), value="arn:aws:iam::111122223333:user/bob")
    strict = msgspec.structs.replace(suppression(), ignored_flags=["snapshot"])
    lenient = msgspec.structs.replace(suppression(), ignored_flags=["iam-change"])
    both = alert(flags=["snapshot", "iam-change"])
    assert (
        apply_suppressions(alert(), [other, suppression(suppression_id="s")]).suppressed_by == "s"
    )
    assert apply_suppressions(both, [strict, lenient]).broke_through == [
        "iam-change 2",
        "snapshot 2",
    ]


def test_flag_without_points_breaks_through_at_none() -> None:
    one = changed_alert(alert(flags=["other", "tool-tell"]), risk=Risk(0, "low", []))
    assert novelties(suppression(break_at=1), one) == []
    assert novelties(suppression(break_at=0), one) == ["other 2", "tool-tell 2"]


def test_preview_of_nothing_is_empty() -> None:
    assert preview_suppression(suppression(), [], START) == ([], [])
