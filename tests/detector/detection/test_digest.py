"""A partial is a set: neither the split nor the order of the work changes it."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.detection.digest import Partial, digest, merge
from detector.detection.event import Position
from detector.detection.signature_cache import SignatureCache
from detector.formats import chunks, read_chunks
from detector.rules.dispatch import Dispatch
from detector.rules.ruleset import RuleSet, load
from detector.text import value_cache
from tests.detector.rules.rule_scan import write_rule
from tests.detector.strategies import trails
from tests.detector.trail import Raw, call, document, lines, rules, sweep

NOTHING = merge([])
REFERENCE_RULES = rules()


def digested(
    data: bytes,
    source: str = "trail.json",
    cache: SignatureCache | None = None,
    rules: RuleSet = REFERENCE_RULES,
) -> Partial:
    """Digest a whole file."""
    dispatch = Dispatch(rules)
    if cache is None:
        cache = SignatureCache()
    return merge(
        digest(source, chunk, dispatch, cache).partial for chunk in read_chunks(io.BytesIO(data))
    )


CLAIMS: tuple[Raw, ...] = (
    {},
    {"awsRegion": "af-south-1"},
    {"eventTime": "2026-03-01T11:00:00Z"},
    {"userIdentity": {}},
)


@st.composite
def partials(draw: st.DrawFn) -> Partial:
    """Of a few records that come again and again, also in forms that contradict each other."""
    records = draw(
        st.lists(
            st.builds(
                lambda at, claim: {**call(at, event_id=f"e{at}"), **claim},
                st.integers(0, 5),
                st.sampled_from(CLAIMS),
            ),
            min_size=1,
            max_size=6,
        )
    )
    return digested(
        lines(records), draw(st.sampled_from(["a", "b", "c\udcff"])) + str(len(records))
    )


@given(partials(), partials(), partials())
def test_merge_is_commutative_associative_idempotent(a: Partial, b: Partial, c: Partial) -> None:
    # One file at one offset holds one thing: where two partials are of the same, let them be the
    # same.
    b, c = (each if not (set(each.chunks) & set(a.chunks)) else a for each in (b, c))
    c = c if not (set(c.chunks) & set(b.chunks)) else b
    assert a.merge(b) == b.merge(a)
    assert a.merge(b).merge(c) == a.merge(b.merge(c)) == merge([c, a, b])
    assert a.merge(a) == a == a.merge(NOTHING) == NOTHING.merge(a)
    assert a.merge(b).merge(a).merge(b) == a.merge(b)


@given(partials(), partials())
def test_merge_leaves_its_arguments_unchanged(a: Partial, b: Partial) -> None:
    before = pickle.dumps((a, b))
    a.merge(b)
    assert pickle.loads(before) == (a, b)


@settings(max_examples=50)
@given(trails(), st.integers(1500, 4000))
def test_digest_does_not_depend_on_chunking(records: list[Raw], size: int) -> None:
    content = lines(records)
    whole = digested(content)
    with pytest.MonkeyPatch.context() as patch:
        for limit in ("BLOCK", "SNIFF", "LINES_CHUNK"):
            patch.setattr(chunks, limit, size)
        cut = digested(content)
    assert len(cut.chunks) > 1 or len(content) <= size
    assert facts(cut) == facts(whole)


@settings(max_examples=50)
@given(trails(), st.integers(1, 4), st.sampled_from((0, 100, 1000)))
def test_signature_cache_changes_no_result(
    records: list[Raw], limit: int, longest_key: int
) -> None:
    cache = SignatureCache(limit)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(value_cache, "LONGEST_KEY", longest_key)
        partials = [digested(lines(records), cache=cache) for _ in range(2)]
    assert all(len(values) <= limit for values in (cache.clients, cache.calls))
    assert len(cache.heads.decoded.heads) <= 3 * limit
    assert partials == [digested(lines(records))] * 2


@settings(max_examples=50)
@given(trails(), st.integers(1, 5))
def test_digest_does_not_depend_on_files(records: list[Raw], count: int) -> None:
    parts = [records[start::count] for start in range(count)]
    many = merge(
        digested(document(part), f"{number}.json") for number, part in enumerate(parts) if part
    )
    assert facts(many) == facts(digested(document(records)))


def facts(partial: Partial) -> list[Any]:
    """What it says apart from where it was read."""
    events = {
        name: repr(msgspec.structs.replace(row, position=Position("", 0, 0)))
        for name, row in partial.hits.items()
    }
    tallies = list(partial.chunks.values())
    sums = [
        sum(each)
        for each in zip(
            *(
                (tally.seen, tally.hits, sum(tally.skipped.values()), sum(tally.rejected.values()))
                for tally in tallies
            ),
            strict=True,
        )
    ]
    times = [time for tally in tallies for time in (tally.first, tally.last) if time is not None]
    return [events, sums, min(times, default=None), max(times, default=None)]


def test_positions_lead_to_their_records() -> None:
    records = sweep(12)
    partial = digested(lines(records))
    assert {row.event_id: row.position.index for row in partial.hits.values()} == {
        record["eventID"]: index for index, record in enumerate(records)
    }


def test_partial_survives_pickling() -> None:
    partial = digested(document(sweep(12)))
    assert pickle.loads(pickle.dumps(partial)) == partial


def test_record_too_deep_for_a_rule_is_rejected(tmp_path: Path) -> None:
    """It parses, and the text that the rule reads of it does not come to an end."""
    rule = write_rule(
        tmp_path, 'from logs-* | where aws.cloudtrail.request_parameters like "*deep*"'
    )
    deep = b'{"x":' * 700 + b"1" + b"}" * 700
    records = [call(0), call(1, requestParameters="@"), call(2, requestParameters={"a": "deep"})]
    data = lines([*records, call(3, eventCategory="Insight")]).replace(b'"@"', deep)
    (stats,) = digested(data, rules=load([rule], builtin=False)).chunks.values()
    assert (stats.seen, stats.skipped, stats.rejected, stats.hits) == (
        4,
        {"insight": 1},
        {"nested-too-deep": 1},
        1,
    )
