"""Runs of records that are alike as hits, against looking at each record by itself."""

from __future__ import annotations

import json
from itertools import groupby
from operator import itemgetter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from detector.formats import Chunk, Records, parse_records
from detector.formats.native.callers import KnownCallers
from detector.formats.native.columns import IDENTITY, identities_in
from detector.formats.native.hit_runs import HitRun, HitRuns, Questions
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


def records_of(content: list[Any]) -> Records:
    data = json.dumps({"Records": content}).encode()
    return parse_records(Chunk(0, memoryview(bytearray(data)), lines=False))


@needs_native
@given(st.lists(st.lists(calls, min_size=1, max_size=8), max_size=4), st.randoms())
def test_runs_are_of_records_of_one_view(content: list[list[Any]], random: Any) -> None:
    """A record that must be decoded for its view is a run by itself; groups share no run."""
    records = records_of([each for group in content for each in group])
    indexes = list(range(len(records)))
    random.shuffle(indexes)
    rest = iter(indexes)
    groups = [sorted(next(rest) for _ in group) for group in content]
    runs = records.hit_runs(groups)
    assert runs is not None
    for number, group in enumerate(groups):
        found = list(runs.of_group(number))
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


def runs_of(records: Records, groups: list[list[int]], questions: Questions) -> HitRuns:
    runs = records.hit_runs(groups, questions)
    assert runs is not None
    return runs


def flat(runs: HitRuns, groups: list[list[int]]) -> list[HitRun]:
    return [run for number in range(len(groups)) for run in runs.of_group(number)]


@needs_native
@given(st.lists(calls, min_size=1, max_size=8), st.sets(st.integers(1, 9)), st.integers(2, 9))
def test_what_a_caller_refuses_is_in_no_run(
    content: list[Any], refusing: set[int], capacity: int
) -> None:
    """But for callers that are not known: of records to be decoded, or without room."""
    records = records_of(content)
    indexes = list(range(len(records)))
    groups = [indexes, indexes, indexes]
    callers = KnownCallers(capacity)
    questions = Questions(callers, [REFUSED, OTHER, 0])
    before = flat(runs_of(records, groups, questions), groups)
    without = records.hit_runs(groups)
    assert without is not None
    assert [run[:2] for run in before] == [run[:2] for run in flat(without, groups)]
    for run in before:
        if run.caller in refusing:
            callers.refuse(run.caller, REFUSED)
    runs = runs_of(records, groups, questions)
    own = len(list(without.of_group(0)))
    expected = [run for run in before[:own] if not run.caller or run.caller not in refusing]
    if callers.is_full:
        assert flat(runs, groups) == before
        return
    assert list(runs.of_group(0)) == expected
    assert flat(runs, groups)[len(expected) :] == before[own:]
    assert list(runs.groups()) == [number for number in range(3) if list(runs.of_group(number))]
