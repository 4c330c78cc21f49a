"""Flags, baseline, risk and sweeps, compared with their definition in plain Python.

Neither order nor split nor number of copies of the records changes them.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import detector.rules
from detector.detection import risk
from detector.detection.alert import Alert
from detector.detection.sweeps import group_sweeps
from detector.ingest import signal_search
from detector.rules.ruleset import RuleSet, load
from detector.store import Store, chunk_table
from detector.text.time import format_time
from tests.detector.strategies import Trail, files
from tests.detector.trail import ACCOUNT, ANA, REGIONS, START, Raw, call, scan, watch, write

BO = f"arn:aws:iam::{ACCOUNT}:user/bo"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/deploy"
DAY = 86_400
BUILTIN = Path(detector.rules.__file__).parent / "builtin"
REFERENCE = BUILTIN / "discovery_ec2_multi_region_describe_instances.toml"


_loaded: dict[str, RuleSet] = {}


def rules(mode: str) -> RuleSet:
    """The reference rule and the flags: other rules' alerts would tell nothing here."""
    if mode not in _loaded:
        _loaded[mode] = load([REFERENCE, BUILTIN / "flags"], builtin=False, mode=mode)  # type: ignore[arg-type]
    return _loaded[mode]


def identity(name: str, key: str) -> Raw:
    return {
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLE",
        "accountId": ACCOUNT,
        "accessKeyId": key,
        "arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
    }


def session(name: str, key: str) -> Raw:
    return {
        "type": "AssumedRole",
        "principalId": f"AROAEXAMPLE:{name}",
        "accountId": ACCOUNT,
        "accessKeyId": key,
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/{name}",
        "sessionContext": {"sessionIssuer": {"type": "Role", "arn": ROLE, "accountId": ACCOUNT}},
    }


WHO: dict[str, Raw] = {
    "ana": identity("ana", "AKIAANAEXAMPLE"),
    "ana's other key": identity("ana", "AKIAANA2EXAMPLE"),
    "bo": identity("bo", "AKIABOEXAMPLE"),
    "one": session("one", "ASIAONEEXAMPLE"),
    "two": session("two", "ASIATWOEXAMPLE"),
    "nobody": {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"},
}
ACTS: dict[str, tuple[str, str, bool]] = {
    "caller-identity": ("sts", "GetCallerIdentity", True),
    "other-enumeration": ("ec2", "DescribeVolumes", True),
    "snapshot": ("ec2", "CreateSnapshot", False),
    "access-key": ("iam", "CreateAccessKey", False),
    "iam-change": ("iam", "PutUserPolicy", False),
    "instance-start": ("ec2", "RunInstances", False),
    "nothing": ("ec2", "DeleteTags", False),
}


def when(at: int) -> str:
    return format_time(START + at)


def act(what: str, who: str, at: int, region: str = "us-east-1", **changed: Any) -> Raw:
    source, name, reads = ACTS[what]
    return call(
        0,
        region,
        f"{what}-{who}-{at}-{region}",
        userIdentity=WHO[who],
        eventName=name,
        eventTime=when(at),
        eventSource=f"{source}.amazonaws.com",
        readOnly=reads,
        **changed,
    )


def assume(who: str, opened: str, at: int) -> Raw:
    return call(
        0,
        "us-east-1",
        f"assume-{who}-{opened}-{at}",
        userIdentity=WHO[who],
        eventName="AssumeRole",
        eventSource="sts.amazonaws.com",
        eventTime=when(at),
        responseElements={"credentials": {"accessKeyId": WHO[opened]["accessKeyId"]}},
    )


def swept(who: str, at: int, count: int = 10) -> list[Raw]:
    return [
        call(at, region, f"sweep-{who}-{at}-{region}", userIdentity=WHO[who])
        for region in REGIONS[:count]
    ]


def flags(alert: Alert) -> dict[str, tuple[int, int, int]]:
    return {flag.flag: (flag.count, flag.first - START, flag.last - START) for flag in alert.flags}


# the definition


def expected(records: Sequence[Raw], alert: Alert) -> dict[str, int]:
    """The counts of the flags that single events give, straight from the records."""
    events = {(record["recipientAccountId"], record["eventID"]): record for record in records}
    own = set(alert.event_ids)
    mine = {name for event in events.values() if event["eventID"] in own for name in names(event)}
    assert alert.window is not None
    near = [
        event
        for event in events.values()
        if alert.window.start - 1800 <= START + offset(event) < alert.window.end + 1800
    ]
    lineage = set(mine)
    for event in near:
        if issued := opened(event):
            if names(event) & mine:
                lineage.add(issued)
            if issued in mine:
                lineage |= {
                    event["userIdentity"].get("arn"),
                    event["userIdentity"].get("accessKeyId"),
                }
    found: dict[str, int] = {}
    for event in near:
        who = event["userIdentity"]
        if event["eventID"] in own or not (
            names(event) & mine
            or {who.get("arn"), who.get("accessKeyId")} & (lineage - {None})
            or opened(event) in mine
        ):
            continue
        for flag in told_by(event):
            found[flag] = found.get(flag, 0) + 1
    return found


def names(event: Raw) -> set[str]:
    who = event["userIdentity"]
    role = who.get("sessionContext", {}).get("sessionIssuer", {}).get("arn")
    return {name for name in (who.get("arn"), who.get("accessKeyId"), role) if name}


def opened(event: Raw) -> str | None:
    answer = event.get("responseElements")
    return (
        answer["credentials"]["accessKeyId"]
        if event["eventName"] == "AssumeRole" and answer
        else None
    )


def told_by(event: Raw) -> list[str]:
    source, name = event["eventSource"].split(".")[0], event["eventName"]
    known = {
        (where, what): flag
        for flag, (where, what, _) in ACTS.items()
        if flag in SIGNALS[:1] + SIGNALS[2:]
    }
    found = [known[source, name]] if (source, name) in known else []
    if name == "AssumeRole":
        found.append("role-assumption")
    if re.match("(Describe|List|Get)[A-Z]", name) and source != "sts":
        found.append("other-enumeration")
    return (
        found
        if not event.get("errorCode")
        else [flag for flag in found if flag in ("caller-identity", "other-enumeration")]
    )


def offset(event: Raw) -> int:
    return int(datetime.fromisoformat(event["eventTime"]).timestamp()) - START


SIGNALS = (
    "caller-identity",
    "other-enumeration",
    "snapshot",
    "access-key",
    "iam-change",
    "instance-start",
    "role-assumption",
)


# what hypothesis draws

REFUSED = {"errorCode": "AccessDenied"}
TIMES = st.sampled_from(
    [
        -1801,
        -1800,
        -1799,
        -600,
        -1,
        0,
        5,
        29,
        30,
        31,
        60,
        300,
        1799,
        1800,
        1828,
        1829,
        1830,
        1831,
        2400,
        3600,
        3700,
    ]
)


@st.composite
def stories(draw: st.DrawFn) -> Trail:
    """Some sweeps of some callers, and what they and others do around them; some of it several
    times."""
    callers = st.sampled_from(list(WHO))
    records = [
        record
        for who, at, count in draw(
            st.lists(
                st.tuples(
                    callers,
                    st.sampled_from([0, 10, 35, 45, 60, 330, 1800, 3600]),
                    st.integers(9, 12),
                ),
                min_size=1,
                max_size=4,
            )
        )
        for record in swept(who, at, count)
    ]
    records += [
        act(what, who, at, **changed)
        for what, who, at, changed in draw(
            st.lists(
                st.tuples(
                    st.sampled_from(list(ACTS)), callers, TIMES, st.sampled_from([{}, {}, REFUSED])
                ),
                max_size=12,
            )
        )
    ]
    records += [
        assume(who, opens, at)
        for who, opens, at in draw(
            st.lists(
                st.tuples(
                    callers.filter(lambda who: who != "nobody"),
                    st.sampled_from(["one", "two"]),
                    TIMES,
                ),
                max_size=2,
            )
        )
    ]
    if draw(st.booleans()):
        records += [
            act("nothing", draw(callers), -draw(st.sampled_from([2, 9, 10, 11])) * DAY, region)
            for region in draw(st.lists(st.sampled_from(REGIONS[:3]), max_size=2))
        ]
    unique = {record["eventID"]: record for record in records}
    copies = draw(st.lists(st.sampled_from(list(unique.values())), max_size=4))
    return Trail(draw(st.permutations([*unique.values(), *copies])))


def facts(store: Store) -> list[Any]:
    """All that is known of the alerts but how it came about, and how they are put together."""
    alerts = store.alerts.all()
    told = sorted(
        (
            json.dumps(
                {**alert.as_json(), "revision": 0, "supersedes": [], "state": ""}, sort_keys=True
            ),
            str(alert.baseline),
            str(alert.risk),
            str(store.alerts.lineage(alert.alert_id)),
            str(
                {
                    flag: [event.event_id for event in events]
                    for flag, events in store.context.signals(alert.alert_id).items()
                }
            ),
        )
        for alert in alerts
    )
    return [told, [[alert.alert_id for alert in sweep.alerts] for sweep in group_sweeps(alerts)]]


@settings(max_examples=30)
@given(st.data(), stories(), st.sampled_from(["tumbling", "sliding"]))
def test_context_does_not_depend_on_order_split_or_copies(
    data: st.DataObject, records: Trail, mode: str
) -> None:
    with (
        tempfile.TemporaryDirectory() as one,
        tempfile.TemporaryDirectory() as other,
        closing(Store.open(None)) as at_once,
        closing(Store.open(None)) as in_steps,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(chunk_table, "_FILES_PER_QUERY", data.draw(st.integers(1, 3)))
        patch.setattr(signal_search, "_LOOKAHEAD", data.draw(st.integers(1, 3)))
        for file in data.draw(files(records)):
            write(Path(one), file.name, file.content)
        scan(Path(one), store=at_once, by=rules(mode))
        others = data.draw(files(data.draw(st.permutations(records + records[:3]))))
        steps = [partial(write, Path(other), file.name, file.content) for file in others]
        watch(in_steps, Path(other), *steps, by=rules(mode))
        assert facts(in_steps) == facts(at_once)
        for alert in at_once.alerts.all():
            assert {
                flag: count for flag, (count, *_) in flags(alert).items() if flag in SIGNALS
            } == expected(records, alert)


# by example


def one(folder: Path, *parts: Sequence[Raw], mode: str = "tumbling", of: str = ANA) -> Alert:
    """The one alert of a principal, when each part has come as a file of its own, one after the
    other."""
    with closing(Store.open(None)) as store:
        steps = [
            partial(write, folder, f"{number}.json", part) for number, part in enumerate(parts)
        ]
        run = watch(store, folder, *steps, by=rules(mode))
    [found] = [alert for alert in run.alerts if alert.principal == of]
    return found


def test_signals_lie_within_half_an_hour_of_the_window(tmp_path: Path) -> None:
    within = [act("snapshot", "ana", at) for at in (-1800, 1829)]
    outside = [act("iam-change", "ana", at) for at in (-1801, 1830)]
    assert flags(one(tmp_path, swept("ana", 5), within + outside)) == {"snapshot": (2, -1800, 1829)}


def test_late_signals_revise_alert_and_raise_risk(tmp_path: Path) -> None:
    with closing(Store.open(None)) as store:
        run = watch(
            store,
            tmp_path,
            partial(write, tmp_path, "a.json", swept("ana", 5)),
            partial(write, tmp_path, "b.json", [act("access-key", "ana", 600)]),
            by=rules("tumbling"),
        )
    seen = [
        (alert.revision, alert.severity, [flag.flag for flag in alert.flags])
        for update in run.updates
        for alert in update.alerts
        if alert.risk
    ]
    assert seen == [(1, "low", []), (2, "high", ["access-key"])]
    assert run.alerts[0].risk is not None
    assert run.alerts[0].risk.parts == [("rule", 21), ("access-key", 50)]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_signals_follow_one_assume_role(tmp_path: Path, order: tuple[int, ...]) -> None:
    parts = [
        swept("ana", 5),
        [assume("ana", "one", 100)],
        [act("iam-change", "one", 200), act("snapshot", "two", 210)],
    ]
    assert flags(one(tmp_path, *(parts[place] for place in order))) == {
        "role-assumption": (1, 100, 100),
        "iam-change": (1, 200, 200),
    }


def test_signals_include_the_caller_that_opened_the_session(tmp_path: Path) -> None:
    of = WHO["one"]["arn"]
    found = flags(
        one(
            tmp_path,
            swept("one", 60),
            [act("snapshot", "ana", 20)],
            [assume("ana", "one", 30)],
            of=of,
        )
    )
    assert found == {"snapshot": (1, 20, 20), "role-assumption": (1, 30, 30)}


def test_sessions_of_one_role_are_one_principal(tmp_path: Path) -> None:
    around = [act("snapshot", "two", 9), act("iam-change", "ana", 9)]
    assert flags(one(tmp_path, swept("one", 5), around, of=WHO["one"]["arn"])) == {
        "snapshot": (1, 9, 9)
    }


def test_growing_window_turns_signals_into_hits(tmp_path: Path) -> None:
    """In sliding windows a call near the span may become one of its own."""
    early, late = swept("ana", 0), swept("ana", 35)
    bridge = [call(20, region, f"bridge-{region}", userIdentity=WHO["ana"]) for region in REGIONS]
    found = one(tmp_path, early + late[:5], bridge + late[5:], mode="sliding")
    assert len(found.event_ids) == 20 + len(REGIONS)
    assert flags(found) == {}


def test_older_logs_correct_the_baseline(tmp_path: Path) -> None:
    old = [act("nothing", "bo", -12 * DAY), act("nothing", "bo", -12 * DAY, "eu-west-1")]
    with closing(Store.open(None)) as store:
        steps = [
            partial(
                write, tmp_path, "a.json", [act("caller-identity", "ana", -40), *swept("ana", 0)]
            ),
            partial(write, tmp_path, "b.json", old),
            partial(write, tmp_path, "c.json", [act("nothing", "ana", -11 * DAY)]),
        ]
        run = watch(store, tmp_path, *steps, by=rules("tumbling"))
    seen = [
        set(flags(alert)) - {"caller-identity"}
        for update in run.updates
        for alert in update.alerts
        if alert.risk
    ]
    assert seen == [set(), {"first-seen-principal", "unused-region"}, {"unused-region"}]
    [alert] = run.alerts
    assert alert.baseline is not None and alert.baseline.since == START - 12 * DAY
    assert set(alert.baseline.unused_regions) == set(REGIONS[:10]) - {"eu-west-1"}
    assert flags(alert)["unused-region"][0] == len(alert.baseline.unused_regions)


def test_changed_flag_rule_searches_again(tmp_path: Path) -> None:
    write(
        tmp_path / "logs",
        "a.json",
        [*swept("ana", 0), act("snapshot", "ana", 40), act("nothing", "ana", 50)],
    )
    flag = tmp_path / "flag.toml"
    text = (BUILTIN / "flags" / "snapshot.toml").read_text(encoding="utf-8")
    found = []
    with closing(Store.open(None)) as store:
        for action in ("CreateSnapshot", "DeleteTags", "Nothing"):
            flag.write_text(re.sub(r'"CreateSnapshot"', f'"{action}"', text), encoding="utf-8")
            run = scan(tmp_path / "logs", store=store, by=load([REFERENCE, flag], builtin=False))
            found.append(flags(run.alerts[0]))
    assert found == [{"snapshot": (1, 40, 40)}, {"snapshot": (1, 50, 50)}, {}]


def test_changed_risk_table_updates_risk(tmp_path: Path) -> None:
    write(tmp_path / "logs", "a.json", [*swept("ana", 0), act("snapshot", "ana", 40)])
    table = tmp_path / "risk.toml"
    table.write_text("[flags]\nsnapshot = 5\n", encoding="utf-8")
    with closing(Store.open(None)) as store:
        before = scan(tmp_path / "logs", store=store, by=rules("tumbling")).alerts[0]
        after = scan(
            tmp_path / "logs", store=store, by=rules("tumbling"), risk=risk.load_risk_table(table)
        ).alerts[0]
    assert (before.score, before.severity, after.score, after.severity) == (71, "high", 26, "low")
