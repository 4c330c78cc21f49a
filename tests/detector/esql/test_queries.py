"""Whole queries over a few records: the commands, one by one and together."""

from __future__ import annotations

import pytest

from detector.ecs.fields import field_table
from detector.esql.errors import EsqlError
from detector.esql.plan.planner import plan
from tests.detector.esql.conftest import START, record, sweep

FROM = "from logs-aws.cloudtrail-*"


def query(text):
    return plan(f"{FROM} {text}", field_table())


def test_where_drops_what_is_false_and_what_is_null(answers):
    calls = [
        record(errorCode=code, eventID=code or "none")
        for code in ("AccessDenied", "Throttled", None)
    ]
    text = f'{FROM} | where aws.cloudtrail.error_code != "Throttled" | keep event.id'
    assert answers(text, calls) == [{"event.id": "AccessDenied"}]


def test_a_negation_of_a_field_that_is_only_true_or_absent_keeps_nothing(answers):
    calls = [record(sessionCredentialFromConsole=value) for value in ("true", None)]
    text = f'{FROM} | where not aws.cloudtrail.session_credential_from_console == "true" | keep event.id'
    assert answers(text, calls) == []


def test_eval_sees_what_it_defined_before(answers):
    text = f"{FROM} | eval a = length(event.action), b = a * 2, a = b + 1 | keep a, b"
    assert answers(text, [record()]) == [{"a": 35, "b": 34}]


def test_keep_drop_and_rename_shape_the_result(answers):
    text = (
        f"{FROM} | keep event.*, cloud.region | drop event.i*, event.created | rename cloud.region as where "
        "| keep where, event.action, event.provider"
    )
    assert answers(text, [record()]) == [
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
def test_keep_orders_columns(answers, patterns, order):
    (result,) = answers(f"{FROM} | keep {patterns}", [record()])
    assert list(result) == order


def test_a_query_without_keep_returns_what_the_record_has(answers):
    (result,) = answers(f'{FROM} | where event.action == "DescribeInstances"', [record()])
    assert result["source.ip"] == "203.0.113.7"
    assert result["@timestamp"] == "2026-01-01T00:00:00Z"
    assert "aws.cloudtrail.error_code" not in result


def test_metadata_fields_exist_when_asked_for(answers):
    assert answers("from logs-* metadata _id, _index | keep _id", [record()]) == [{"_id": "e-1"}]
    with pytest.raises(EsqlError, match="no column _id"):
        plan(f"{FROM} | keep _id", field_table())


def test_stats_counts_rows_values_and_distinct_values(answers):
    calls = [record(userIdentity={"accessKeyId": key}) for key in ("A", "A", "B", None)]
    text = f"""{FROM} | stats rows = count(*), n = count(aws.cloudtrail.user_identity.access_key_id),
        keys = count_distinct(aws.cloudtrail.user_identity.access_key_id),
        names = values(aws.cloudtrail.user_identity.access_key_id)"""
    assert answers(text, calls) == [{"rows": 4, "n": 3, "keys": 2, "names": ["A", "B"]}]


def test_over_nulls_only_counts_are_zero_and_the_rest_is_null(answers):
    text = f"""{FROM} | stats n = count(aws.cloudtrail.error_code), d = count_distinct(aws.cloudtrail.error_code),
        v = values(aws.cloudtrail.error_code), lo = min(aws.cloudtrail.error_code), s = sum(length(tls.version))"""
    assert answers(text, [record(), record()]) == [
        {"n": 0, "d": 0, "v": None, "lo": None, "s": None}
    ]


def test_aggregates_of_numbers_dates_booleans_and_text(answers):
    text = f"""{FROM} | eval n = length(cloud.region) | stats lo = min(n), hi = max(n), total = sum(n), mean = avg(n),
        mid = median(n), first = min(@timestamp), last = max(@timestamp), any = max(n > 2), least = min(cloud.region),
        early = first(cloud.region, @timestamp), late = last(cloud.region, @timestamp)"""
    assert answers(text, sweep(["bbbb", "aa", "c"])) == [
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


def test_expressions_over_aggregates(answers):
    text = f"""{FROM} | stats ratio = to_double(sum(case(cloud.region == "a", 1, 0))) / count(*),
        span = date_diff("seconds", min(@timestamp), max(@timestamp)), mv_count(values(cloud.region))"""
    assert answers(text, sweep(["a", "b", "b", "c"])) == [
        {"ratio": 0.25, "span": 3, "mv_count(values(cloud.region))": 3}
    ]


def test_stats_where_limits_one_aggregate(answers):
    text = f"""{FROM} | stats all = count(*), some = count(*) where cloud.region == "a",
        when = min(@timestamp) where cloud.region == "b", none = values(event.id) where cloud.region == "z" """
    assert answers(text, sweep(["a", "b", "a", "b"])) == [
        {"all": 4, "some": 2, "when": "2026-01-01T00:00:01Z", "none": None}
    ]


def test_null_is_a_group_of_its_own(answers):
    calls = [record(userIdentity={"arn": arn}) for arn in ("x", None, "x", None)]
    assert answers(f"{FROM} | stats n = count(*) by aws.cloudtrail.user_identity.arn", calls) == [
        {"n": 2, "aws.cloudtrail.user_identity.arn": "x"},
        {"n": 2, "aws.cloudtrail.user_identity.arn": None},
    ]


def test_a_multivalued_key_puts_the_row_in_every_group(answers):
    calls = [
        record(resources=[{"ARN": "b"}, {"ARN": "a"}, {"ARN": "b"}]),
        record(resources=[{"ARN": "a"}]),
    ]
    text = (
        f"{FROM} | stats n = count(*), d = count_distinct(aws.cloudtrail.resources.arn) "
        "by aws.cloudtrail.resources.arn, cloud.region"
    )
    assert answers(text, calls) == [
        {"n": 2, "d": 2, "aws.cloudtrail.resources.arn": "a", "cloud.region": "us-east-1"},
        {"n": 1, "d": 2, "aws.cloudtrail.resources.arn": "b", "cloud.region": "us-east-1"},
    ]


def test_every_value_of_a_multivalue_counts(answers):
    calls = [record(resources=[{"ARN": "a"}, {"ARN": "b"}]), record(resources=[{"ARN": "b"}])]
    text = f"{FROM} | stats n = count(aws.cloudtrail.resources.arn), v = values(aws.cloudtrail.resources.arn)"
    assert answers(text, calls) == [{"n": 3, "v": ["a", "b"]}]


def test_keys_computed_in_by(answers):
    text = (
        f"{FROM} | stats n = count(*) by day = date_trunc(1 day, @timestamp), length(cloud.region)"
    )
    assert answers(text, sweep(["a", "bb", "c"])) == [
        {"n": 2, "day": "2026-01-01T00:00:00Z", "length(cloud.region)": 1},
        {"n": 1, "day": "2026-01-01T00:00:00Z", "length(cloud.region)": 2},
    ]


def test_stats_without_aggregates_lists_the_groups(answers):
    assert answers(f"{FROM} | stats by cloud.region", sweep(["a", "b", "a"])) == [
        {"cloud.region": "a"},
        {"cloud.region": "b"},
    ]


def test_mv_expand_makes_a_row_of_each_value(answers):
    calls = [record(resources=[{"ARN": "a"}, {"ARN": "b"}]), record()]
    text = (
        f'{FROM} | mv_expand aws.cloudtrail.resources.arn | where aws.cloudtrail.resources.arn != "a" '
        "| stats n = count(*) by aws.cloudtrail.resources.arn"
    )
    assert answers(text, calls) == [{"n": 1, "aws.cloudtrail.resources.arn": "b"}]


def test_conditions_after_stats_drop_groups(answers):
    text = f"{FROM} | stats n = count(*) by cloud.region | eval twice = n * 2 | where twice >= 4 | sort n | limit 1"
    assert answers(text, sweep(["a", "b", "a"])) == [{"n": 2, "cloud.region": "a", "twice": 4}]


def test_dissect_cuts_the_text_form_of_the_request(answers):
    call = record(requestParameters={"quotaCode": "L-1216C47A", "serviceCode": "ec2"})
    text = f"""{FROM} | dissect aws.cloudtrail.request_parameters "{{%{{?k}}=%{{Esql.a}}, %{{?l}}=%{{Esql.b}}}}"
        | keep Esql.a, Esql.b"""
    (result,) = answers(text, [call])
    assert sorted(result.values()) == ["L-1216C47A", "ec2"]


def test_grok_finds_a_part_of_the_text(answers):
    call = record(requestParameters={"instancesSet": {"items": [{"instanceId": "i-0abc"}]}})
    text = f'''{FROM} | grok aws.cloudtrail.request_parameters """instanceId=(?<Esql.instance_id>[^,}}\\]]+)"""
        | keep Esql.instance_id'''
    assert answers(text, [call, record()]) == [
        {"Esql.instance_id": "i-0abc"},
        {"Esql.instance_id": None},
    ]


def test_what_dissect_defines_replaces_a_column_of_that_name(answers):
    text = f'{FROM} | dissect event.action "X%{{cloud.region}}" | keep cloud.region'
    assert answers(text, [record()]) == [{"cloud.region": None}]


def test_now_is_the_time_that_is_given():
    found = query("| where @timestamp > now() - 1 hour | keep event.id")
    assert found.rows(record(), START, now=START + 3599)
    assert not found.rows(record(), START, now=START + 3600)


@pytest.mark.parametrize(
    "text, window, column",
    [
        ("| stats n = count(*) by w = date_trunc(30 seconds, @timestamp), user.name", 30, "w"),
        (
            "| eval w = date_trunc(1 hour, @timestamp) | keep w, user.name | stats n = count(*) by w, user.name",
            3600,
            "w",
        ),
        (
            "| eval v = bucket(@timestamp, 5 minutes) | rename v as w | stats n = count(*) by user.name, w",
            300,
            "w",
        ),
        ("| stats n = count(*) by w = tbucket(1 day), user.name", 86400, "w"),
    ],
)
def test_the_window_is_found_wherever_it_is_defined(text, window, column):
    found = query(text)
    assert (found.shape, found.window, found.window_column) == ("window", window, column)
    assert found.key_names == ("user.name",)


@pytest.mark.parametrize(
    "by",
    [
        "user.name",
        "user.name, date_trunc(1 month, @timestamp)",
        "user.name, date_trunc(1 week, @timestamp)",
    ],
)
def test_without_a_span_of_fixed_length_there_is_no_window(by):
    assert query(f"| stats n = count(*) by {by}").shape == "lookback"


EC2, DI, RI = "ec2.amazonaws.com", "DescribeInstances", "RunInstances"


@pytest.mark.parametrize(
    "condition, dispatch",
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
def test_dispatch_is_what_the_filter_requires(condition, dispatch):
    assert query(f"| where {condition} | keep event.id").required_pairs == dispatch
    assert query(f"| where {condition} | stats n = count(*)").required_pairs == dispatch


def test_dispatch_follows_the_column_not_its_name():
    renamed = query(f'| rename event.action as what | where what == "{DI}" | keep what')
    assert renamed.required_pairs == {(None, DI)}
    replaced = query(
        f'| eval event.action = user.name | where event.action == "{DI}" | keep event.action'
    )
    assert replaced.required_pairs == {(None, None)}


@pytest.mark.parametrize(
    "having, minimum",
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
def test_the_fewest_hits_that_can_fire(having, minimum):
    text = (
        "| stats n = count(*), d = count_distinct(cloud.region), v = values(event.id), "
        f"m = count_distinct(aws.cloudtrail.resources.arn) | where {having}"
    )
    assert query(text).min_hits == minimum


@pytest.mark.parametrize(
    "text, says",
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
def test_what_cannot_be_run_is_refused_by_name(text, says):
    with pytest.raises(EsqlError) as caught:
        plan(text, field_table())
    assert says in caught.value.message
    assert "\n" not in caught.value.message


def test_the_place_of_a_mistake_is_its_line_and_column():
    with pytest.raises(EsqlError) as caught:
        plan(
            f'{FROM}\n// a comment\n| where event.action == "x"\n  and evnt.id == "y"',
            field_table(),
        )
    assert (caught.value.line, caught.value.column) == (4, 7)


def test_the_canonical_form_is_blind_to_spelling():
    one = query('| WHERE event.action=="x" // why\n|stats count(*)')
    other = query('| where   `event.action` == """x"""\n| STATS count(*)')
    assert one.canonical == other.canonical
    assert one.canonical != query('| where event.action == "y" | stats count(*)').canonical


@pytest.mark.parametrize(
    "having, words",
    [
        ("n >= 10 and d > 5", ("at least 10 events", "more than 5 distinct cloud.region")),
        ("d == 3", ("exactly 3 distinct cloud.region",)),
        ("10 <= n", ("at least 10 events",)),
        ("v is not null", ("v is known",)),
        ("n > d", ("events > distinct cloud.region",)),
    ],
)
def test_thresholds_in_words(having, words):
    text = f"| stats n = count(*), d = count_distinct(cloud.region), v = values(event.id) | where {having}"
    assert query(text).thresholds == words
