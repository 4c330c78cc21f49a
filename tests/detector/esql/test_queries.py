"""Tests of whole queries over a few records."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.ecs.fields import field_table
from detector.esql.errors import EsqlError
from detector.esql.plan.planner import plan
from detector.text.time import parse_time
from tests.detector.esql.conftest import START, record, region_sweep

FROM = "from logs-aws.cloudtrail-*"


def test_where_drops_false_and_null(run_query):
    calls = [
        record(errorCode=code, eventID=code or "none")
        for code in ("AccessDenied", "Throttled", None)
    ]
    text = f'{FROM} | where aws.cloudtrail.error_code != "Throttled" | keep event.id'
    assert run_query(text, calls) == [{"event.id": "AccessDenied"}]


def test_negation_of_true_or_missing_field_keeps_nothing(run_query):
    calls = [record(sessionCredentialFromConsole=value) for value in ("true", None)]
    field = "aws.cloudtrail.session_credential_from_console"
    text = f'{FROM} | where not {field} == "true" | keep event.id'
    assert run_query(text, calls) == []


def test_eval_sees_earlier_columns(run_query):
    text = f"{FROM} | eval a = length(event.action), b = a * 2, a = b + 1 | keep a, b"
    assert run_query(text, [record()]) == [{"a": 35, "b": 34}]


def test_keep_drop_and_rename_select_columns(run_query):
    text = (
        f"{FROM} | keep event.*, cloud.region | drop event.i*, event.created "
        "| rename cloud.region as where "
        "| keep where, event.action, event.provider"
    )
    assert run_query(text, [record()]) == [
        {
            "where": "us-east-1",
            "event.action": "DescribeInstances",
            "event.provider": "ec2.amazonaws.com",
        }
    ]


@pytest.mark.parametrize(
    "patterns, order",
    [
        ("event.id, cloud.region", ["event.id", "cloud.region"]),
        (
            "cloud.*, cloud.region",
            ["cloud.provider", "cloud.account.id", "cloud.service.name", "cloud.region"],
        ),
        (
            "cloud.region, cloud.*",
            ["cloud.region", "cloud.provider", "cloud.account.id", "cloud.service.name"],
        ),
        ("event.id, cloud.region, event.id", ["cloud.region", "event.id"]),
    ],
)
def test_keep_orders_columns(run_query, patterns, order):
    (result,) = run_query(f"{FROM} | keep {patterns}", [record()])
    assert list(result) == order


def test_query_without_keep_returns_fields_of_record(run_query):
    (result,) = run_query(f'{FROM} | where event.action == "DescribeInstances"', [record()])
    assert result["source.ip"] == "203.0.113.7"
    assert result["@timestamp"] == "2026-01-01T00:00:00Z"
    assert "aws.cloudtrail.error_code" not in result


def test_metadata_fields_exist_if_requested(run_query):
    assert run_query("from logs-* metadata _id, _index | keep _id", [record()]) == [{"_id": "e-1"}]
    with pytest.raises(EsqlError, match="no column _id"):
        plan(f"{FROM} | keep _id", field_table())


def test_stats_counts_rows_values_and_distinct_values(run_query):
    calls = [record(userIdentity={"accessKeyId": key}) for key in ("A", "A", "B", None)]
    text = f"""{FROM}
        | stats rows = count(*), n = count(aws.cloudtrail.user_identity.access_key_id),
        keys = count_distinct(aws.cloudtrail.user_identity.access_key_id),
        names = values(aws.cloudtrail.user_identity.access_key_id)"""
    assert run_query(text, calls) == [{"rows": 4, "n": 3, "keys": 2, "names": ["A", "B"]}]


def test_aggregates_of_nulls_are_null_and_counts_zero(run_query):
    text = f"""{FROM} | stats n = count(aws.cloudtrail.error_code),
        d = count_distinct(aws.cloudtrail.error_code), v = values(aws.cloudtrail.error_code),
        lo = min(aws.cloudtrail.error_code), s = sum(length(tls.version))"""
    assert run_query(text, [record(), record()]) == [
        {"n": 0, "d": 0, "v": None, "lo": None, "s": None}
    ]


def test_aggregates_of_constants_several_values_and_infinite_sums(run_query):
    several = record(resources=[{"ARN": "b"}, {"ARN": "a"}])
    text = f"""{FROM}
        | stats mean = weighted_avg(3, 2), none = weighted_avg(3, 0),
        first = first(event.action, 1), last = last(event.action, aws.cloudtrail.resources.arn),
        sum = sum(1e308), avg = avg(1e308), spread = std_dev(1e308)"""
    (result,) = run_query(text, [several, record(eventName="Other")])
    assert result == {
        "mean": 3.0,
        "none": None,
        "first": "DescribeInstances",
        "last": "DescribeInstances",
        "sum": None,
        "avg": None,
        "spread": None,
    }


def test_aggregates_of_numbers_dates_booleans_and_text(run_query):
    text = f"""{FROM} | eval n = length(cloud.region)
        | stats lo = min(n), hi = max(n), total = sum(n), mean = avg(n), mid = median(n),
        first = min(@timestamp), last = max(@timestamp), any = max(n > 2),
        least = min(cloud.region),
        early = first(cloud.region, @timestamp), late = last(cloud.region, @timestamp)"""
    assert run_query(text, region_sweep(["bbbb", "aa", "c"])) == [
        {
            "lo": 1,
            "hi": 4,
            "total": 7,
            "mean": 7 / 3,
            "mid": 2.0,
            "first": "2026-01-01T00:00:00Z",
            "last": "2026-01-01T00:00:02Z",
            "any": True,
            "least": "aa",
            "early": "bbbb",
            "late": "c",
        }
    ]


VALUES = st.lists(st.sampled_from(["a", "b", "c"]), max_size=2)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), VALUES), min_size=1, max_size=6), st.randoms())
def test_first_and_last_match_oracle(calls, rng):
    """The oracle sorts the rows whole, with nulls at the end, and takes what stands in front."""
    records = [
        record(
            eventID=str(number),
            eventTime=f"2026-01-01T00:00:0{second}Z",
            resources=[{"ARN": arn} for arn in arns],
        )
        for number, (second, arns) in enumerate(calls)
    ]
    text = f"""{FROM} | stats
        early = first(aws.cloudtrail.resources.arn, @timestamp),
        late = last(aws.cloudtrail.resources.arn, @timestamp),
        soonest = earliest(aws.cloudtrail.resources.arn),
        newest = latest(aws.cloudtrail.resources.arn),
        least = first(@timestamp, aws.cloudtrail.resources.arn),
        greatest = last(@timestamp, aws.cloudtrail.resources.arn),
        one = first(event.id, null), two = first(null, @timestamp)"""
    query = plan(text, field_table())
    rng.shuffle(records)
    rows = [
        inputs for each in records for _, inputs in query.rows(each, parse_time(each.event_time))
    ]
    result = query.result(0, (), rows)
    rows = [(second, sorted(set(arns))) for second, arns in calls]

    def front(reverse):
        edge = sorted((second for second, _ in rows), reverse=reverse)[0]
        return min(filter(None, (arns for second, arns in rows if second == edge)), default=[])

    def time_at(choose):
        keys = [choose(arns) for _, arns in rows if arns]
        fitting = [
            second for second, arns in rows if not keys or (arns and choose(arns) == choose(keys))
        ]
        return f"2026-01-01T00:00:0{min(fitting)}Z"

    assert (result["early"] or []) == (result["soonest"] or []) == front(False)
    assert (result["late"] or []) == (result["newest"] or []) == front(True)
    assert (result["least"], result["greatest"]) == (time_at(min), time_at(max))
    assert (result["one"], result["two"]) == ("0", None)


def test_earliest_takes_one_argument():
    with pytest.raises(EsqlError, match="earliest takes 1 argument, not 2"):
        plan(f"{FROM} | stats x = earliest(event.id, 1)", field_table())


def test_expressions_over_aggregates(run_query):
    text = f"""{FROM} | stats ratio = to_double(sum(case(cloud.region == "a", 1, 0))) / count(*),
        span = date_diff("seconds", min(@timestamp), max(@timestamp)),
        mv_count(values(cloud.region))"""
    assert run_query(text, region_sweep(["a", "b", "b", "c"])) == [
        {"ratio": 0.25, "span": 3, "mv_count(values(cloud.region))": 3}
    ]


def test_stats_where_filters_one_aggregate(run_query):
    text = f"""{FROM} | stats all = count(*), some = count(*) where cloud.region == "a",
        when = min(@timestamp) where cloud.region == "b",
        none = values(event.id) where cloud.region == "z" """
    assert run_query(text, region_sweep(["a", "b", "a", "b"])) == [
        {"all": 4, "some": 2, "when": "2026-01-01T00:00:01Z", "none": None}
    ]


def test_null_key_is_a_group(run_query):
    calls = [record(userIdentity={"arn": arn}) for arn in ("x", None, "x", None)]
    assert run_query(f"{FROM} | stats n = count(*) by aws.cloudtrail.user_identity.arn", calls) == [
        {"n": 2, "aws.cloudtrail.user_identity.arn": "x"},
        {"n": 2, "aws.cloudtrail.user_identity.arn": None},
    ]


def test_multivalued_key_joins_every_group(run_query):
    calls = [
        record(resources=[{"ARN": "b"}, {"ARN": "a"}, {"ARN": "b"}]),
        record(resources=[{"ARN": "a"}]),
    ]
    text = (
        f"{FROM} | stats n = count(*), d = count_distinct(aws.cloudtrail.resources.arn) "
        "by aws.cloudtrail.resources.arn, cloud.region"
    )
    assert run_query(text, calls) == [
        {"n": 2, "d": 2, "aws.cloudtrail.resources.arn": "a", "cloud.region": "us-east-1"},
        {"n": 1, "d": 2, "aws.cloudtrail.resources.arn": "b", "cloud.region": "us-east-1"},
    ]


def test_each_value_of_multivalue_counts(run_query):
    calls = [record(resources=[{"ARN": "a"}, {"ARN": "b"}]), record(resources=[{"ARN": "b"}])]
    field = "aws.cloudtrail.resources.arn"
    text = f"{FROM} | stats n = count({field}), v = values({field})"
    assert run_query(text, calls) == [{"n": 3, "v": ["a", "b"]}]


def test_by_accepts_expressions(run_query):
    text = (
        f"{FROM} | stats n = count(*) by day = date_trunc(1 day, @timestamp), length(cloud.region)"
    )
    assert run_query(text, region_sweep(["a", "bb", "c"])) == [
        {"n": 2, "day": "2026-01-01T00:00:00Z", "length(cloud.region)": 1},
        {"n": 1, "day": "2026-01-01T00:00:00Z", "length(cloud.region)": 2},
    ]


def test_stats_without_aggregates_lists_the_groups(run_query):
    assert run_query(f"{FROM} | stats by cloud.region", region_sweep(["a", "b", "a"])) == [
        {"cloud.region": "a"},
        {"cloud.region": "b"},
    ]


def test_mv_expand_makes_row_per_value(run_query):
    calls = [record(resources=[{"ARN": "a"}, {"ARN": "b"}]), record()]
    text = (
        f"{FROM} | mv_expand aws.cloudtrail.resources.arn "
        '| where aws.cloudtrail.resources.arn != "a" '
        "| stats n = count(*) by aws.cloudtrail.resources.arn"
    )
    assert run_query(text, calls) == [{"n": 1, "aws.cloudtrail.resources.arn": "b"}]


def test_conditions_after_stats_drop_groups(run_query):
    text = (
        f"{FROM} | stats n = count(*) by cloud.region "
        "| eval twice = n * 2 | where twice >= 4 | sort n | limit 1"
    )
    assert run_query(text, region_sweep(["a", "b", "a"])) == [
        {"n": 2, "cloud.region": "a", "twice": 4}
    ]


def test_dissect_extracts_from_request_text(run_query):
    call = record(requestParameters={"quotaCode": "L-1216C47A", "serviceCode": "ec2"})
    text = f"""{FROM}
        | dissect aws.cloudtrail.request_parameters "{{%{{?k}}=%{{Esql.a}}, %{{?l}}=%{{Esql.b}}}}"
        | keep Esql.a, Esql.b"""
    (result,) = run_query(text, [call])
    assert sorted(result.values()) == ["L-1216C47A", "ec2"]


def test_grok_extracts_part_of_text(run_query):
    call = record(requestParameters={"instancesSet": {"items": [{"instanceId": "i-0abc"}]}})
    text = f'''{FROM}
        | grok aws.cloudtrail.request_parameters """instanceId=(?<Esql.instance_id>[^,}}\\]]+)"""
        | keep Esql.instance_id'''
    assert run_query(text, [call, record()]) == [
        {"Esql.instance_id": "i-0abc"},
        {"Esql.instance_id": None},
    ]


def test_dissect_replaces_column_of_same_name(run_query):
    text = f'{FROM} | dissect event.action "X%{{cloud.region}}" | keep cloud.region'
    assert run_query(text, [record()]) == [{"cloud.region": None}]


def test_now_is_given_time():
    query = plan(f"{FROM} | where @timestamp > now() - 1 hour | keep event.id", field_table())
    assert query.rows(record(), START, now=START + 3599)
    assert not query.rows(record(), START, now=START + 3600)


def test_mv_expand_before_stats_counts_each_row(run_query):
    records = [record(resources=[{"ARN": "a"}, {"ARN": "b"}])]
    query = f"{FROM} | mv_expand aws.cloudtrail.resources.arn | stats n = count(*)"
    assert run_query(query, records) == [{"n": 2}]
