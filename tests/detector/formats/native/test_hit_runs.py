"""Runs of records that are alike as hits, against looking at each record by itself."""

from __future__ import annotations

import json
from itertools import groupby
from operator import itemgetter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.formats import Chunk, KnownHeads, Records, parse_records
from detector.formats.decoded.hit_runs import RecordRuns
from detector.formats.heads.callers import KnownCallers
from detector.formats.heads.decoded_callers import DecodedCallers, HitCallers
from detector.formats.native.columns import IDENTITY, identities_in
from detector.formats.native.hit_runs import HitRun, Questions
from detector.formats.records import cut_in_python
from detector.text.capped import TEXT_CAP
from tests.detector.formats.native.test_cut import needs_native
from tests.detector.trail import call

CALLERS = ({"type": "Root"}, {"type": "IAMUser", "userName": "ana"})
LARGE = {"text": "x" * TEXT_CAP}
calls = st.builds(
    call,
    userIdentity=st.sampled_from(CALLERS),
    errorCode=st.just("Denied"),
    errorMessage=st.sampled_from(["no", "not"]),
    requestParameters=st.sampled_from([None, None, None, LARGE]),
    event_id=st.sampled_from(["odd", *(f"2f1c3c3e-0000-4000-8000-00000000000{n}" for n in "123")]),
)


REFUSED, OTHER = 1, 2
"""Questions that callers may refuse."""


each_way = pytest.mark.parametrize(
    "callers_type", [pytest.param(KnownCallers, marks=needs_native), DecodedCallers]
)
"""Runs that C finds in bytes, and those of decoded records."""


def records_of(content: list[Any], callers_type: type[HitCallers]) -> Records:
    data = memoryview(bytearray(json.dumps({"Records": content}).encode()))
    chunk = Chunk(0, data, lines=False)
    if callers_type is KnownCallers:
        return parse_records(chunk)
    return cut_in_python(chunk, data, KnownHeads())


@each_way
@given(content=st.lists(st.lists(calls, min_size=1, max_size=8), max_size=4), random=st.randoms())
def test_runs_are_of_records_of_one_view(
    callers_type: type[HitCallers], content: list[list[Any]], random: Any
) -> None:
    """A record that must be decoded for its view is a run by itself; groups share no run."""
    records = records_of([each for group in content for each in group], callers_type)
    indexes = list(range(len(records)))
    random.shuffle(indexes)
    rest = iter(indexes)
    groups = [sorted(next(rest) for _ in group) for group in content]
    runs = records.hit_runs(groups)
    for number, group in enumerate(groups):
        found = of_group(runs, number)
        views = {index: records.raw_hit(index) for index in group}
        keyed = [(view[0] if view else index, index) for index, view in views.items()]
        expected = [[index for _, index in them] for _, them in groupby(keyed, itemgetter(0))]
        assert [run.indexes for run in found] == expected
        assert all(len(run.identities) == IDENTITY * len(run.indexes) for run in found)
        assert [
            (index, identity)
            for run in found
            for index, identity in zip(run.indexes, identities_in(run.identities), strict=True)
            if views[index]
        ] == [(index, view[1]) for index, view in views.items() if view]


def of_group(runs: RecordRuns, number: int) -> list[HitRun]:
    return [run for group, run in zip(runs.groups, runs, strict=True) if group == number]


@each_way
@given(
    content=st.lists(calls, min_size=1, max_size=8),
    refusing=st.sets(st.integers(1, 9)),
    capacity=st.integers(2, 9),
)
def test_what_a_caller_refuses_is_in_no_run(
    callers_type: type[HitCallers], content: list[Any], refusing: set[int], capacity: int
) -> None:
    """But for callers that are not known: of records to be decoded, or without room."""
    records = records_of(content, callers_type)
    indexes = list(range(len(records)))
    groups = [indexes, indexes, indexes]
    callers = callers_type(capacity)
    questions = Questions(callers, [REFUSED, OTHER, 0], [0, 0, 0])
    before = list(records.hit_runs(groups, questions))
    without = records.hit_runs(groups)
    assert [run[:2] for run in before] == [run[:2] for run in without]
    for run in before:
        if run.caller in refusing:
            callers.refuse(run.caller, REFUSED)
        assert callers.refuses(run.caller, REFUSED) == (bool(run.caller) and run.caller in refusing)
        assert not callers.refuses(run.caller, OTHER)
    runs = records.hit_runs(groups, questions)
    own = len(of_group(without, 0))
    expected = [run for run in before[:own] if not run.caller or run.caller not in refusing]
    if callers.is_full:
        assert list(runs) == before
        return
    assert of_group(runs, 0) == expected
    assert list(runs)[len(expected) :] == before[own:]
    assert list(runs.groups) == sorted(runs.groups)


@each_way
@given(
    chunks=st.lists(st.tuples(st.integers(0, 2), st.lists(calls, min_size=1)), max_size=6),
    capacity=st.integers(2, 20),
)
def test_views_have_one_number(
    callers_type: type[HitCallers], chunks: list[tuple[int, list[Any]]], capacity: int
) -> None:
    """From chunk to chunk: one for each head, caller, message and code, while there is room."""
    callers = callers_type(capacity)
    known: dict[int, object] = {}
    for head, content in chunks:
        records = records_of(content, callers_type)
        groups = [list(range(len(records))), [0]]
        before = callers.is_full
        runs = records.hit_runs(groups, Questions(callers, [0, 0], [head, 9]))
        if before:  # all are forgotten
            known = {}
        for group, run in zip(runs.groups, runs, strict=True):
            raw = records.raw_hit(run.indexes[0])
            if raw is None or (group == 0 and not head):
                assert run.view == 0
            elif run.view:
                assert known.setdefault(run.view, (group == 0 and head, raw[0])) == (
                    group == 0 and head,
                    raw[0],
                )
            else:
                assert callers.is_full
        assert len(set(known.values())) == len(known)


@each_way
@given(content=st.lists(st.lists(calls, min_size=1, max_size=4), max_size=4), data=st.data())
def test_rows_are_the_records_of_the_runs_with_a_kind(
    callers_type: type[HitCallers], content: list[list[Any]], data: st.DataObject
) -> None:
    records = records_of([each for group in content for each in group], callers_type)
    rest = iter(range(len(records)))
    runs = records.hit_runs([[next(rest) for _ in group] for group in content])
    kinds = data.draw(st.lists(st.integers(-1, 3), min_size=len(runs), max_size=len(runs)))
    for times in (records.times, list(records.times)):
        identities, found_times, indexes, found_kinds = runs.rows(kinds, times)
        chosen = [(kind, run) for kind, run in zip(kinds, runs, strict=True) if kind >= 0]
        assert identities == b"".join(run.identities for _, run in chosen)
        assert indexes.tolist() == [index for _, run in chosen for index in run.indexes]
        assert found_times.tolist() == [records.times[index] for index in indexes]
        assert found_kinds.tolist() == [kind for kind, run in chosen for _ in run.indexes]
