"""The activity of principals against SQL over the raw records, in any order and split."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.detection.activity.activity import (
    ALL_DAYS,
    MORE,
    VALUE_LIMIT,
    Activity,
    SessionOpening,
    activity_days,
)
from detector.detection.activity.actor import actor_of_arn
from detector.detection.activity.chunk import ChunkActivity, GroupCount, activity_of
from detector.detection.activity.parts import CallOutcome
from detector.store import Store
from detector.store.activity import principal_activity_table
from detector.text.time import DAY
from tests.detector.trail import ACCOUNT, ANA, START, Raw, call, document, lines, scan, watch, write

ROLE = f"arn:aws:sts::{ACCOUNT}:assumed-role/app"
CALLERS: tuple[Raw, ...] = (
    {"type": "IAMUser", "arn": ANA, "accountId": ACCOUNT, "accessKeyId": "AKIAANA"},
    {"type": "IAMUser", "arn": ANA, "accountId": ACCOUNT, "accessKeyId": "AKIAOTHER"},
    {"type": "Root", "arn": f"arn:aws:iam::{ACCOUNT}:root", "accountId": ACCOUNT},
    {"type": "AssumedRole", "arn": f"{ROLE}/i-1", "accountId": ACCOUNT, "accessKeyId": "ASIA1"},
    {"type": "AssumedRole", "arn": f"{ROLE}/i-2", "accountId": ACCOUNT, "accessKeyId": "ASIA2"},
    {"type": "AWSService", "invokedBy": "autoscaling.amazonaws.com"},
    {"type": "AWSAccount", "accountId": "999988887777", "principalId": "AIDAELSEWHERE"},
    {"type": "WebIdentityUser", "userName": "pod-7", "principalId": "provider:pod-7"},
)
CALLS: tuple[Raw, ...] = (
    {},
    {"errorCode": "AccessDenied"},
    {"errorCode": "NoSuchEntity", "eventName": "GetUser", "eventSource": "iam.amazonaws.com"},
    {"eventName": "CreateUser", "eventSource": "iam.amazonaws.com", "readOnly": False},
    {"eventSource": "signin.amazonaws.com", "eventName": "ConsoleLogin", "errorMessage": "No"},
    {
        "eventSource": "signin.amazonaws.com",
        "eventName": "ConsoleLogin",
        "additionalEventData": {"errorMessage": "of another field"},
    },
    {"eventSource": "sts.amazonaws.com", "eventName": "GetCallerIdentity"},
    {"eventCategory": "Insight"},
    {"eventTime": "yesterday"},
)

ORACLE = """
WITH called AS (
    SELECT coalesce(
        CASE WHEN arn LIKE '%:assumed-role/%' THEN substr(arn, 1, length(arn) - 4) ELSE arn END,
        raw ->> '$.userIdentity.invokedBy', raw ->> '$.userIdentity.accountId',
        raw ->> '$.userIdentity.userName') AS name, at / 86400 AS day, at, raw,
        raw ->> '$.errorCode' AS error
    FROM (SELECT raw, raw ->> '$.userIdentity.arn' AS arn,
        CAST(strftime('%s', raw ->> '$.eventTime') AS INTEGER) AS at FROM record)
    WHERE at IS NOT NULL AND raw ->> '$.eventCategory' != 'Insight')
"""
COUNTS = """
SELECT name, day, count(*),
    sum(error IS NOT NULL OR raw ->> '$.errorMessage' IS NOT NULL),
    sum(coalesce(error, '') = 'AccessDenied'), sum(NOT (raw ->> '$.readOnly')), min(at), max(at)
FROM called GROUP BY name, day"""
VALUES = """
SELECT name, day, 'region', raw ->> '$.awsRegion' AS value, count(*) FROM called GROUP BY 1, 2, 4
UNION ALL SELECT name, day, 'call', (raw ->> '$.eventSource') || ':' || (raw ->> '$.eventName'),
    count(*) FROM called GROUP BY 1, 2, 4
UNION ALL SELECT name, day, 'session', substr(raw ->> '$.userIdentity.arn', -3), count(*)
    FROM called WHERE raw ->> '$.userIdentity.type' = 'AssumedRole' GROUP BY 1, 2, 4
UNION ALL SELECT name, day, 'key', raw ->> '$.userIdentity.accessKeyId', count(*)
    FROM called WHERE raw ->> '$.userIdentity.accessKeyId' LIKE 'AKIA%' GROUP BY 1, 2, 4"""


def expected(records: list[Raw], query: str) -> set[tuple[Any, ...]]:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE record (raw TEXT)")
    rows = [(json.dumps(record),) for record in records]
    connection.executemany("INSERT INTO record VALUES (?)", rows)
    return set(connection.execute(ORACLE + query))


def counts(activity: Activity) -> set[tuple[Any, ...]]:
    return {
        (name, number, day.calls, day.failed, day.denied, day.writes, day.first, day.last)
        for (_, name, number), day in activity.days.items()
    }


def values(activity: Activity) -> set[tuple[Any, ...]]:
    return {
        (name, number, kind, value, count.calls)
        for (_, name, number), day in activity.days.items()
        for kind, counts in day.values.items()
        if kind in ("region", "call", "session", "key")
        for value, count in counts.items()
    }


@st.composite
def trails(draw: st.DrawFn) -> list[Raw]:
    """Calls of every kind of caller over three days."""
    return draw(
        st.lists(
            st.builds(
                lambda at, caller, changed, region: {
                    **call(at, region),
                    "userIdentity": caller,
                    **changed,
                },
                st.integers(0, 2 * DAY).map(lambda seconds: seconds - seconds % 1800),
                st.sampled_from(CALLERS),
                st.sampled_from(CALLS),
                st.sampled_from(["us-east-1", "eu-west-1"]),
            ),
            max_size=40,
        )
    )


@given(st.data())
@settings(max_examples=30)
def test_activity_equals_sql_over_records(tmp_path_factory: Any, data: st.DataObject) -> None:
    records = data.draw(trails())
    order = data.draw(st.permutations(records))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(order)), max_size=3)))
    folder = tmp_path_factory.mktemp("trail")
    for number, (first, end) in enumerate(zip([0, *cuts], [*cuts, len(order)], strict=True)):
        part = order[first:end]
        form = data.draw(st.sampled_from([document, lines]))
        write(folder, f"{number}.json", form(part))
    fold_after = data.draw(st.sampled_from([1, 64]))
    store = Store.open(None)
    with patch.object(principal_activity_table, "_FOLD_COMMITS", fold_after):
        scan(folder, store=store)
    activity = store.activity.read(*ALL_DAYS)
    assert counts(activity) == expected(records, COUNTS)
    assert values(activity) == expected(records, VALUES)
    since = START + data.draw(st.integers(0, 2)) * DAY
    sliced = store.activity.read(*activity_days(since, None))
    assert counts(sliced) == {row for row in counts(activity) if row[1] >= since // DAY}
    store.close()


def test_session_belongs_to_its_role() -> None:
    actor = actor_of_arn(f"{ROLE}/i-1")
    assert (actor.kind, actor.name, actor.session) == ("role", ROLE, "i-1")
    assert actor_of_arn(f"arn:aws:sts::{ACCOUNT}:federated-user/ana").kind == "federated"


def test_lines_read_again_are_counted_once(tmp_path: Path) -> None:
    """A changed rule makes a growing file be read from its start; only what is new counts."""
    path = write(tmp_path / "logs", "trail.jsonl", lines([call(0), call(1)]))
    store = Store.open(None)

    def grow() -> None:
        path.write_bytes(path.read_bytes() + lines([call(2)]))

    def require_new_search() -> None:
        with store.database.transaction() as connection:
            store.files.require_new_search(connection)
        store.rules.generation = store.files.generation()
        grow()

    watch(store, tmp_path / "logs", grow, require_new_search)
    activity = store.activity.read(*ALL_DAYS)
    assert [day.calls for day in activity.days.values()] == [4]


def test_more_values_than_are_kept_are_said(tmp_path: Path) -> None:
    records = [
        {**call(at), "eventName": f"Call{at % 600}", "eventSource": "x.amazonaws.com"}
        for at in range(1200)
    ]
    write(tmp_path, "a.json", records[:700])
    write(tmp_path, "b.json", records[700:])
    store = Store.open(None)
    scan(tmp_path, store=store)
    (day,) = store.activity.read(*ALL_DAYS).days.values()
    kept = day.values["call"]
    assert len(kept) == 513
    assert {count.calls for value, count in kept.items() if value} == {2}
    assert day.calls == 1200


def test_values_that_are_too_many_only_together_are_limited(tmp_path: Path) -> None:
    """Each scan brings fewer networks than are kept of a day."""
    records = [{**call(at), "sourceIPAddress": f"10.0.{at}.1"} for at in range(200)]
    store = Store.open(None)
    for name, own in ("a.json", records[:100]), ("b.json", records[100:]), ("c.json", records[:9]):
        write(tmp_path, name, own)
        scan(tmp_path, store=store)
    (day,) = store.activity.read(*ALL_DAYS).days.values()
    networks = day.values["network"]
    assert (len(networks), networks[MORE].calls) == (VALUE_LIMIT + 1, 0)


def test_openings_tell_who_opened_a_session(tmp_path: Path) -> None:
    opened = {"assumedRoleUser": {"arn": f"{ROLE}/i-9"}, "credentials": {"accessKeyId": "ASIA9"}}
    assume = {
        "eventSource": "sts.amazonaws.com",
        "eventName": "AssumeRole",
        "responseElements": opened,
    }
    service = {"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}
    records = [
        call(5, **assume),
        call(9, **assume),
        {**call(7, **assume), "userIdentity": service},
    ]
    write(tmp_path, "a.json", records)
    store = Store.open(None)
    scan(tmp_path, store=store)
    spans = {
        (opener.name, opened.name, opened.session): span
        for (opener, opened), span in store.activity.openings().items()
    }
    assert spans == {
        (ANA, ROLE, "i-9"): (START + 5, START + 9),
        ("ec2.amazonaws.com", ROLE, ""): (START + 7, START + 7),
    }


def test_form_of_earlier_versions_is_read() -> None:
    """Each trait had its kind there, and the session was one of them."""
    actor = actor_of_arn(f"{ROLE}/i-1")
    groups = [GroupCount(0, 0, 0, 20_000, 20_000 * DAY, 20_000 * DAY + 5, 1, {0: 3})]
    outcomes = [CallOutcome("ec2.amazonaws.com:DescribeInstances", True, True, False)]
    earlier = [("network", "203.0.113.0/24"), ("account", ACCOUNT), ("session", "i-1")]
    opening = (SessionOpening(actor, actor), (1, 2))
    parts = [["us-east-1"], outcomes, groups, [opening]]
    old = msgspec.msgpack.encode([[actor], [earlier], *parts])
    traits = ("203.0.113.0/24", "", ACCOUNT, "")
    new = ChunkActivity([actor], [traits], ["us-east-1"], outcomes, groups, [opening]).encode()
    assert activity_of([old, new]) == activity_of([new, new])
    [day] = activity_of([old]).days.values()
    assert set(day.values) == {"call", "network", "account", "region", "session"}
