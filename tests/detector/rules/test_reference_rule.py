"""Tests of the built-in reference rule, at its threshold."""

from __future__ import annotations

import pickle

import msgspec

from detector.rules.ruleset import load
from tests.detector.esql.conftest import START, record, region_sweep

RULE_ID = "393ef120-63d1-11ef-8e38-f661ea17fbce"
ARN = "arn:aws:iam::111122223333:user/ana"
TEN_REGIONS = [f"region-{n}" for n in range(10)]


def reference_rule():
    return load().get(RULE_ID)


def query_result(records, key=(ARN,)):
    query = reference_rule().query
    rows = [row for second, each in enumerate(records) for row in query.rows(each, START + second)]
    assert {key_values for key_values, _ in rows} == {key}
    return query.result(START, key, [inputs for _, inputs in rows])


def test_reference_rule_loads_with_metadata():
    rules = load()
    assert rules.problems == []
    rule = rules.get(RULE_ID)
    assert rule.summary.severity == "low"
    assert rule.summary.risk_score == 21
    assert rule.summary.building_block is True
    assert [(t.tactic.id, [x.id for x in t.technique]) for t in rule.threat] == [
        ("TA0007", ["T1580"])
    ]
    assert rule.thresholds == ("≥10 regions", "≥10 events")
    assert len(rule.investigation_fields.field_names) == 12
    assert rule.investigation_fields.field_names[3] == "aws.cloudtrail.user_identity.arn"


def test_reference_query_is_30_second_window_by_principal():
    query = reference_rule().query
    assert query.shape == "window"
    assert query.window == 30
    assert query.window_column == "Esql.time_window_date_trunc"
    assert query.key_names == ("aws.cloudtrail.user_identity.arn",)
    assert query.required_pairs == {("ec2.amazonaws.com", "DescribeInstances")}
    assert query.min_hits == 10


def test_ten_regions_fire_with_all_columns():
    assert query_result(region_sweep(TEN_REGIONS)) == {
        "Esql.cloud_region_count_distinct": 10,
        "Esql.event_count": 10,
        "Esql.event_timestamp_values": [f"2026-01-01T00:00:{s:02d}Z" for s in range(10)],
        "Esql.aws_cloudtrail_user_identity_type_values": ["IAMUser"],
        "Esql.aws_cloudtrail_user_identity_access_key_id_values": ["AKIA1"],
        "Esql.source_ip_values": ["203.0.113.7"],
        "Esql.user_agent_original_values": ["aws-cli/2.17.0"],
        "Esql.source_as_organization_name_values": None,
        "Esql.cloud_account_id_values": ["111122223333"],
        "Esql.cloud_region_values": TEN_REGIONS,
        "Esql.data_stream_namespace_values": ["default"],
        "Esql.time_window_date_trunc": "2026-01-01T00:00:00Z",
        "aws.cloudtrail.user_identity.arn": ARN,
    }


def test_nine_regions_do_not_fire():
    assert query_result(region_sweep(TEN_REGIONS[:9] * 3)) is None


def test_denied_calls_count():
    assert (
        query_result(region_sweep(TEN_REGIONS, errorCode="Client.UnauthorizedOperation"))
        is not None
    )


def test_callers_without_arn_are_one_group():
    assert (
        query_result(
            region_sweep(TEN_REGIONS, userIdentity={"type": "AWSAccount", "accountId": "9"}),
            key=(None,),
        )
        is not None
    )


def test_other_calls_do_not_count():
    query = reference_rule().query
    assert query.rows(record(eventName="DescribeImages"), START) == []
    assert query.rows(record(eventSource="rds.amazonaws.com"), START) == []
    assert query.rows(record(eventSource=None), START) == []


def test_rows_survive_json_round_trip():
    query = reference_rule().query
    rows = [
        row
        for second, each in enumerate(region_sweep(TEN_REGIONS))
        for row in query.rows(each, START + second)
    ]
    decoded = msgspec.json.decode(msgspec.json.encode(rows))
    assert query.result(START, decoded[0][0], [inputs for _, inputs in decoded]) == query_result(
        region_sweep(TEN_REGIONS)
    )


def test_rule_set_survives_pickling():
    rules = load(mode="sliding")
    unpickled = pickle.loads(pickle.dumps(rules))
    assert unpickled.fingerprint == rules.fingerprint
    assert unpickled.mode == "sliding"
