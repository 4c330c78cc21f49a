"""Tests of a windowed query against plain Python over the raw records."""

from __future__ import annotations

from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from detector.ecs.fields import field_table
from detector.esql.plan.planner import plan
from tests.detector.esql.conftest import START, record

QUERY = plan(
    """from logs-aws.cloudtrail-*
    | where event.provider == "p" and event.action in ("A", "B")
        and aws.cloudtrail.error_code != "skip"
    | eval w = date_trunc(10 seconds, @timestamp)
    | stats n = count(*), regions = count_distinct(cloud.region), names = values(cloud.region),
            bad = count(*) where event.outcome == "failure",
            keys = count(aws.cloudtrail.user_identity.access_key_id),
            first = min(@timestamp)
            by w, aws.cloudtrail.user_identity.arn, aws.cloudtrail.resources.arn
    | where regions >= 2 and n >= 2""",
    field_table(),
)

CALLS = st.fixed_dictionaries(
    {
        "second": st.integers(0, 29),
        "eventSource": st.sampled_from(["p", "q"]),
        "eventName": st.sampled_from("ABC"),
        "awsRegion": st.sampled_from(["r1", "r2", "", None]),
        "errorCode": st.sampled_from(["skip", "denied", None]),
        "arn": st.sampled_from(["x", "y", None]),
        "key": st.sampled_from(["k", None]),
        "resources": st.lists(st.sampled_from(["b1", "b2"]), max_size=3),
    }
)


def oracle(calls):
    groups = defaultdict(list)
    for call in calls:
        if (
            call["eventSource"] == "p"
            and call["eventName"] in "AB"
            and call["errorCode"] not in ("skip", None)
        ):
            for resource in set(call["resources"]) or {None}:
                groups[call["second"] // 10 * 10, call["arn"], resource].append(call)
    results = {}
    for key, group in groups.items():
        regions = {call["awsRegion"] for call in group} - {None, ""}
        if len(regions) >= 2 and len(group) >= 2:
            results[key] = {
                "n": len(group),
                "regions": len(regions),
                "names": sorted(regions),
                "bad": len(group),
                "keys": sum(1 for call in group if call["key"]),
                "first": min(c["second"] for c in group),
            }
    return results


@settings(max_examples=60, deadline=None)
@given(st.lists(CALLS, max_size=40), st.randoms())
def test_query_results_match_oracle(calls, rng):
    groups = defaultdict(list)
    for number, call in rng.sample(list(enumerate(calls)), len(calls)):
        raw = record(
            eventTime=f"2026-01-01T00:00:{call['second']:02d}Z",
            eventID=str(number),
            eventSource=call["eventSource"],
            eventName=call["eventName"],
            awsRegion=call["awsRegion"],
            errorCode=call["errorCode"],
            userIdentity={"arn": call["arn"], "accessKeyId": call["key"]},
            resources=[{"ARN": name} for name in call["resources"]],
        )
        pair = (raw.event_source, raw.event_name)
        for key, inputs in QUERY.rows(raw, START + call["second"]):
            assert pair in QUERY.required_pairs
            groups[call["second"] // 10 * 10, *key].append(inputs)
    results = {}
    for (start, *key), inputs in groups.items():
        result = QUERY.result(START + start, key, inputs)
        assert result is None or len(inputs) >= QUERY.min_hits
        if result:
            results[start, *key] = {
                name: result[name] for name in ("n", "regions", "names", "bad", "keys")
            } | {"first": int(result["first"][17:19])}
    assert results == oracle(calls)
