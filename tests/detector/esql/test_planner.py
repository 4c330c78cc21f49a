"""Tests of what planning concludes from a query, and of what it refuses."""

from __future__ import annotations

import pytest

from detector.ecs.fields import field_table
from detector.esql.errors import EsqlError
from detector.esql.plan.planner import plan

FROM = "from logs-aws.cloudtrail-*"


def plan_after_from(text):
    return plan(f"{FROM} {text}", field_table())


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
        (
            '| stats n = count(*) by w = bucket(@timestamp, 24, "2026-01-01", "2026-01-02"), '
            "user.name",
            3600,
            "w",
        ),
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
    "having, shortest",
    [
        ("s > 30", 31),
        ("s >= 30 and n >= 3", 30),
        ("30 <= s", 30),
        ("30 < s", 31),
        ("s == 30", 30),
        ("m >= 1", 60),
        ("s > 30 and m >= 2", 120),
        ("s < 30", 0),
        ("s > 30 or n > 3", 0),
        ("not s <= 30", 0),
        ("s > 30.5", 0),
        ("d > 30", 0),
        ("e > 30", 0),
    ],
)
def test_shortest_span_of_condition(having, shortest):
    """Between the first and the last event of a group; not between others that it might count."""
    text = (
        "| stats n = count(*), a = min(@timestamp), b = max(@timestamp), v = values(@timestamp), "
        'm = date_diff("minutes", min(@timestamp), max(@timestamp)) by user.name '
        '| eval s = date_diff("seconds", a, b), d = date_diff("seconds", mv_min(v), b), '
        f'e = date_diff("seconds", a, now()) | where {having}'
    )
    spans = plan_after_from(text).min_spans
    for length in range(130):
        assert all(each.has(7, 7 + length) for each in spans) is (length >= shortest)


@pytest.mark.parametrize(
    "text, reason",
    [
        ("from logs-okta.system-*", "CloudTrail only"),
        ("row a = 1", "must begin with from"),
        (f"{FROM} | limit 10 | stats count(*)", "limit before stats"),
        (f"{FROM} | sort event.id | LIMIT 2 by user.name", "limit for each group is not supported"),
        (f"{FROM} | limit 2 user.name", "unexpected user.name"),
        (f"{FROM} | fork (where true)", "the command FORK is not supported: write a query for"),
        (f"{FROM} | keep event.id | dedup", "DEDUP is not supported: use stats by the columns"),
        (f"{FROM} | ip_location g = source.ip", "IP_LOCATION is not supported: it reads databases"),
        (f"{FROM} | enrich policy", "no lookup policy"),
        (f"{FROM} | lookup join x on y", "no lookup x"),
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
        (f"{FROM} | stats n = percentile(1, 101)", "a percentile is a number from 0 to 100"),
        (f"{FROM} | stats n = top(event.id, 0)", "at least 1"),
        (f'{FROM} | stats n = top(event.id, 1, "up")', "the order of top is asc or desc"),
        (f"{FROM} | stats n = top(event.id, [1, 2])", "one value must stand here"),
        (f"{FROM} | eval d = 1 day", "a timespan is no value of a column"),
        (f"{FROM} | stats n = count(*) by 1 day", "a timespan is no value of a column"),
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
        ("n >= 10 and d > 5", ("≥10 events", ">5 regions")),
        ("d == 3", ("exactly 3 regions",)),
        ("10 <= n", ("≥10 events",)),
        ("v is not null", ("v is known",)),
        ("n > d", ("events > regions",)),
    ],
)
def test_thresholds_are_described(having, thresholds):
    text = (
        "| stats n = count(*), d = count_distinct(cloud.region), v = values(event.id) "
        f"| where {having}"
    )
    assert plan_after_from(text).thresholds == thresholds
