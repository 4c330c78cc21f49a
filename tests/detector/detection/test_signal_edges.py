"""Signals at the edges: of time, of what names a principal, and of what is read when."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from detector.detection.alert import Alert
from detector.rules.ruleset import RuleSet, load
from detector.store import Store
from tests.detector.detection.test_correlate import (
    BUILTIN,
    REFERENCE,
    ROLE,
    WHO,
    act,
    assume,
    flags,
    rules,
    swept,
    when,
)
from tests.detector.rules.rule_scan import write_rule
from tests.detector.trail import ACCOUNT, START, Raw, call, watch, write

TWO = ("snapshot.toml", "iam_change.toml")


def found(folder: Path, parts: Sequence[Sequence[Raw]], by: RuleSet) -> list[Alert]:
    """Return the alerts of parts that come as one file after the other, the earliest first."""
    with closing(Store.open(None)) as store:
        steps = [
            partial(write, folder, f"{number}.json", part) for number, part in enumerate(parts)
        ]
        run = watch(store, folder, *steps, by=by)
    return sorted(run.alerts, key=lambda alert: (alert.start, alert.alert_id))


def in_any_order(folder: Path, parts: Sequence[Sequence[Raw]], by: RuleSet) -> list[list[Alert]]:
    return [
        found(folder / str(number), order, by) for number, order in enumerate(permutations(parts))
    ]


# time


@pytest.mark.parametrize(
    ("at", "is_near"), [(-1801, False), (-1800, True), (1829, True), (1830, False)]
)
def test_lone_record_in_its_file_is_near_up_to_half_an_hour(
    at: int, is_near: bool, tmp_path: Path
) -> None:
    """The file's span of event times is this one second."""
    parts = [swept("ana", 5), [act("snapshot", "ana", at)]]
    for (alert,) in in_any_order(tmp_path, parts, rules("tumbling")):
        assert flags(alert) == ({"snapshot": (1, at, at)} if is_near else {})


def test_record_is_near_every_alert_that_reaches_it(tmp_path: Path) -> None:
    """Alerts of several lengths: the longest begins first and reaches the last."""
    parts = [
        [record for at in range(0, 3600, 20) for record in swept("ana", at)],
        [record for at in (3700, 5390, 5430) for record in swept("ana", at)],
        [act("snapshot", "ana", at) for at in (-1800, 5399, 5420)],
        [act("iam-change", "ana", 7259)],
    ]
    by = load(
        [REFERENCE, *(BUILTIN / "flags" / name for name in TWO)], builtin=False, mode="sliding"
    )
    of_ana = [found(tmp_path / "forth", parts, by), found(tmp_path / "back", parts[::-1], by)]
    for alerts in of_ana:
        assert [(alert.extent[0] - START, alert.extent[1] - START) for alert in alerts] == [
            (0, 3610),
            (3700, 3730),
            (5390, 5420),
            (5430, 5460),
        ]
        assert [flags(alert) for alert in alerts] == [
            {"snapshot": (2, -1800, 5399)},
            {"snapshot": (2, 5399, 5420)},
            {"snapshot": (2, 5399, 5420)},
            {"iam-change": (1, 7259, 7259), "snapshot": (2, 5399, 5420)},
        ]


@pytest.mark.parametrize(
    ("start", "is_near"), [(-1801, False), (-1800, True), (1829, True), (1830, False)]
)
def test_windowed_flag_rule_that_fires_later_revises_alerts_near_it(
    start: int, is_near: bool, tmp_path: Path
) -> None:
    """Near is a window of the flag rule that overlaps half an hour around the alert's."""
    query = (
        'from logs-* | where event.action == "DescribeVolumes" | stats n = count(*) by user.name '
        "| where n >= 3"
    )
    flag = write_rule(
        tmp_path, query, lookback="now-1s", more='[trailhound]\nflag = "burst"\nalerts = true'
    )
    burst = [act("other-enumeration", "ana", start, region) for region in ("a", "b", "c", "d")]
    for number, part in enumerate(burst):
        burst[number] = {**part, "userIdentity": {**part["userIdentity"], "userName": "ana"}}
    parts = [swept("ana", 5), burst[:2], burst[2:]]
    by = load([REFERENCE, flag], builtin=False)
    for alerts in in_any_order(tmp_path, parts, by):
        (alert,) = (each for each in alerts if len(each.facets.regions) == 10)
        assert flags(alert) == ({"burst": (1, start, start)} if is_near else {})


# names


def session_of(role: str, name: str, key: str) -> Raw:
    """Return the identity of a session of a role."""
    issuer = {"type": "Role", "arn": f"arn:aws:iam::{ACCOUNT}:role/{role}", "accountId": ACCOUNT}
    return {
        "type": "AssumedRole",
        "principalId": f"AROA{role}:{name}",
        "accountId": ACCOUNT,
        "accessKeyId": key,
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}",
        "sessionContext": {"sessionIssuer": issuer},
    }


def opens(record: Raw, key: str) -> Raw:
    return {**record, "responseElements": {"credentials": {"accessKeyId": key}}}


def by_whom(record: Raw, who: Raw, **changed: Any) -> Raw:
    return {**record, "userIdentity": who, "eventID": f"{record['eventID']}-by", **changed}


def test_hop_is_followed_without_a_flag_for_assuming_roles(tmp_path: Path) -> None:
    """What opens a session is looked at although no rule asks for it."""
    parts = [swept("ana", 5), [assume("ana", "one", 100)], [act("iam-change", "one", 200)]]
    by = load([REFERENCE, BUILTIN / "flags" / "iam_change.toml"], builtin=False)
    for (alert,) in in_any_order(tmp_path, parts, by):
        assert flags(alert) == {"iam-change": (1, 200, 200)}


def test_session_that_another_session_of_the_role_opened_is_followed(tmp_path: Path) -> None:
    """All sessions of a role are one principal, and so what each of them opens is one hop away."""
    assert ROLE.endswith("role/deploy")
    third = session_of("admin", "three", "ASIATHREEEXAMPLE")
    fourth = session_of("admin", "four", "ASIAFOUREXAMPLE")
    parts = [
        swept("one", 5),
        [opens(assume("two", "one", 100), third["accessKeyId"])],
        [
            by_whom(act("iam-change", "ana", 200), third),
            by_whom(act("snapshot", "ana", 210), fourth),
        ],
    ]
    for (alert,) in in_any_order(tmp_path, parts, rules("tumbling")):
        assert flags(alert) == {
            "role-assumption": (1, 100, 100),
            "iam-change": (1, 200, 200),
        }


def test_caller_who_opened_the_session_is_followed_under_another_key(tmp_path: Path) -> None:
    """Only the caller's ARN says so, in a file with nothing else of it."""
    parts = [
        swept("one", 60),
        [assume("ana", "one", 30)],
        [act("snapshot", "ana's other key", 90), act("iam-change", "bo", 91)],
    ]
    for (alert,) in in_any_order(tmp_path, parts, rules("tumbling")):
        assert flags(alert) == {"role-assumption": (1, 30, 30), "snapshot": (1, 90, 90)}


def test_other_session_of_the_caller_who_opened_the_session_is_not_followed(
    tmp_path: Path,
) -> None:
    """A hop goes by the caller's own name, and a role of the caller names many."""
    caller = session_of("ci", "build-1", "ASIABUILDEXAMPLE")
    other = session_of("ci", "build-2", "ASIABUILD2EXAMPLE")
    opened = WHO["one"]["accessKeyId"]
    parts = [
        swept("one", 60),
        [by_whom(opens(assume("ana", "one", 30), opened), caller)],
        [by_whom(act("snapshot", "ana", 90), other), by_whom(act("iam-change", "bo", 91), caller)],
    ]
    for (alert,) in in_any_order(tmp_path, parts, rules("tumbling")):
        assert flags(alert) == {"role-assumption": (1, 30, 30), "iam-change": (1, 91, 91)}


# what is read when


def test_flag_of_a_record_whose_identity_another_claims_goes_with_its_file(
    tmp_path: Path,
) -> None:
    """Where another record claims an identity, what it flags is searched for anew.

    The flagged record is not found again: its file has been replaced.
    """
    flagged = call(
        0,
        event_id="claimed",
        userIdentity=WHO["ana"],
        eventName="CreateSnapshot",
        eventTime=when(400),
        readOnly=False,
    )
    claim = {**flagged, "eventName": "DescribeInstances", "readOnly": True, "eventTime": when(399)}
    with closing(Store.open(None)) as store:
        run = watch(
            store,
            tmp_path,
            partial(write, tmp_path, "a.json", swept("ana", 5)),
            partial(write, tmp_path, "b.json", [flagged, act("snapshot", "ana", 500)]),
            partial(write, tmp_path, "b.json", [claim, act("snapshot", "ana", 500)]),
            by=rules("tumbling"),
        )
        assert [len(events) for events in store.context.signals(run.alerts[0].alert_id).values()]
    seen = [
        {flag.flag: flag.count for flag in alert.flags}
        for update in run.updates
        for alert in update.alerts
        if alert.risk
    ]
    assert seen[:2] == [{}, {"snapshot": 2}]
    assert {flag: count for flag, count in seen[-1].items() if flag == "snapshot"} == {
        "snapshot": 1
    }


def test_flag_rule_that_is_unloaded_takes_its_flags_along(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    around = [act("snapshot", "ana", 40), act("iam-change", "ana", 50)]
    write(logs, "a.json", [*swept("ana", 5), *around])
    both = load([REFERENCE, *(BUILTIN / "flags" / name for name in TWO)], builtin=False)
    one = load([REFERENCE, BUILTIN / "flags" / TWO[1]], builtin=False)
    with closing(Store.open(None)) as store:
        before = watch(store, logs, by=both).alerts
        after = watch(store, logs, by=one)
        signals = store.context.signals(after.alerts[0].alert_id)
    assert [set(flags(alert)) for alert in before] == [{"snapshot", "iam-change"}]
    assert [set(flags(alert)) for alert in after.alerts] == [{"iam-change"}]
    assert set(signals) == {"iam-change"}
    with closing(Store.open(None)) as fresh:
        assert watch(fresh, logs, by=one).facts == after.facts
