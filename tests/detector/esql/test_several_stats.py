"""Several commands that group, against plain Python over lists of dictionaries."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from detector.cloudtrail.record import Record
from detector.ecs.fields import field_table
from detector.esql import parser
from detector.esql.errors import EsqlError
from detector.esql.plan.grouping import GroupSpan
from detector.esql.plan.planner import plan, plan_tree
from tests.detector.esql.conftest import START, record
from tests.detector.rules.rule_scan import RuleScan, raw_record, write_rule

FROM = "from logs-aws.cloudtrail-*"
Row = dict[str, Any]


def rows_of(text: str, rows: Iterable[Row]) -> list[Row]:
    """Run a query as a hunt does: all events at once."""
    query = plan(f"{FROM} {text}", field_table())
    hits = [hit for row in rows for hit in query.rows(event_of(row), row["time"])]
    assert {key for key, _ in hits} <= {()}
    results = query.group_results(0, (), [inputs for _, inputs in hits], START + 86_400)
    return [dict(result) for result, _ in results]


def event_of(row: Row) -> Record:
    identity = {"type": "IAMUser", "userName": row["user"], "arn": row["user"]}
    return record(
        userIdentity={name: value for name, value in identity.items() if value is not None},
        awsRegion=row["region"],
        eventName=row["action"],
        resources=[{"ARN": arn} for arn in row["arns"]] or None,
        errorCode=row["error"],
    )


def random_rows(rng: random.Random) -> list[Row]:
    return [
        {
            "time": START + rng.randrange(600),
            "user": rng.choice(["ana", "bob", "Bob", None]),
            "region": rng.choice(["us-east-1", "eu-west-1", "ap-south-1"]),
            "action": rng.choice(["Run", "Stop", "run"]),
            "arns": rng.sample(["a", "b", "c"], rng.randrange(4)),
            "error": rng.choice(["Denied", None]),
        }
        for _ in range(rng.randrange(1, 25))
    ]


def group(rows: Iterable[Row], key: Callable[[Row], Any]) -> dict[Any, list[Row]]:
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups


def several(values: Iterable[Any]) -> list[Any] | None:
    """Return distinct values in order, as a column shows them; None for none."""
    return sorted({value for value in values if value is not None}) or None


def by_text(rows: list[Row]) -> list[str]:
    return sorted(map(repr, rows))


def count_per_user_then_users(rows: list[Row]) -> list[Row]:
    per = group(rows, lambda row: (row["user"], row["region"]))
    counts = [{"user": user, "region": region, "n": len(of)} for (user, region), of in per.items()]
    regions = group((each for each in counts if each["n"] >= 2), lambda each: each["region"])
    return [
        {
            "most": max(each["n"] for each in of),
            "all": sum(each["n"] for each in of),
            "users": len({each["user"] for each in of} - {None}),
            "cloud.region": region,
        }
        for region, of in regions.items()
    ]


def average_per_minute(rows: list[Row]) -> list[Row]:
    minutes = group(rows, lambda row: row["time"] // 60)
    if not minutes:
        return []
    counts = [len(of) for of in minutes.values()]
    return [{"average": sum(counts) / len(counts), "minutes": len(counts)}]


def exploded_arns(rows: list[Row]) -> list[Row]:
    pairs = [(arn, row) for row in rows for arn in row["arns"] or [None]]
    counts = {arn: len(of) for arn, of in group(pairs, lambda pair: pair[0]).items()}
    return [
        {"arns": several(arn for arn, count in counts.items() if count == n), "n": n}
        for n in set(counts.values())
    ]


def of_common_users(rows: list[Row]) -> list[Row]:
    regions = {
        user: len({row["region"] for row in of})
        for user, of in group(rows, lambda row: row["user"]).items()
    }
    return [
        {"user.name": row["user"], "event.action": row["action"], "regions": regions[row["user"]]}
        for row in rows
        if regions[row["user"]] >= 2
    ]


def share_of_all(rows: list[Row]) -> list[Row]:
    denied = sum(1 for row in rows if row["error"])
    return [
        {"n": len(of), "denied": denied, "event.action": action}
        for action, of in group(rows, lambda row: row["action"]).items()
        if 2 * len(of) > len(rows)
    ]


def above_mean(rows: list[Row]) -> list[Row]:
    counts = {user: len(of) for user, of in group(rows, lambda row: row["user"]).items()}
    mean = sum(counts.values()) / len(counts)
    return [{"n": n, "user.name": user, "mean": mean} for user, n in counts.items() if n >= mean]


CASES: list[tuple[str, Callable[[list[Row]], list[Row]]]] = [
    (
        "| stats n = count(*) by user.name, cloud.region | where n >= 2 "
        "| stats most = max(n), all = sum(n), users = count_distinct(user.name) by cloud.region",
        count_per_user_then_users,
    ),
    (
        "| stats n = count(*) by minute = date_trunc(1 minute, @timestamp) "
        "| stats average = avg(n), minutes = count(*)",
        average_per_minute,
    ),
    (
        "| stats n = count(*) by arn = aws.cloudtrail.resources.arn "
        "| stats arns = values(arn) by n",
        exploded_arns,
    ),
    (
        "| inline stats regions = count_distinct(cloud.region) by user.name | where regions >= 2 "
        "| keep user.name, event.action, regions",
        of_common_users,
    ),
    (
        "| inlinestats all = count(*), denied = count(aws.cloudtrail.error_code) "
        "| stats n = count(*), all = max(all), denied = max(denied) by event.action "
        "| where 2 * n > all | keep n, denied, event.action",
        share_of_all,
    ),
    (
        "| stats n = count(*) by user.name | inline stats mean = avg(n) | where n >= mean",
        above_mean,
    ),
]


@pytest.mark.parametrize(("text", "oracle"), CASES, ids=[each.__name__ for _, each in CASES])
def test_several_stats_match_oracle(text: str, oracle: Callable[[list[Row]], list[Row]]) -> None:
    rng = random.Random(oracle.__name__)
    for _ in range(60):
        rows = random_rows(rng)
        assert by_text(rows_of(text, rows)) == by_text(oracle(rows)), rows


def rule_query(text: str) -> Any:
    tree = parser.parse_query(f"{FROM} {text}")
    return plan_tree(tree, text, field_table())


@pytest.mark.parametrize(
    ("text", "shape", "window", "keys"),
    [
        (
            "| stats n = count(*) by w = date_trunc(5 minutes, @timestamp), user.name, source.ip "
            "| stats ips = count(*) by w, user.name",
            "window",
            300,
            ("user.name",),
        ),
        (
            "| stats n = count(*) by w = date_trunc(5 minutes, @timestamp), user.name "
            "| stats windows = count(*) by user.name",
            "lookback",
            None,
            ("user.name",),
        ),
        (
            "| eval w = date_trunc(1 hour, @timestamp) "
            "| inline stats n = count(*) by user.name, cloud.region, w | where n > 1",
            "window",
            3600,
            ("user.name", "cloud.region"),
        ),
        ("| stats n = count(*) by user.name | stats users = count(*)", "lookback", None, ()),
        (
            "| stats n = count(*) by u = user.name, source.ip | rename u as who "
            "| stats n = sum(n) by who | where n > 3",
            "lookback",
            None,
            ("u",),
        ),
        ("| inline stats n = count(*) | where n > 3", "lookback", None, ()),
    ],
)
def test_rule_keeps_apart_what_no_command_brings_together(
    text: str, shape: str, window: int | None, keys: tuple[str, ...]
) -> None:
    query = rule_query(text)
    assert (query.shape, query.window, query.key_names) == (shape, window, keys)


@pytest.mark.parametrize(
    ("text", "construct", "message"),
    [
        ("| stats n = count(*) by user.name | stats users = count(*) by n", "n", "known from each"),
        (
            "| inline stats n = count(*) by user.name | stats r = count(*) by cloud.region",
            "cloud.region",
            "group by cloud.region too",
        ),
        (
            "| inline stats n = count(*) by aws.cloudtrail.resources.arn | where n > 2",
            "aws.cloudtrail.resources.arn",
            "can have several values",
        ),
        ("| inline stats by user.name", "user.name", "unexpected"),
        ("| stats n = count(*) by user.name | limit 3 | stats m = max(n)", "limit", "limit before"),
        (
            "| stats n = count(*) by user.name | stats m = max(source.ip)",
            "source.ip",
            "no column source.ip",
        ),
        (
            "| change_point n on t",
            "change_point",
            "the command CHANGE_POINT is not supported: it wants all",
        ),
    ],
)
def test_what_a_rule_cannot_tell_is_refused(text: str, construct: str, message: str) -> None:
    with pytest.raises(EsqlError) as refusal:
        rule_query(text)
    assert message in refusal.value.message
    span = refusal.value.span
    place = span.start - len(f"{FROM} ")
    assert text[place:].startswith(construct)


@pytest.mark.parametrize("seed", range(20))
def test_groups_of_a_rule_are_those_of_the_whole(seed: int) -> None:
    """What a rule finds group by group is what the query finds over all events."""
    text = (
        "| stats n = count(*), arns = values(aws.cloudtrail.resources.arn) "
        "by user.name, cloud.region "
        "| where n >= 2 | stats regions = values(cloud.region), all = sum(n) by user.name"
    )
    rows = random_rows(random.Random(seed))
    query = rule_query(text)
    groups: dict[Any, list[Any]] = defaultdict(list)
    for row in rows:
        for key, inputs in query.rows(event_of(row), row["time"]):
            groups[key].append(inputs)
    results = [query.result(START, key, inputs) for key, inputs in groups.items()]
    found = [dict(result) for result in results if result is not None]
    assert by_text(found) == by_text(rows_of(text, rows))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(
    "text",
    [
        "| stats n = count(*), last = max(@timestamp) by user.name, cloud.region | where n >= 2 "
        "| stats regions = values(cloud.region), all = sum(n), last = max(last) by user.name",
        "| stats n = count(*) by arn = aws.cloudtrail.resources.arn, user.name "
        "| inline stats most = max(n) by user.name | where n == most "
        "| stats arns = values(arn), n = sum(n) by user.name | where n > 1",
        "| stats n = count(*), actions = median(length(event.action)) | stats n = max(n)",
    ],
)
def test_groups_that_move_are_those_computed_at_once(text: str, seed: int) -> None:
    rng = random.Random(seed)
    query = rule_query(text)
    rows = sorted(random_rows(rng), key=lambda row: row["time"])
    series: dict[Any, list[Any]] = defaultdict(list)
    for row in rows:
        for key, inputs in query.rows(event_of(row), row["time"]):
            series[key].append(inputs)
    for key, hits in series.items():
        moving = query.sliding_aggregator()
        first = 0
        for end, inputs in enumerate(hits, start=1):
            moving.add(inputs)
            while first < end - 1 and rng.random() < 0.4:
                moving.retract()
                first += 1
            if rng.random() < 0.7:
                at_once = query.result(START, key, hits[first:end])
                assert query.group_passes(moving, START, key) is (at_once is not None)
                moved = list(query.grouping.rows(moving, GroupSpan(START, START, key), True))
                values = [query._column_values(row) for row in moved]
                expected = query.grouping.whole_group(hits[first:end])
                again = query.grouping.rows(expected, GroupSpan(START, START, key), True)
                assert sorted(map(repr, values)) == sorted(
                    repr(query._column_values(row)) for row in again
                )
                assert len(moving) == end - first


# rules

TWO_STATS = (
    f"{FROM} | stats n = count(*) by user.name, cloud.region | where n >= 2 "
    "| stats regions = values(cloud.region), all = sum(n) by user.name "
    "| where mv_count(regions) >= 2"
)
INLINE = (
    f"{FROM} | inline stats regions = count_distinct(cloud.region) by user.name "
    '| where regions >= 2 and event.action == "RunInstances" | keep event.id, regions'
)


def call(second: int, region: str, action: str = "DescribeInstances") -> Any:
    return raw_record(second, awsRegion=region, eventName=action)


def test_rule_with_two_stats_counts_late_events(tmp_path: Path) -> None:
    scan = RuleScan(tmp_path, write_rule(tmp_path / "r", TWO_STATS, lookback="now-10m"))
    scan.add_file(call(0, "us-east-1"), call(20, "eu-west-1"), call(30, "eu-west-1"))
    assert scan.alerts() == []
    scan.add_file(call(10, "us-east-1"))
    (alert,) = scan.alerts()
    assert alert.columns == {"regions": ["eu-west-1", "us-east-1"], "all": 4, "user.name": "ana"}
    assert alert.key == {"user.name": "ana"}
    assert len(alert.event_ids) == 4
    scan.add_file(call(2000, "us-east-1"), call(2001, "us-east-1"), call(2002, "eu-west-1"))
    assert len(scan.alerts()) == 1


def test_rule_with_inline_stats_shows_the_events_that_pass(tmp_path: Path) -> None:
    scan = RuleScan(tmp_path, write_rule(tmp_path / "r", INLINE, lookback="now-10m"))
    scan.add_file(call(0, "us-east-1", "RunInstances"), call(9, "us-east-1", "RunInstances"))
    assert scan.alerts() == []
    scan.add_file(call(30, "eu-west-1"))
    (alert,) = scan.alerts()
    assert alert.columns == {"event.id": ["e-0", "e-9"], "regions": 2}
    assert alert.event_ids == ["e-0", "e-30", "e-9"]


def test_any_split_and_order_give_the_same_alerts(tmp_path: Path) -> None:
    rng = random.Random(7)
    calls = [call(second * 40, rng.choice(["a-1", "b-1", "c-1"])) for second in range(40)]
    path = write_rule(tmp_path / "r", TWO_STATS, lookback="now-5m")
    whole = RuleScan(tmp_path, path).add_file(*calls).alerts()
    assert whole
    rng.shuffle(calls)
    pieces = RuleScan(tmp_path, path)
    for start in range(0, len(calls), 7):
        pieces.add_file(*calls[start : start + 7])
    assert [(a.alert_id, a.columns, a.event_ids) for a in pieces.alerts()] == [
        (a.alert_id, a.columns, a.event_ids) for a in whole
    ]
