"""Sweeps: which alerts belong together, and how they recur."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.detection.alert import Alert, AlertContext, Risk
from detector.detection.finding import Facets, Finding, Window
from detector.detection.sweeps import (
    MAX_PAUSE,
    Sweep,
    group_recurring,
    group_sweeps,
    recurrence_of,
    sweep_keys,
)
from detector.rules.rule_summary import RuleSummary

ROLE = "arn:aws:iam::111122223333:role/inventory"
RULE = RuleSummary("r", "a rule", "low", 21, False)


def session(name: str) -> str:
    return f"arn:aws:sts::111122223333:assumed-role/inventory/{name}"


def alert(
    name: str,
    start: int,
    width: int | None = 30,
    arns: Sequence[str] = (),
    roles: Sequence[str] = (),
    keys: Sequence[str] = (),
    regions: int = 17,
    severity: str = "low",
) -> Alert:
    places = [f"region-{number:02}" for number in range(regions)]
    facets = Facets(
        places, ["111122223333"], list(arns), list(roles), list(keys), [], [], [], [], 0
    )
    finding = Finding(
        name,
        RULE,
        Window("tumbling", start, start + width) if width else None,
        {},
        {},
        [name],
        start,
        start + (width - 1 if width else 0),
        facets,
    )
    return Alert(finding, AlertContext(risk=Risk(21, severity, [])))


def ids(found: Sequence[Sweep]) -> list[list[str]]:
    return [[each.alert_id for each in sweep.alerts] for sweep in found]


def test_sweep_joins_alerts_within_max_pause() -> None:
    ana = {"arns": ["arn:aws:iam::111122223333:user/ana"]}
    at = [
        alert("a", 0, **ana),
        alert("b", 30, **ana),
        alert("c", 59 + MAX_PAUSE, **ana),
        alert("d", 59 + MAX_PAUSE + 29 + MAX_PAUSE + 1, **ana),
    ]
    assert ids(group_sweeps(reversed(at))) == [["a", "b", "c"], ["d"]]
    assert [sweep.sweep_id for sweep in group_sweeps(at)] == ["a", "d"]


def test_sweep_pause_counts_from_the_latest_end() -> None:
    ana = {"arns": ["ana"]}
    at = [
        alert("long", 0, 3600, **ana),
        alert("short", 60, **ana),
        alert("last", 3599 + MAX_PAUSE, None, **ana),
    ]
    assert ids(group_sweeps(at)) == [["long", "short", "last"]]


def test_sweep_joins_sessions_of_a_role_and_users_of_a_key() -> None:
    at = [
        alert("a", 0, arns=[session("one")], roles=[ROLE], keys=["ASIA1"]),
        alert("b", 60, arns=[session("two")], roles=[ROLE], keys=["ASIA2"]),
        alert("c", 90, keys=["ASIA2"]),
        alert("other", 90, arns=["arn:aws:iam::111122223333:user/ana"]),
    ]
    assert ids(group_sweeps(at)) == [["a", "b", "c"], ["other"]]
    assert group_sweeps(at)[0].principal == "arn:aws:sts::111122223333:assumed-role/inventory"


def test_sweep_joins_alerts_of_a_role_without_arn() -> None:
    """A record may name the role behind a session, and not the session."""
    at = [
        alert("a", 0, roles=[ROLE]),
        alert("b", 60, roles=[ROLE], keys=["ASIA2"]),
        alert("other", 60, roles=[f"{ROLE}-2"]),
    ]
    assert ids(group_sweeps(at)) == [["a", "b"], ["other"]]


def test_sweep_never_joins_callers_without_a_key() -> None:
    assert ids(group_sweeps([alert("a", 0), alert("b", 30)])) == [["a"], ["b"]]


def runs(times: Sequence[int], **made: object) -> list[Sweep]:
    return group_sweeps(
        alert(f"run-{number:02}", time, arns=[session(str(number))], **made)
        for number, time in enumerate(times)
    )


@pytest.mark.parametrize(
    ("times", "said"),
    [
        ([100], "single occurrence, 17 regions"),
        ([hour * 3600 + 4 for hour in range(31)], "every hour, 17 regions, 31 times"),
        (
            [day * 86_400 + 7200 + jitter for day, jitter in enumerate((0, 40, 20, 31))],
            "daily at 02:00, 17 regions, 4 times",
        ),
        ([0, 3600, 7200, 4 * 3600, 5 * 3600], "every hour, 17 regions, 5 times"),
        ([0, 3600, 9000, 11_000], "17 regions, 4 times"),
        ([0, 3600], "17 regions, 2 times"),
        ([0, 3600, 7200, 24 * 3600], "17 regions, 4 times"),
    ],
)
def test_recurrence_as_text(times: list[int], said: str) -> None:
    assert str(recurrence_of(runs(times))) == said


def test_recurrence_text_has_range_of_regions() -> None:
    mixed = [*runs([0, 3600]), *runs([7200], regions=12)]
    assert str(recurrence_of(mixed)) == "every hour, 12 to 17 regions, 3 times"
    assert str(recurrence_of(runs([5], regions=1))) == "single occurrence, 1 region"


def test_recurring_sweeps_are_one_row_by_severity() -> None:
    worse = alert("worse", 2 * 3600 + 1800, arns=[session("x")], severity="high")
    rows = group_recurring(
        [
            *runs([0, 3600, 7200, 10_800]),
            *group_sweeps([worse]),
            *group_sweeps([alert("a", 50, keys=["AKIA"])]),
        ]
    )
    assert [(len(row.sweeps), row.sweeps[0].worst.severity) for row in rows] == [
        (4, "low"),
        (1, "low"),
        (1, "high"),
    ]
    assert rows[0].recurrence.pace == "every hour"


NAMES = st.lists(
    st.sampled_from(["ana", "bo", session("one"), session("two")]), max_size=2, unique=True
)
ALERTS = st.lists(
    st.builds(
        lambda start, width, arns, keys: (start, width, arns, keys),
        st.integers(0, 3000),
        st.sampled_from([None, 30, 600]),
        NAMES,
        st.lists(st.sampled_from(["AKIA1", "ASIA2"]), max_size=1),
    ),
    max_size=12,
)


@given(ALERTS, st.randoms(use_true_random=False))
def test_sweeps_are_connected_components_in_any_order(drawn, random) -> None:
    alerts = [
        alert(f"{place:02}", start, width, arns=arns, keys=keys)
        for place, (start, width, arns, keys) in enumerate(drawn)
    ]
    found = group_sweeps(alerts)
    shuffled = list(alerts)
    random.shuffle(shuffled)
    assert group_sweeps(shuffled) == found
    assert sorted(each.alert_id for sweep in found for each in sweep.alerts) == [
        each.alert_id for each in alerts
    ]
    assert {frozenset(each.alert_id for each in sweep.alerts) for sweep in found} == connected(
        alerts
    )


def connected(alerts: Sequence[Alert]) -> set[frozenset[str]]:
    """The definition, plainly: sets of alerts, united wherever two of theirs are near and share a
    name."""
    groups = [{each.alert_id} for each in alerts]
    for one in alerts:
        for other in alerts:
            if sweep_keys(one) & sweep_keys(other) and near(one, other):
                joined = [group for group in groups if {one.alert_id, other.alert_id} & group]
                groups = [group for group in groups if group not in joined] + [set().union(*joined)]
    return {frozenset(group) for group in groups}


def near(one: Alert, other: Alert) -> bool:
    return (
        max(one.first_event, other.first_event) - min(one.last_event, other.last_event) <= MAX_PAUSE
    )
