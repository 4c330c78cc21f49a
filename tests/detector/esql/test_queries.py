"""Tests of whole queries over a few records."""

from __future__ import annotations

import pytest

from detector.ecs.fields import field_table
from detector.esql.errors import EsqlError
from detector.esql.plan.planner import plan
from tests.detector.esql.conftest import START, record, region_sweep

FROM = "from logs-aws.cloudtrail-*"


def plan_after_from(text):
    return plan(f"{FROM} {text}", field_table())


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
        ("cloud.*, cloud.region", ["cloud.provider", "cloud.account.id", "cloud.region"]),
        ("cloud.region, cloud.*", ["cloud.region", "cloud.provider", "cloud.account.id"]),
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
    query = plan_after_from("| where @timestamp > now() - 1 hour | keep event.id")
    assert query.rows(record(), START, now=START + 3599)
    assert not query.rows(record(), START, now=START + 3600)


@pytest.mark.parametrize(
    "text, window, column",
    [
        ("| stats n = count(*) by w = date_trunc(30 seconds, @timestamp), user.name", 30, "w"),
        (
            "| eval w = date_trunc(1 hour, @timestamp) | keep w, user.name "
            "| stats n = count(*) by w, user.name",
            3600,
            "w",
        ),
        (
            "| eval v = bucket(@timestamp, 5 minutes) | rename v as w "
            "| stats n = count(*) by user.name, w",
            300,
            "w",
        ),
        ("| stats n = count(*) by w = tbucket(1 day), user.name", 86400, "w"),
    ],
)
def test_window_is_found_where_defined(text, window, column):
    query = plan_after_from(text)
    assert (query.shape, query.window, query.window_column) == ("window", window, column)
    assert query.key_names == ("user.name",)


@pytest.mark.parametrize(
    "by",
    [
        "user.name",
        "user.name, date_trunc(1 month, @timestamp)",
        "user.name, date_trunc(1 week, @timestamp)",
    ],
)
def test_query_without_fixed_length_key_is_lookback(by):
    assert plan_after_from(f"| stats n = count(*) by {by}").shape == "lookback"


EC2, DI, RI = "ec2.amazonaws.com", "DescribeInstances", "RunInstances"


@pytest.mark.parametrize(
    "condition, pairs",
    [
        (f'event.provider == "{EC2}" and event.action == "{DI}"', {(EC2, DI)}),
        (f'"{EC2}" == event.provider', {(EC2, None)}),
        (f'event.action in ("{DI}", "{RI}")', {(None, DI), (None, RI)}),
        (f'event.provider == "{EC2}" and event.action in ("{DI}", "{RI}")', {(EC2, DI), (EC2, RI)}),
        (f'event.provider == "{EC2}" or event.action == "{DI}"', {(EC2, None), (None, DI)}),
        (f'event.provider == "{EC2}" or user.name == "x"', {(None, None)}),
        (
            f'event.provider == "{EC2}" and (event.action == "{DI}" or user.name == "x")',
            {(EC2, None)},
        ),
        (f'event.action == "{DI}" and event.action == "{RI}"', set()),
        (f'not event.action == "{DI}"', {(None, None)}),
        ('event.dataset == "aws.cloudtrail"', {(None, None)}),
        ('event.dataset == "azure.auditlogs"', set()),
        ('event.dataset in ("azure.auditlogs", "aws.cloudtrail")', {(None, None)}),
        (f'event.dataset == "azure.auditlogs" or event.action == "{DI}"', {(None, DI)}),
        (f'to_lower(event.action) == "{DI}"', {(None, None)}),
    ],
)
def test_required_pairs_follow_filter(condition, pairs):
    assert plan_after_from(f"| where {condition} | keep event.id").required_pairs == pairs
    assert plan_after_from(f"| where {condition} | stats n = count(*)").required_pairs == pairs


def test_required_pairs_follow_column_not_name():
    renamed = plan_after_from(f'| rename event.action as what | where what == "{DI}" | keep what')
    assert renamed.required_pairs == {(None, DI)}
    replaced = plan_after_from(
        f'| eval event.action = user.name | where event.action == "{DI}" | keep event.action'
    )
    assert replaced.required_pairs == {(None, None)}


@pytest.mark.parametrize(
    "having, expected",
    [
        ("n >= 10", 10),
        ("n > 10", 11),
        ("n == 3", 3),
        ("10 <= n", 10),
        ("10 < n", 11),
        ("d >= 7 and n >= 3", 7),
        ("d >= 7 or n >= 3", 3),
        ("n >= 10 or v is not null", 1),
        ("n < 10", 1),
        ("not n < 10", 1),
        ("m >= 10", 1),
        ("n >= 2.5", 1),
        ("n >= 0", 1),
    ],
)
def test_min_hits_of_condition(having, expected):
    text = (
        "| stats n = count(*), d = count_distinct(cloud.region), v = values(event.id), "
        f"m = count_distinct(aws.cloudtrail.resources.arn) | where {having}"
    )
    assert plan_after_from(text).min_hits == expected


@pytest.mark.parametrize(
    "text, reason",
    [
        ("from logs-okta.system-*", "not CloudTrail"),
        ("row a = 1", "must begin with from"),
        (f"{FROM} | stats count(*) | stats count(*)", "a second stats"),
        (f"{FROM} | limit 10 | stats count(*)", "limit before stats"),
        (f"{FROM} | inlinestats n = count(*)", "the command INLINESTATS is not supported"),
        (f"{FROM} | enrich policy", "the command ENRICH is not supported"),
        (f"{FROM} | lookup join x on y", "the command LOOKUP is not supported"),
        (f"{FROM} | whre x", "no such command: whre; did you mean where?"),
        (f"{FROM} metadata _score", "_score is not supported"),
        (f'{FROM} | keep event.id | where event.action == "x"', "no column event.action"),
        (f"{FROM} | drop event.id | keep event.id", "no column event.id"),
        (f"{FROM} | keep nothing.*", "no column matches nothing.*"),
        (f'{FROM} | stats n = count(*) | where event.action == "x"', "no column event.action"),
        (f"{FROM} | stats n = length(event.action)", "must stand in an aggregate"),
        (f"{FROM} | stats n = count(count(*))", "count is an aggregate"),
        (f"{FROM} | stats n = values(*)", "values does not take *"),
        (
            f"{FROM} | stats n = sum(event.action)",
            "argument 1 of sum must be a number, not keyword",
        ),
        (f"{FROM} | stats n = percentile(length(event.id), length(event.id))", "must be constants"),
        (f"{FROM} | stats", "stats computes nothing"),
        (f"{FROM} | where event.action", "a condition must be true or false"),
        (f'{FROM} | dissect event.action "nothing"', "no %{key}"),
        (f'{FROM} | dissect event.action "%{{a}}%{{b}}"', "a delimiter must stand between"),
        (f'{FROM} | dissect event.action "%{{*a}}=%{{&a}}"', "reference keys"),
        (f'{FROM} | grok event.action "%{{WRD:a}}"', "no pattern WRD; did you mean WORD?"),
        (f'{FROM} | grok event.action "(?<a>["', "no regular expression"),
        (f'{FROM} | grok event.action "x"', "names no column"),
        (f'{FROM} | grok event.action "(?<a>a++)"', "a possessive quantifier is not supported"),
    ],
)
def test_unsupported_query_is_refused_with_reason(text, reason):
    with pytest.raises(EsqlError) as caught:
        plan(text, field_table())
    assert reason in caught.value.message
    assert "\n" not in caught.value.message


def test_error_has_line_and_column():
    with pytest.raises(EsqlError) as caught:
        plan(
            f'{FROM}\n// a comment\n| where event.action == "x"\n  and evnt.id == "y"',
            field_table(),
        )
    assert (caught.value.line, caught.value.column) == (4, 7)


def test_canonical_form_ignores_spelling():
    compact = plan_after_from('| WHERE event.action=="x" // why\n|stats count(*)')
    spaced = plan_after_from('| where   `event.action` == """x"""\n| STATS count(*)')
    assert compact.canonical == spaced.canonical
    assert (
        compact.canonical
        != plan_after_from('| where event.action == "y" | stats count(*)').canonical
    )


@pytest.mark.parametrize(
    "having, thresholds",
    [
        ("n >= 10 and d > 5", ("at least 10 events", "more than 5 distinct cloud.region")),
        ("d == 3", ("exactly 3 distinct cloud.region",)),
        ("10 <= n", ("at least 10 events",)),
        ("v is not null", ("v is known",)),
        ("n > d", ("events > distinct cloud.region",)),
    ],
)
def test_thresholds_are_described(having, thresholds):
    text = (
        "| stats n = count(*), d = count_distinct(cloud.region), v = values(event.id) "
        f"| where {having}"
    )
    assert plan_after_from(text).thresholds == thresholds
