"""The built-in reference rule, on records that fire and that just do not."""

from __future__ import annotations

import pickle

from detector.rules.ruleset import load
from tests.detector.esql.conftest import START, record, sweep

RULE_ID = "393ef120-63d1-11ef-8e38-f661ea17fbce"
ARN = "arn:aws:iam::111122223333:user/ana"
TEN = [f"region-{n}" for n in range(10)]


def rule():
    return load().get(RULE_ID)


def result(records, key=(ARN,)):
    query = rule().query
    rows = [row for second, each in enumerate(records) for row in query.rows(each, START + second)]
    assert {found for found, _ in rows} == {key}
    return query.result(START, key, [inputs for _, inputs in rows])


def test_it_loads_without_a_problem_and_says_what_it_is():
    rules = load()
    assert rules.problems == []
    found = rules.get(RULE_ID)
    assert found.summary.severity == "low"
    assert found.summary.risk_score == 21
    assert found.summary.building_block is True
    assert [(t.tactic.id, [x.id for x in t.technique]) for t in found.threat] == [
        ("TA0007", ["T1580"])
    ]
    assert found.thresholds == ("at least 10 distinct cloud.region", "at least 10 events")
    assert len(found.investigation_fields.field_names) == 12
    assert found.investigation_fields.field_names[3] == "aws.cloudtrail.user_identity.arn"


def test_its_query_is_a_window_of_thirty_seconds_by_principal():
    query = rule().query
    assert query.shape == "window"
    assert query.window == 30
    assert query.window_column == "Esql.time_window_date_trunc"
    assert query.key_names == ("aws.cloudtrail.user_identity.arn",)
    assert query.required_pairs == {("ec2.amazonaws.com", "DescribeInstances")}
    assert query.min_hits == 10


def test_ten_regions_fire_with_every_column():
    assert result(sweep(TEN)) == {
        "Esql.cloud_region_count_distinct": 10,
        "Esql.event_count": 10,
        "Esql.event_timestamp_values": [f"2026-01-01T00:00:{s:02d}Z" for s in range(10)],
        "Esql.aws_cloudtrail_user_identity_type_values": ["IAMUser"],
        "Esql.aws_cloudtrail_user_identity_access_key_id_values": ["AKIA1"],
        "Esql.source_ip_values": ["203.0.113.7"],
        "Esql.user_agent_original_values": ["aws-cli/2.17.0"],
        "Esql.source_as_organization_name_values": None,
        "Esql.cloud_account_id_values": ["111122223333"],
        "Esql.cloud_region_values": TEN,
        "Esql.data_stream_namespace_values": ["default"],
        "Esql.time_window_date_trunc": "2026-01-01T00:00:00Z",
        "aws.cloudtrail.user_identity.arn": ARN,
    }


def test_nine_regions_do_not_fire_however_many_calls():
    assert result(sweep(TEN[:9] * 3)) is None


def test_calls_that_were_refused_count():
    assert result(sweep(TEN, errorCode="Client.UnauthorizedOperation")) is not None


def test_callers_without_an_arn_are_one_group():
    assert (
        result(sweep(TEN, userIdentity={"type": "AWSAccount", "accountId": "9"}), key=(None,))
        is not None
    )


def test_other_calls_do_not_count():
    query = rule().query
    assert query.rows(record(eventName="DescribeImages"), START) == []
    assert query.rows(record(eventSource="rds.amazonaws.com"), START) == []
    assert query.rows(record(eventSource=None), START) == []


def test_rows_and_result_survive_the_way_through_json():
    import msgspec

    query = rule().query
    rows = [
        row for second, each in enumerate(sweep(TEN)) for row in query.rows(each, START + second)
    ]
    kept = msgspec.json.decode(msgspec.json.encode(rows))
    assert query.result(START, kept[0][0], [inputs for _, inputs in kept]) == result(sweep(TEN))


def test_a_rule_set_pickles_and_comes_back_the_same():
    rules = load(mode="sliding")
    again = pickle.loads(pickle.dumps(rules))
    assert again.fingerprint == rules.fingerprint
    assert again.mode == "sliding"
