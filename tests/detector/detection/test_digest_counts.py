"""What a digest counts and observes of a chunk, by example."""

from __future__ import annotations

from collections.abc import Sequence

from detector.detection.baseline import ObservationSpans
from detector.detection.digest import ChunkStats, Partial
from detector.detection.event import EventCall, EventClient, KeptEvent, Position
from detector.detection.principal import STS
from detector.detection.principal_index import PrincipalIndex, hashes_of
from detector.detection.signature_cache import SignatureCache
from detector.formats import Chunk
from detector.rules.dispatch import Dispatch
from detector.rules.ruleset import load
from tests.detector.detection.test_digest import REFERENCE_RULES, digest, digested
from tests.detector.trail import ACCOUNT, ANA, REFERENCE, START, Raw, call, lines

BEN = ANA.replace("ana", "ben")
ISSUED = "ASIAISSUED0000000000"
WEST = "eu-west-1"


def stats_of(records: Sequence[Raw]) -> ChunkStats:
    (stats,) = digested(lines(records)).chunks.values()
    return stats


def bridged(record: Raw) -> Raw:
    """Return the message by which EventBridge brings a record."""
    return {
        "version": "0",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.ec2",
        "detail": record,
    }


def test_records_are_counted_with_reasons_and_times() -> None:
    other = call(9, eventName="RunInstances")
    records = [
        call(7),
        call(3),
        other,
        call(-5, eventCategory="Insight"),
        call(-6, eventCategory="Insight"),
        call(1, region=WEST, eventTime="never"),
        call(2, eventTime=None),
        call(2, region=WEST),
        {"eventVersion": "1.11", "eventName": "Nothing", "eventID": "n"},
        {"a": 1},
    ]
    stats = stats_of(records)
    assert stats.seen == len(records) == 10
    assert stats.skipped == {"insight": 2}
    assert stats.rejected == {"no-event-time": 2, "not-cloudtrail": 2}
    assert (stats.hits, stats.first, stats.last) == (3, START + 2, START + 9)
    assert (stats.bridged, stats.bridged_read_only) == (0, 0)
    assert stats.end == len(lines(records))


def test_plain_records_without_a_time_are_rejected() -> None:
    """Heads alone are read of a chunk in which nothing else stands."""
    records = [call(1), call(2, eventTime="never"), call(3, WEST, eventTime="never"), call(4)]
    stats = stats_of(records)
    assert stats.rejected == {"no-event-time": 2}
    assert (stats.seen, stats.hits, stats.skipped) == (4, 2, {})


def test_messages_without_records_are_skipped() -> None:
    change = {"version": "0", "detail-type": "EC2 Instance State-change", "detail": {}}
    stats = stats_of([change, bridged(call(1)), call(2, eventCategory="Insight"), change])
    assert stats.skipped == {"other-event": 2, "insight": 1}
    assert (stats.seen, stats.rejected) == (4, {})


def test_chunk_without_events_has_no_times() -> None:
    stats = stats_of([call(1, eventCategory="Insight")])
    assert (stats.seen, stats.hits, stats.first, stats.last) == (1, 0, None, None)


def test_read_only_calls_are_counted_of_chunks_from_eventbridge() -> None:
    written = {"readOnly": False}
    records = [bridged(call(1)), bridged(call(2)), bridged(call(3, **written))]
    stats = stats_of([*records, bridged(call(4, readOnly=None)), bridged(call(5, arn=BEN))])
    assert (stats.seen, stats.bridged, stats.bridged_read_only) == (5, 5, 3)
    assert not PrincipalIndex(stats.principal_index).verbatim
    stats = stats_of([call(1), call(2, **written)])
    assert (stats.bridged, stats.bridged_read_only) == (0, 0)
    assert PrincipalIndex(stats.principal_index).verbatim


def test_principals_are_found_with_the_keys_that_they_were_issued() -> None:
    issue = {
        "eventSource": STS,
        "eventName": "AssumeRole",
        "responseElements": {"credentials": {"accessKeyId": ISSUED}},
    }
    sts = {"eventSource": STS, "eventName": "GetCallerIdentity"}
    records = [call(0), call(1, arn=BEN), call(2, **issue), call(3, **sts), call(4)]
    records.append(call(5, eventName="DescribeVpcs"))
    index = PrincipalIndex(stats_of(records).principal_index)

    def found(*keys: str) -> list[int]:
        places = index.lookup(set(hashes_of(keys)))
        return sorted(number for _, numbers in places for number in numbers)

    assert found(ANA) == [0, 2, 3, 4, 5]
    assert found(BEN) == [1]
    assert found(ISSUED) == [2]
    assert found(ANA, BEN, ISSUED) == [0, 1, 2, 3, 4, 5]
    assert len(list(index.lookup(set(hashes_of([ANA]))))) == 3  # calls to STS by themselves


def test_observations_span_the_events_that_show_them() -> None:
    changes = {"eventName": "RunInstances", "readOnly": False}
    records = [
        call(20, region="sa-east-1", eventTime="never"),
        call(50),
        call(60),
        call(40, eventName="DescribeVpcs"),
        call(58, eventName="DescribeSubnets"),
        call(30, region=WEST),
        call(70, region=WEST, **changes),
        call(90, region=WEST, **changes),
        call(20, region=WEST, eventTime="never"),
    ]
    spans: ObservationSpans = {
        key: (first - START, last - START)
        for key, (first, last) in digested(lines(records)).observations.observations().items()
        if key[0] in ("account", "region", "changed-region")
    }
    assert spans == {
        ("account", ACCOUNT, ""): (30, 90),
        ("region", ACCOUNT, "us-east-1"): (40, 60),
        ("region", ACCOUNT, WEST): (30, 90),
        ("changed-region", ACCOUNT, WEST): (70, 90),
    }


def test_activity_is_counted_unless_nobody_will_ask() -> None:
    data = lines([call(1), call(2)])
    chunk = Chunk(7, memoryview(data), True)
    for counts in (True, False):
        result = digest("x", chunk, Dispatch(REFERENCE_RULES), SignatureCache(), counts)
        (stats,) = result.partial.chunks.values()
        assert list(result.partial.chunks) == [("x", 7)]
        assert bool(stats.activity) is counts
        assert {row.position for row in result.partial.hits.values()} == {
            Position("x", 7, 0),
            Position("x", 7, 1),
        }
        assert list(result.rule_seconds) == [REFERENCE]
    (stats,) = digested(data).chunks.values()
    assert stats.activity


def test_rules_are_asked_of_each_origin_that_made_a_call() -> None:
    """One call by two clients, and calls that no rule wants between them."""
    unwanted = {"eventName": "RunInstances"}
    records = [call(0, **unwanted), call(1), call(2, arn=BEN), call(3, eventTime=""), call(4)]
    partial = digested(lines(records))
    assert sorted(row.time - START for row in partial.hits.values()) == [1, 2, 4]
    assert not digested(lines(records), rules=load([], builtin=False)).hits


def test_smaller_claim_of_an_identity_stands() -> None:
    client = EventClient(*[""] * len(EventClient._fields))
    one, two = (
        KeptEvent(time, client, EventCall("p", "a", ""), WEST, "", None, Position("x", 0, 0), ())
        for time in (1, 2)
    )
    partial = Partial()
    for event in (two, one, two):
        partial.add_hit(bytes(16), event)
    assert [event.time for event in partial.hits.values()] == [1]
