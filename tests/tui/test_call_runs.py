"""Runs of equal calls: every call once, in the row of its run."""

from __future__ import annotations

from itertools import groupby

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from detector.detection.event import Event, Position
from tui.screens.alert.call_runs import CallRuns

_CALL = Event(*("",) * 2, 0, *("",) * 13, Position("file", 0, 0))


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")), max_size=12))
def test_runs_keep_every_call_once(kinds: list[tuple[str, str]]) -> None:
    calls = [
        msgspec.structs.replace(_CALL, time=index, action=action, region=region)
        for index, (action, region) in enumerate(kinds)
    ]
    assert CallRuns(calls, folds=False).shown == calls
    runs = CallRuns(calls, folds=True)
    lengths = [len(list(group)) for _, group in groupby(action for action, _ in kinds)]
    assert len(runs.shown) == sum(1 if length >= 3 else length for length in lengths)
    assert {runs.row_of(call) for call in calls} == set(runs.shown)
    assert all(runs.row_of(call).action == call.action for call in calls)
