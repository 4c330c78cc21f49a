"""Rules that are no plain window: look-backs, thresholds, new terms, queries in KQL, and what puts alerts together."""

from __future__ import annotations

import itertools
import random

import orjson
import pytest

from detector.ingest.pipeline import Pipeline
from detector.rules.ruleset import load
from detector.sources.directory import Directory
from detector.store import Store
from tests.detector.esql.conftest import CALL

RULE = """[rule]
rule_id = "r-1"
name = "A rule"
type = "{type}"
language = "{language}"
from = "{lookback}"
query = '''
{query}
'''
{more}
"""
HOUR = 3600


def written(folder, query, type="esql", lookback="now-60m", more="", name="r.toml"):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(
        RULE.format(
            type=type,
            language="esql" if type == "esql" else "kuery",
            lookback=lookback,
            query=query,
            more=more,
        )
    )
    return folder / name


def call(second, **changed):
    day, rest = divmod(second, 86_400)
    time = f"2026-01-{1 + day:02d}T{rest // HOUR:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}Z"
    found = {**CALL, "eventTime": time, "eventID": f"e-{second}", **changed}
    return {name: value for name, value in found.items() if value is not None}


class Scan:
    """Rules over records that come in one file after the other, each found by a sweep of its
    own."""

    def __init__(self, tmp_path, path, mode="tumbling", now=None):
        self.folder = tmp_path / f"logs-{mode}-{next(_number)}"
        self.folder.mkdir()
        self.store = Store.open(None)
        self.rules = load([path], builtin=False, mode=mode, now=now)
        assert not self.rules.problems, self.rules.problems
        self.pipeline = Pipeline(self.store, self.rules, Directory([self.folder]), jobs=1)

    def lands(self, *records):
        file = self.folder / f"{next(_number)}.json"
        file.write_bytes(orjson.dumps({"Records": list(records)}))
        self.pipeline.scan(lambda _: None)
        return self

    def alerts(self):
        return sorted(
            self.store.alerts.all(), key=lambda alert: (alert.first_event, alert.alert_id)
        )

    def seconds(self):
        """First and last event of each alert, since the start of 2026."""
        return [
            (alert.first_event - 1_767_225_600, alert.last_event - 1_767_225_600)
            for alert in self.alerts()
        ]


_number = itertools.count()

THREE_IN_A_MINUTE = """from logs-aws.cloudtrail-* | where event.action == "DescribeInstances"
| stats n = count(*), regions = count_distinct(cloud.region) by aws.cloudtrail.user_identity.arn | where n >= 3"""


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
def test_a_look_back_sees_the_time_before_each_hit(tmp_path, times, expected):
    path = written(tmp_path / "rules", THREE_IN_A_MINUTE, lookback="now-60s")
    assert Scan(tmp_path, path).lands(*map(call, times)).seconds() == expected


@pytest.mark.parametrize("seed", range(8))
def test_a_look_back_does_not_depend_on_how_records_come(tmp_path, seed):
    path = written(tmp_path / "rules", THREE_IN_A_MINUTE, lookback="now-60s")
    chance = random.Random(seed)
    records = [call(second) for second in sorted(chance.sample(range(600), 30))]
    once = Scan(tmp_path, path).lands(*records)
    chance.shuffle(records)
    bit_by_bit = Scan(tmp_path, path)
    for at in range(0, len(records), 4):
        bit_by_bit.lands(*records[at : at + 4], records[0])
    assert [(a.alert_id, a.event_ids, a.columns) for a in bit_by_bit.alerts()] == [
        (a.alert_id, a.event_ids, a.columns) for a in once.alerts()
    ]
    assert len(once.alerts()) > 0


def test_a_look_back_alert_has_the_columns_and_the_key(tmp_path):
    path = written(tmp_path / "rules", THREE_IN_A_MINUTE, lookback="now-60s")
    (alert,) = Scan(tmp_path, path).lands(*map(call, (0, 30, 59))).alerts()
    assert alert.columns == {
        "n": 3,
        "regions": 1,
        "aws.cloudtrail.user_identity.arn": CALL["userIdentity"]["arn"],
    }
    assert alert.key == {"aws.cloudtrail.user_identity.arn": CALL["userIdentity"]["arn"]}
    assert alert.window.end - alert.window.start == 60


def test_what_holds_of_parts_of_a_span_only_is_an_alert_with_the_whole_spans_columns(tmp_path):
    path = written(
        tmp_path / "rules", THREE_IN_A_MINUTE.replace("n >= 3", "n == 2"), lookback="now-60s"
    )
    (alert,) = Scan(tmp_path, path).lands(*map(call, (0, 30, 59))).alerts()
    assert alert.columns["n"] == 2 and len(alert.event_ids) == 2


def test_now_is_just_after_the_event_or_what_the_scan_is_told(tmp_path):
    query = """from logs-aws.cloudtrail-* | where @timestamp > now() - 1 hour
    | stats last = max(@timestamp) by user.name | where last >= now() - 10 seconds"""
    path = written(tmp_path / "rules", query)
    assert Scan(tmp_path, path).lands(call(0), call(50)).seconds() == [(0, 50)]
    start = 1_767_225_600
    assert Scan(tmp_path, path, now=start + 55).lands(call(0), call(50)).seconds() == [(0, 50)]
    assert Scan(tmp_path, path, now=start + 70).lands(call(0), call(50)).seconds() == []
    assert Scan(tmp_path, path, now=start + 2 * HOUR).lands(call(0), call(50)).seconds() == []


def test_the_clock_changes_what_a_rule_finds_only_if_it_asks(tmp_path):
    asking = written(
        tmp_path / "a", "from logs-* | where @timestamp > now() - 1 day | keep event.id"
    )
    other = written(tmp_path / "b", "from logs-* | keep event.id")

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
    return call(second, eventName="GetSecretValue", requestParameters={"secretId": name}, **changed)


@pytest.mark.parametrize(
    "calls, count",
    [
        ([(0, "a"), (1, "b"), (2, "b")], 1),
        ([(0, "a"), (1, "b")], 0),
        ([(0, "a"), (1, "a"), (2, "a")], 0),
        ([(0, "a"), (1, "b"), (60, "b")], 0),
    ],
)
def test_a_threshold_rule_counts_events_and_distinct_values(tmp_path, calls, count):
    path = written(
        tmp_path / "rules", 'event.action: "GetSecretValue"', "threshold", "now-1m", THRESHOLD
    )
    assert len(Scan(tmp_path, path).lands(*(secret(*each) for each in calls)).alerts()) == count


def test_a_threshold_rule_says_what_it_counted_and_passes_over_events_without_the_field(tmp_path):
    path = written(
        tmp_path / "rules", 'event.action: "GetSecretValue"', "threshold", "now-1m", THRESHOLD
    )
    nobody = [
        secret(10 + second, f"s{second}", userIdentity={"type": "AWSService"})
        for second in range(5)
    ]
    (alert,) = (
        Scan(tmp_path, path)
        .lands(*(secret(second, f"s{second}") for second in range(4)), *nobody)
        .alerts()
    )
    assert alert.columns == {
        "threshold_result.count": 4,
        "user.id": "AIDA1",
        "threshold_result.cardinality.aws.cloudtrail.request_parameters": 4,
    }


TERMS = """
[rule.new_terms]
field = "new_terms_fields"
value = ["aws.cloudtrail.user_identity.arn", "source.ip"]
[[rule.new_terms.history_window_start]]
field = "history_window_start"
value = "now-1d"
"""
DAY = 86_400


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
def test_a_term_is_new_that_was_not_seen_for_so_long(tmp_path, times, expected):
    path = written(tmp_path / "rules", "event.provider: ec2.amazonaws.com", "new_terms", more=TERMS)
    assert Scan(tmp_path, path).lands(*map(call, times)).seconds() == expected


def test_an_earlier_sight_takes_the_place_of_a_later_one(tmp_path):
    path = written(tmp_path / "rules", "event.provider: ec2.amazonaws.com", "new_terms", more=TERMS)
    scan = Scan(tmp_path, path).lands(call(5000))
    (old,) = scan.alerts()
    scan.store.triage.set_status([old.alert_id], "acknowledged")
    scan.lands(call(100))
    (new,) = scan.alerts()
    assert new.first_event - 1_767_225_600 == 100
    assert (new.supersedes, new.status, new.revision) == ([old.alert_id], "acknowledged", 2)
    assert new.key == {
        "aws.cloudtrail.user_identity.arn": CALL["userIdentity"]["arn"],
        "source.ip": "203.0.113.7",
    }


def test_events_without_a_term_are_passed_over(tmp_path):
    path = written(tmp_path / "rules", "event.provider: ec2.amazonaws.com", "new_terms", more=TERMS)
    assert Scan(tmp_path, path).lands(call(0, sourceIPAddress="ec2.amazonaws.com")).alerts() == []


def test_how_far_back_new_rests_is_said(tmp_path):
    more = TERMS.replace("now-1d", "now-10d")
    (rule,) = load(
        [written(tmp_path / "rules", "event.provider: *", "new_terms", more=more)], builtin=False
    )
    assert rule.warm_up(3 * DAY + 5) == "baseline 3 of 10 days"
    assert rule.warm_up(10 * DAY) is None


def test_a_query_rule_is_an_alert_for_each_event(tmp_path):
    path = written(
        tmp_path / "rules", "event.action: Describe* and not aws.cloudtrail.error_code: *", "query"
    )
    scan = Scan(tmp_path, path).lands(
        call(0), call(1), call(2, errorCode="AccessDenied"), call(3, eventName="Get")
    )
    assert scan.seconds() == [(0, 0), (1, 1)]
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
        ("suppress", [(0, 301), (10, 20), (900, 900)]),
        ("doNotSuppress", [(0, 301), (10, 10), (20, 20), (900, 900)]),
    ],
)
def test_alerts_that_agree_and_lie_close_are_one(tmp_path, strategy, expected):
    path = written(
        tmp_path / "rules",
        "event.action: Describe*",
        "query",
        more=SUPPRESSION.format(strategy=strategy),
    )
    records = [
        call(0, errorCode="A"),
        call(299, errorCode="A"),
        call(301, errorCode="A"),
        call(900, errorCode="A"),
        call(10),
        call(20),
    ]
    scan = Scan(tmp_path, path)
    for each in records:
        scan.lands(each)
    assert scan.seconds() == expected
    assert Scan(tmp_path, path).lands(*records[::-1]).seconds() == expected
    assert sum(len(alert.event_ids) for alert in scan.alerts()) == len(records)


@pytest.mark.parametrize("mode", ["tumbling", "sliding"])
def test_suppression_joins_windows_of_one_key(tmp_path, mode):
    query = """from logs-aws.cloudtrail-* | stats n = count(*) by w = date_trunc(10 seconds, @timestamp), user.name
    | where n >= 2"""
    more = '[rule.alert_suppression]\ngroup_by = ["user.name"]\nduration = {value = 1, unit = "m"}'
    records = list(map(call, (0, 1, 40, 41, 200, 201)))
    apart = Scan(tmp_path, written(tmp_path / "a", query), mode).lands(*records)
    assert apart.seconds() == [(0, 1), (40, 41), (200, 201)]
    scan = Scan(tmp_path, written(tmp_path / "b", query, more=more), mode)
    for each in reversed(records):
        scan.lands(each)
    assert scan.seconds() == [(0, 41), (200, 201)]


@pytest.mark.parametrize(
    "type, query, more, says",
    [
        ("eql", "any where true", "", "EQL"),
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
        ("query", "event.action: X", "index = ['logs-okta*']", "not CloudTrail"),
        ("query", "event.action: X", "[[rule.filters]]\nmeta = 1", "filters beside the query"),
    ],
)
def test_what_cannot_be_run_is_refused_with_a_sentence(tmp_path, type, query, more, says):
    rules = load([written(tmp_path / "rules", query, type, more=more)], builtin=False)
    assert list(rules) == []
    (problem,) = rules.problems
    assert says in problem.message and "\n" not in str(problem)


def test_from_matters_where_a_query_looks_back_only(tmp_path):
    odd = {"lookback": "now-7d/d"}
    grouped = written(tmp_path / "a", "from logs-* | stats n = count(*) by user.name", **odd)
    assert "from: now-7d/d is not supported" in load([grouped], builtin=False).problems[0].message
    filtered = written(tmp_path / "b", "from logs-* | keep event.id", **odd)
    assert load([filtered], builtin=False).problems == []


def test_a_flag_rule_gives_no_alerts_unless_it_says_so(tmp_path):
    silent = written(
        tmp_path / "rules", "event.action: Describe*", "query", more='[trailhound]\nflag = "looked"'
    )
    assert Scan(tmp_path, silent).lands(call(0)).alerts() == []
    (rule,) = load([silent], builtin=False)
    assert (rule.flag, rule.alerts) == ("looked", False)
    loud = written(
        tmp_path / "loud",
        "event.action: Describe*",
        "query",
        more='[trailhound]\nflag = "looked"\nalerts = true',
    )
    assert len(Scan(tmp_path, loud).lands(call(0)).alerts()) == 1


def test_nulls_may_be_read_as_they_were_meant(tmp_path):
    query = 'from logs-aws.cloudtrail-* | where not aws.cloudtrail.session_credential_from_console == "true"'
    assert Scan(tmp_path, written(tmp_path / "a", query)).lands(call(0)).alerts() == []
    meant = written(tmp_path / "b", query, more='[trailhound]\nnulls = "intended"')
    assert Scan(tmp_path, meant).lands(
        call(0), call(1, sessionCredentialFromConsole="true")
    ).seconds() == [(0, 0)]
