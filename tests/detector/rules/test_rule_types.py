"""Tests of rule types: look-back, threshold, new terms, KQL, and alert suppression."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from detector.rules.ruleset import load
from detector.text.time import format_time
from tests.detector.esql.conftest import CALL, START
from tests.detector.rules.rule_scan import DAY, HOUR, RuleScan, raw_record, write_rule

THREE_IN_A_MINUTE = """from logs-aws.cloudtrail-* | where event.action == "DescribeInstances"
| stats n = count(*), regions = count_distinct(cloud.region)
    by aws.cloudtrail.user_identity.arn
| where n >= 3"""


@pytest.mark.parametrize(
    "times, expected",
    [
        ([0, 30, 59], [(0, 59)]),
        ([0, 30, 60], []),  # the first is just out of sight when the third comes
        ([0, 30, 59, 118], [(0, 59)]),
        ([0, 30, 59, 88, 100], [(0, 100)]),  # spans that overlap are one alert
        ([0, 1, 2, 200, 201, 202], [(0, 2), (200, 202)]),
    ],
)
def test_lookback_covers_time_before_each_hit(tmp_path, times, expected):
    path = write_rule(tmp_path / "rules", THREE_IN_A_MINUTE, lookback="now-60s")
    assert RuleScan(tmp_path, path).add_file(*map(raw_record, times)).alert_spans() == expected


@pytest.mark.parametrize("seed", range(8))
def test_lookback_is_independent_of_arrival_order(tmp_path, seed):
    path = write_rule(tmp_path / "rules", THREE_IN_A_MINUTE, lookback="now-60s")
    rng = random.Random(seed)
    records = [raw_record(second) for second in sorted(rng.sample(range(600), 30))]
    once = RuleScan(tmp_path, path).add_file(*records)
    rng.shuffle(records)
    in_parts = RuleScan(tmp_path, path)
    for index in range(0, len(records), 4):
        in_parts.add_file(*records[index : index + 4], records[0])
    assert [(a.alert_id, a.event_ids, a.columns) for a in in_parts.alerts()] == [
        (a.alert_id, a.event_ids, a.columns) for a in once.alerts()
    ]
    assert len(once.alerts()) > 0


def test_lookback_alert_has_columns_and_key(tmp_path):
    path = write_rule(tmp_path / "rules", THREE_IN_A_MINUTE, lookback="now-60s")
    (alert,) = RuleScan(tmp_path, path).add_file(*map(raw_record, (0, 30, 59))).alerts()
    assert alert.columns == {
        "n": 3,
        "regions": 1,
        "aws.cloudtrail.user_identity.arn": CALL["userIdentity"]["arn"],
    }
    assert alert.key == {"aws.cloudtrail.user_identity.arn": CALL["userIdentity"]["arn"]}
    assert alert.window.end - alert.window.start == 60


def test_lookback_alert_of_partial_span_has_columns_of_whole_span(tmp_path):
    path = write_rule(
        tmp_path / "rules", THREE_IN_A_MINUTE.replace("n >= 3", "n == 2"), lookback="now-60s"
    )
    (alert,) = RuleScan(tmp_path, path).add_file(*map(raw_record, (0, 30, 59))).alerts()
    assert alert.columns["n"] == 2 and len(alert.event_ids) == 2


def test_now_is_after_event_or_as_given(tmp_path):
    query = """from logs-aws.cloudtrail-* | where @timestamp > now() - 1 hour
    | stats last = max(@timestamp) by user.name | where last >= now() - 10 seconds"""
    path = write_rule(tmp_path / "rules", query)
    assert RuleScan(tmp_path, path).add_file(raw_record(0), raw_record(50)).alert_spans() == [
        (0, 50)
    ]
    assert RuleScan(tmp_path, path, now=START + 55).add_file(
        raw_record(0), raw_record(50)
    ).alert_spans() == [(0, 50)]
    assert (
        RuleScan(tmp_path, path, now=START + 70)
        .add_file(raw_record(0), raw_record(50))
        .alert_spans()
        == []
    )
    assert (
        RuleScan(tmp_path, path, now=START + 2 * HOUR)
        .add_file(raw_record(0), raw_record(50))
        .alert_spans()
        == []
    )


def test_fingerprint_depends_on_now_only_if_query_asks(tmp_path):
    asking = write_rule(
        tmp_path / "a", "from logs-* | where @timestamp > now() - 1 day | keep event.id"
    )
    other = write_rule(tmp_path / "b", "from logs-* | keep event.id")

    def fingerprint(path, now):
        return load([path], builtin=False, now=now).get("r-1").fingerprint

    assert fingerprint(asking, 1) != fingerprint(asking, 2)
    assert fingerprint(other, 1) == fingerprint(other, 2)


THRESHOLD = """
[rule.threshold]
field = ["user.id"]
value = 3
[[rule.threshold.cardinality]]
field = "aws.cloudtrail.request_parameters"
value = 2
"""


def secret(second, name, **changed):
    return raw_record(
        second, eventName="GetSecretValue", requestParameters={"secretId": name}, **changed
    )


@pytest.mark.parametrize(
    "calls, count",
    [
        ([(0, "a"), (1, "b"), (2, "b")], 1),
        ([(0, "a"), (1, "b")], 0),
        ([(0, "a"), (1, "a"), (2, "a")], 0),
        ([(0, "a"), (1, "b"), (60, "b")], 0),
    ],
)
def test_threshold_counts_events_and_distinct_values(tmp_path, calls, count):
    path = write_rule(
        tmp_path / "rules", 'event.action: "GetSecretValue"', "threshold", "now-1m", THRESHOLD
    )
    assert (
        len(RuleScan(tmp_path, path).add_file(*(secret(*each) for each in calls)).alerts()) == count
    )


def test_threshold_alert_has_counts_and_ignores_missing_field(tmp_path):
    path = write_rule(
        tmp_path / "rules", 'event.action: "GetSecretValue"', "threshold", "now-1m", THRESHOLD
    )
    without_user = [
        secret(10 + second, f"s{second}", userIdentity={"type": "AWSService"})
        for second in range(5)
    ]
    (alert,) = (
        RuleScan(tmp_path, path)
        .add_file(*(secret(second, f"s{second}") for second in range(4)), *without_user)
        .alerts()
    )
    assert alert.columns == {
        "threshold_result.count": 4,
        "user.id": "AIDA1",
        "threshold_result.cardinality.aws.cloudtrail.request_parameters": 4,
    }


def test_threshold_of_ones_loads_and_fires(tmp_path):
    ones = THRESHOLD.replace("value = 3", "value = 1").replace("value = 2", "value = 1")
    path = write_rule(
        tmp_path / "rules", 'event.action: "GetSecretValue"', "threshold", "now-1m", ones
    )
    (alert,) = RuleScan(tmp_path, path).add_file(secret(0, "a")).alerts()
    assert alert.columns["threshold_result.count"] == 1


TERMS = """
[rule.new_terms]
field = "new_terms_fields"
value = ["aws.cloudtrail.user_identity.arn", "source.ip"]
[[rule.new_terms.history_window_start]]
field = "history_window_start"
value = "now-1d"
"""


@pytest.mark.parametrize(
    "times, expected",
    [
        ([0], [(0, 0)]),
        ([0, 10, 5000], [(0, 0)]),
        ([0, DAY - 1], [(0, 0)]),
        ([0, DAY], [(0, 0), (DAY, DAY)]),
        ([0, DAY - 1, 2 * DAY - 2], [(0, 0)]),
    ],
)
def test_term_is_new_after_history_window(tmp_path, times, expected):
    path = write_rule(
        tmp_path / "rules", "event.provider: ec2.amazonaws.com", "new_terms", more=TERMS
    )
    assert RuleScan(tmp_path, path).add_file(*map(raw_record, times)).alert_spans() == expected


def test_earlier_occurrence_supersedes_later_alert(tmp_path):
    path = write_rule(
        tmp_path / "rules", "event.provider: ec2.amazonaws.com", "new_terms", more=TERMS
    )
    scan = RuleScan(tmp_path, path).add_file(raw_record(5000))
    (old,) = scan.alerts()
    scan.store.triage.set_status([old.alert_id], "acknowledged")
    scan.add_file(raw_record(100))
    (new,) = scan.alerts()
    assert new.first_event - START == 100
    assert (new.supersedes, new.status, new.revision) == ([old.alert_id], "acknowledged", 2)
    assert new.key == {
        "aws.cloudtrail.user_identity.arn": CALL["userIdentity"]["arn"],
        "source.ip": "203.0.113.7",
    }


def test_new_terms_ignores_missing_field(tmp_path):
    path = write_rule(
        tmp_path / "rules", "event.provider: ec2.amazonaws.com", "new_terms", more=TERMS
    )
    assert (
        RuleScan(tmp_path, path)
        .add_file(raw_record(0, sourceIPAddress="ec2.amazonaws.com"))
        .alerts()
        == []
    )


def test_warm_up_describes_short_history(tmp_path):
    more = TERMS.replace("now-1d", "now-10d")
    (rule,) = load(
        [write_rule(tmp_path / "rules", "event.provider: *", "new_terms", more=more)], builtin=False
    )
    assert rule.warm_up(3 * DAY + 5) == "baseline 3 of 10 days"
    assert rule.warm_up(10 * DAY) is None


def test_query_rule_alerts_on_each_event(tmp_path):
    path = write_rule(
        tmp_path / "rules", "event.action: Describe* and not aws.cloudtrail.error_code: *", "query"
    )
    scan = RuleScan(tmp_path, path).add_file(
        raw_record(0),
        raw_record(1),
        raw_record(2, errorCode="AccessDenied"),
        raw_record(3, eventName="Get"),
    )
    assert scan.alert_spans() == [(0, 0), (1, 1)]
    assert all(alert.window is None and alert.key == {} for alert in scan.alerts())


SUPPRESSION = """
[rule.alert_suppression]
group_by = ["aws.cloudtrail.error_code"]
duration = {{value = 5, unit = "m"}}
missing_fields_strategy = "{strategy}"
"""


@pytest.mark.parametrize(
    "strategy, expected",
    [
        ("suppress", [(0, 299), (10, 20), (301, 301), (900, 900)]),
        ("doNotSuppress", [(0, 299), (10, 10), (20, 20), (301, 301), (900, 900)]),
    ],
)
def test_suppression_merges_close_alerts_of_one_key(tmp_path, strategy, expected):
    path = write_rule(
        tmp_path / "rules",
        "event.action: Describe*",
        "query",
        more=SUPPRESSION.format(strategy=strategy),
    )
    records = [
        raw_record(0, errorCode="A"),
        raw_record(299, errorCode="A"),
        raw_record(301, errorCode="A"),
        raw_record(900, errorCode="A"),
        raw_record(10),
        raw_record(20),
    ]
    scan = RuleScan(tmp_path, path)
    for each in records:
        scan.add_file(each)
    assert scan.alert_spans() == expected
    assert RuleScan(tmp_path, path).add_file(*records[::-1]).alert_spans() == expected
    assert sum(len(alert.event_ids) for alert in scan.alerts()) == len(records)


EVERY_EVENT_BY_USER = """
[rule.alert_suppression]
group_by = ["user.name"]
duration = {value = 5, unit = "m"}
"""


def chained(times, duration=300):
    """Group times as Elastic does: each group lasts from its first, then a new one opens."""
    groups = []
    for time in sorted(set(times)):
        if not groups or time >= groups[-1][0] + duration:
            groups.append([])
        groups[-1].append(time)
    return [(group[0], group[-1]) for group in groups]


@pytest.mark.parametrize(
    "times",
    [
        [240 * n for n in range(30)],
        [299 * n for n in range(12)],
        [300 * n for n in range(5)],
        [301 * n for n in range(5)],
        [0, 299, 300, 599, 600],
        [0, 0, 1, 1],
        [0],
        [0, 10_000],
        list(range(0, 900, 7)),
        [5, 299, 304, 305, 306, 604, 605],
        [60 * n for n in range(200)],
    ],
)
def test_suppression_runs_from_the_first_alert(tmp_path, times):
    path = write_rule(tmp_path / "rules", "event.action: *", "query", more=EVERY_EVENT_BY_USER)
    scan = RuleScan(tmp_path, path).add_file(*map(raw_record, times))
    assert scan.alert_spans() == chained(times)


@pytest.mark.parametrize("seed", range(12))
def test_suppression_is_independent_of_arrival_order(tmp_path, seed):
    path = write_rule(tmp_path / "rules", "event.action: *", "query", more=EVERY_EVENT_BY_USER)
    rng = random.Random(seed)
    times = rng.sample(range(rng.choice([1500, 6000, 20_000])), 40)
    in_parts = RuleScan(tmp_path, path)
    for index in range(0, len(times), rng.choice([1, 3, 7])):
        in_parts.add_file(*map(raw_record, times[index : index + 7]))
    once = RuleScan(tmp_path, path).add_file(*map(raw_record, times))
    assert in_parts.alert_spans() == chained(times)
    assert [(a.alert_id, a.event_ids) for a in in_parts.alerts()] == [
        (a.alert_id, a.event_ids) for a in once.alerts()
    ]


@pytest.mark.parametrize("mode", ["tumbling", "sliding"])
@pytest.mark.parametrize("seed", range(4))
def test_suppression_of_windows_is_independent_of_arrival_order(tmp_path, mode, seed):
    query = """from logs-aws.cloudtrail-*
    | stats n = count(*) by w = date_trunc(10 seconds, @timestamp), user.name
    | where n >= 2"""
    more = EVERY_EVENT_BY_USER.replace("value = 5", "value = 1")
    path = write_rule(tmp_path / "rules", query, more=more)
    rng = random.Random(seed)
    times = rng.sample(range(600), 80)
    once = RuleScan(tmp_path, path, mode).add_file(*map(raw_record, times))
    in_parts = RuleScan(tmp_path, path, mode)
    for index in range(0, len(times), 5):
        in_parts.add_file(*map(raw_record, times[index : index + 5]))
    assert in_parts.alert_spans() == once.alert_spans()
    assert len(once.alerts()) > 3


def _months(count):
    return lambda date: ((date.year - 1) * 12 + date.month - 1) // count


PERIODS = {
    "1 week": lambda date: date.isocalendar()[:2],
    "7 days": lambda date: date.isocalendar()[:2],
    "1 month": _months(1),
    "3 months": _months(3),
    "1 quarter": _months(3),
    "6 months": _months(6),
    "1 year": _months(12),
    "2 weeks": lambda date: (date.toordinal() - datetime(1970, 1, 1).toordinal()) // 14,
    "10 days": lambda date: (date.toordinal() - datetime(1970, 1, 1).toordinal()) // 10,
    "1 day": lambda date: date.toordinal(),
}


@pytest.mark.parametrize("period", PERIODS)
@pytest.mark.parametrize("call", ["date_trunc({}, @timestamp)", "bucket(@timestamp, {})"])
def test_window_of_the_calendar_is_not_cut_by_from(tmp_path, period, call):
    """What is far more than six minutes apart is in one window."""
    query = f"""from logs-aws.cloudtrail-* | eval w = {call.format(period)}
    | stats n = count(*) by w, user.name | where n >= 2"""
    path = write_rule(tmp_path / "rules", query, lookback="now-6m")
    times = [0, 7 * HOUR, 3 * DAY, 5 * DAY, 13 * DAY, 25 * DAY, 40 * DAY, 100 * DAY, 101 * DAY]
    scan = RuleScan(tmp_path, path)
    for time in random.Random(period).sample(times, len(times)):
        scan.add_file(raw_record(time, eventTime=format_time(START + time)))
    groups = {}
    for time in times:
        date = datetime.fromtimestamp(START + time, UTC)
        groups.setdefault(PERIODS[period](date), []).append(time)
    assert scan.alert_spans() == [
        (group[0], group[-1]) for group in groups.values() if len(group) >= 2
    ]


@pytest.mark.parametrize("period", ["2 years", "13 months", "5 quarters", "400 days"])
def test_window_of_over_a_year_is_refused(tmp_path, period):
    query = f"""from logs-* | stats n = count(*) by w = date_trunc({period}, @timestamp)"""
    rules = load([write_rule(tmp_path / "rules", query)], builtin=False)
    (problem,) = rules.problems
    assert "a window of over" in problem.message


@pytest.mark.parametrize("mode", ["tumbling", "sliding"])
def test_suppression_merges_windows_of_one_key(tmp_path, mode):
    query = """from logs-aws.cloudtrail-*
    | stats n = count(*) by w = date_trunc(10 seconds, @timestamp), user.name
    | where n >= 2"""
    more = '[rule.alert_suppression]\ngroup_by = ["user.name"]\nduration = {value = 1, unit = "m"}'
    records = list(map(raw_record, (0, 1, 40, 41, 200, 201)))
    apart = RuleScan(tmp_path, write_rule(tmp_path / "a", query), mode).add_file(*records)
    assert apart.alert_spans() == [(0, 1), (40, 41), (200, 201)]
    scan = RuleScan(tmp_path, write_rule(tmp_path / "b", query, more=more), mode)
    for each in reversed(records):
        scan.add_file(each)
    assert scan.alert_spans() == [(0, 41), (200, 201)]


@pytest.mark.parametrize(
    "type, query, more, reason",
    [
        ("machine_learning", "", "", "machine learning"),
        ("threat_match", "a: b", "", "indicator"),
        ("threshold", "event.action: X", "", "the threshold is missing"),
        (
            "threshold",
            "event.action: X",
            "[rule.threshold]\nfield = ['user.nam']\nvalue = 2",
            "did you mean user.name?",
        ),
        ("new_terms", "event.action: X", "", "history_window_start are missing"),
        ("query", "hello", "", "free text is not supported"),
        ("query", "event.acton: X", "", "did you mean event.action?"),
        ("query", "event.action: X", "index = ['logs-okta*']", "CloudTrail only"),
        ("query", "event.action: X", "[[rule.filters]]\nmeta = 1", "filters: the meta"),
        ("query", "event.action: X", "[rule.alert_suppression]", "group_by is missing"),
        (
            "query",
            "event.action: X",
            "[rule.alert_suppression]\ngroup_by = ['user.name']\nfor = 5",
            "unknown field `for`",
        ),
    ],
)
def test_unsupported_rule_is_refused_with_reason(tmp_path, type, query, more, reason):
    rules = load([write_rule(tmp_path / "rules", query, type, more=more)], builtin=False)
    assert list(rules) == []
    (problem,) = rules.problems
    assert reason in problem.message and "\n" not in str(problem)


def test_from_is_checked_only_for_lookback(tmp_path):
    rounded = {"lookback": "now-7d/d"}
    grouped = write_rule(tmp_path / "a", "from logs-* | stats n = count(*) by user.name", **rounded)
    assert "from: now-7d/d is not supported" in load([grouped], builtin=False).problems[0].message
    filtered = write_rule(tmp_path / "b", "from logs-* | keep event.id", **rounded)
    assert load([filtered], builtin=False).problems == []


def test_flag_rule_alerts_only_if_asked(tmp_path):
    silent = write_rule(
        tmp_path / "rules", "event.action: Describe*", "query", more='[trailhound]\nflag = "looked"'
    )
    assert RuleScan(tmp_path, silent).add_file(raw_record(0)).alerts() == []
    (rule,) = load([silent], builtin=False)
    assert (rule.flag, rule.alerts) == ("looked", False)
    loud = write_rule(
        tmp_path / "loud",
        "event.action: Describe*",
        "query",
        more='[trailhound]\nflag = "looked"\nalerts = true',
    )
    assert len(RuleScan(tmp_path, loud).add_file(raw_record(0)).alerts()) == 1


def test_intended_nulls_make_negation_true(tmp_path):
    field = "aws.cloudtrail.session_credential_from_console"
    query = f'from logs-aws.cloudtrail-* | where not {field} == "true"'
    assert (
        RuleScan(tmp_path, write_rule(tmp_path / "a", query)).add_file(raw_record(0)).alerts() == []
    )
    intended = write_rule(tmp_path / "b", query, more='[trailhound]\nnulls = "intended"')
    assert RuleScan(tmp_path, intended).add_file(
        raw_record(0), raw_record(1, sessionCredentialFromConsole="true")
    ).alert_spans() == [(0, 0)]


@pytest.mark.parametrize("line", ["{} = 1", "  {} = 1", "[{}]", "[[{}]]", "x = 1\n{} = 1"])
def test_key_of_thousands_of_parts_is_refused_at_once(tmp_path, line):
    path = tmp_path / "r.toml"
    path.write_text(line.format(".".join("a" * 20_000)) + "\n")
    (problem,) = load([path], builtin=False).problems
    assert "a key of over 200 parts" in problem.message
