"""The two ways of grouping the events of a chunk say the same."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.detection import signature_cache
from detector.detection.digest import Partial, digest
from detector.detection.grouping import by_number
from detector.detection.signature_cache import SignatureCache
from detector.formats import Chunk
from detector.formats.heads import known_heads
from detector.formats.native import cut
from detector.rules.dispatch import Dispatch
from detector.rules.ruleset import load
from detector.store.baseline_table import _IN_CONTEXT
from tests.detector.strategies import trails
from tests.detector.trail import Raw, call, document

pytestmark = pytest.mark.skipif(not cut.is_available(), reason="the native cut was not built")
RULES = [rule for rule in load() if rule.alerts]
CLAIMS: tuple[Raw, ...] = (
    {},
    {"eventCategory": "NetworkActivity"},
    {"eventSource": "sts.amazonaws.com", "eventName": "AssumeRole", "readOnly": True},
    {
        "eventSource": "sts.amazonaws.com",
        "eventName": "AssumeRole",
        "responseElements": {"credentials": {"accessKeyId": "ASIAIOSFODNN7EXAMPLE"}},
    },
    {"eventName": "RunInstances", "readOnly": False},
    {"eventName": "StopLogging", "eventSource": "cloudtrail.amazonaws.com", "readOnly": False},
    {"userAgent": "aws-cli/2.1 \\ é"},
    {"userAgent": "x" * 5000},
    {"userIdentity": {"type": "AWSAccount", "accountId": "210987654321"}},
    {"userIdentity": None},
    {"awsRegion": "eu-west-1", "errorCode": "AccessDenied"},
)


@st.composite
def mixed_trails(draw: st.DrawFn) -> list[list[Raw]]:
    """Chunks of calls, many of which have a part in common."""
    claims = st.sampled_from(CLAIMS)
    return draw(
        st.lists(
            st.lists(
                st.builds(
                    lambda at, one, other: {**call(at, event_id=f"e{at}"), **one, **other},
                    st.integers(0, 5),
                    claims,
                    claims,
                ),
                min_size=1,
                max_size=12,
            ),
            min_size=1,
            max_size=3,
        )
    )


def digested(chunks: Sequence[list[Raw]], limit: int, counts_activity: bool) -> list[Partial]:
    """Digest chunks after each other with one cache."""
    cache, dispatch = SignatureCache(limit), Dispatch(RULES)
    return [
        digest(
            "x",
            Chunk(0, memoryview(bytearray(document(records))), False),
            dispatch,
            cache,
            counts_activity,
        ).partial
        for records in chunks
    ]


@settings(max_examples=50)
@given(st.one_of(mixed_trails(), st.lists(trails(), max_size=2)), st.integers(1, 9), st.booleans())
def test_both_cuts_give_the_same(
    chunks: list[list[Raw]], limit: int, counts_activity: bool
) -> None:
    by_numbers = digested(chunks, limit, counts_activity)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cut, "LIBRARY", None)
        decoded = digested(chunks, limit, counts_activity)
    assert by_numbers == decoded
    if not counts_activity:
        for each, counted in zip(by_numbers, digested(chunks, limit, True), strict=True):
            _assert_suffices_for_alerts(each, counted)


def _assert_suffices_for_alerts(partial: Partial, counted: Partial) -> None:
    """Assert that a partial has all of one with activity that alerts are judged by."""
    for stats in counted.chunks.values():
        stats.activity = b""
    assert (partial.chunks, partial.hits) == (counted.chunks, counted.hits)
    observed = counted.observations.observations()
    assert partial.observations.observations() == {
        observation: span for observation, span in observed.items() if observation[0] in _IN_CONTEXT
    }


@settings(max_examples=50)
@given(st.lists(mixed_trails(), max_size=3), st.integers(1, 20), st.booleans())
def test_what_is_forgotten_changes_no_result(
    trails: list[list[list[Raw]]], generation: int, counts_activity: bool
) -> None:
    chunks = [chunk for trail in trails for chunk in trail]
    expected = digested(chunks, 100, counts_activity)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signature_cache, "_GENERATION", generation)
        assert digested(chunks, 100, counts_activity) == expected


def test_origins_are_forgotten_a_generation_after_their_last_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(signature_cache, "_GENERATION", 1)
    cache, dispatch = SignatureCache(), Dispatch(RULES)
    address = "10.1.1.1"
    for addresses in ([address, "10.1.1.2"], ["10.1.1.2"], ["10.1.1.2"]):
        records = [call(at, sourceIPAddress=each) for at, each in enumerate(addresses)]
        digest("x", Chunk(0, memoryview(bytearray(document(records))), False), dispatch, cache)
    assert [client[2] for client in cache.clients] == ["10.1.1.2"]
    table = cache.heads.table()
    assert not table.origins, "each is decoded again when it is asked for"
    assert table.signature(1).source_ip_address == address
    cache.forget()
    assert not cache.clients and cache.heads.table() is not table


def test_rules_are_asked_without_a_bit_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    chunks = [[{**call(number), **claim} for number, claim in enumerate(CLAIMS)]] * 2
    expected = digested(chunks, 100, False)
    monkeypatch.setattr(by_number, "_UNNUMBERED", 1)
    assert digested(chunks, 100, False) == expected


def test_other_rules_are_asked_again() -> None:
    cache = SignatureCache()
    chunk = Chunk(0, memoryview(bytearray(document([call(at) for at in range(3)]))), False)
    hits = [
        len(digest("x", chunk, Dispatch(rules), cache).partial.hits) for rules in (RULES, [], RULES)
    ]
    assert hits == [3, 0, 3]


def test_what_is_forgotten_is_freed_without_the_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    cache = SignatureCache()
    chunk = Chunk(0, memoryview(bytearray(document([call(at) for at in range(3)]))), False)
    gc.disable()
    try:
        digest("x", chunk, Dispatch(RULES), cache)
        table = weakref.ref(cache.heads.table())
        monkeypatch.setattr(known_heads, "_BYTES_LIMIT", 0)
        cache.heads.trim()
        assert table() is None
    finally:
        gc.enable()


def test_what_follows_from_origins_is_bounded_without_their_table() -> None:
    cache, dispatch = SignatureCache(4), Dispatch([])
    known = []
    for number in range(40):
        records = [call(at, sourceIPAddress=f"10.0.{number}.{at}") for at in range(3)]
        # So long a text lies in its chunk, with which the table ends.
        records.append({**call(3), "userAgent": f"{number}" * 3000})
        data = memoryview(bytearray(document(records)))
        digest("x", Chunk(0, data, False), dispatch, cache)
        known.append(cache.heads.generation)
    assert known[-1] >= 20
