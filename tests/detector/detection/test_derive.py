"""Spans that meet a rule, compared with a look at every span."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.detection import window
from detector.detection.derive import derive, max_gap, supersede_window
from detector.detection.event import KeptEvent, Position
from detector.detection.window import Hit, ListedHits
from detector.ecs.fields import field_table
from detector.esql.plan.planner import plan
from detector.rules.ruleset import load
from tests.detector.esql.conftest import record
from tests.detector.rules.rule_scan import write_rule
from tests.detector.trail import REFERENCE, REFERENCE_FILE

WIDTH = 10
QUERY = plan(
    "from logs-* | stats n = count(*), r = count_distinct(cloud.region), t = max(@timestamp) by "
    "user.name "
    "| where n >= 3 and r >= 2",
    field_table(),
)
times = st.lists(st.tuples(st.integers(0, 60), st.sampled_from("abc")), max_size=25).map(sorted)


def hits(found) -> list[Hit]:
    made = []
    for number, (time, region) in enumerate(found):
        call = record(awsRegion=region, eventID=f"e-{number}")
        ((_, inputs),) = QUERY.rows(call, time)
        identity, row = KeptEvent.of(call, b"{}", time, Position("x", 0, 0))
        made.append(Hit(time, identity, inputs, row))
    return made


def hits_of(rule, times) -> list[Hit]:
    """Make a hit of a rule at each time."""
    made = []
    for time in times:
        call = record(eventID=f"e-{time}")
        ((_, inputs),) = rule.query.rows(call, time)
        identity, row = KeptEvent.of(call, b"{}", time, Position("x", 0, 0))
        made.append(Hit(time, identity, inputs, row))
    return made


def holds(found, first, end) -> bool:
    within = [region for time, region in found if first <= time < end]
    return len(within) >= 3 and len(set(within)) >= 2


def starts(cut: Callable, found) -> list[int]:
    series = ListedHits(hits(found))
    return list(
        cut(
            series.times,
            series.inputs(),
            WIDTH,
            QUERY.sliding_aggregator,
            lambda group, at: QUERY.group_passes(group, at, ("ana",), at + WIDTH),
        )
    )


@given(times)
def test_sliding_matches_oracle(found):
    expected = [
        first for first in sorted({time for time, _ in found}) if holds(found, first, first + WIDTH)
    ]
    assert starts(window.sliding, found) == expected


@given(times)
def test_lookback_matches_oracle(found):
    ends = [time + 1 for time in sorted({time for time, _ in found})]
    assert starts(window.lookback, found) == [
        end - WIDTH for end in ends if holds(found, end - WIDTH, end)
    ]


@given(times)
def test_tumbling_matches_oracle(found):
    expected = [first for first in range(0, 70, WIDTH) if holds(found, first, first + WIDTH)]
    assert starts(window.tumbling, found) == expected


@pytest.mark.parametrize(
    "begins, duration, expected",
    [
        ([0, 9], 0, [(0, 19)]),
        ([0, 10], 0, [(0, 10), (10, 20)]),
        ([0, 9, 18, 27], 0, [(0, 37)]),
        ([0, 10, 25], 16, [(0, 20), (25, 35)]),
        ([0, 10, 15, 25], 16, [(0, 25), (25, 35)]),
        ([0, 15, 24], 16, [(0, 34)]),
        ([0, 16], 16, [(0, 10), (16, 26)]),
        ([], 10, []),
    ],
)
def test_merge_spans_runs_from_the_first_start(begins, duration, expected):
    made = ListedHits(hits([(time, "a") for time in range(0, 40, 5)]))
    spans = list(window.merge_spans(made, begins, WIDTH, duration))
    assert [(span.start, span.end) for span in spans] == expected
    for span in spans:
        assert [hit.time for hit in span.hits] == [
            t for t in range(0, 40, 5) if span.start <= t < span.end
        ]


@pytest.mark.parametrize(
    "condition", ["n == 3", "n >= 3 and n < 4", "n >= 3 and t <= start + 7000"]
)
@pytest.mark.parametrize("mode", ["sliding", "lookback"])
def test_union_that_does_not_meet_the_rule_is_one_alert(tmp_path, mode, condition):
    """The parts meet the conditions; the columns are those of the union all the same."""
    query = (
        "from logs-* | eval w = date_trunc(10 seconds, @timestamp), at = to_long(@timestamp) "
        "| stats n = count(*), start = min(at), t = max(at) by w, user.name | where "
    )
    if mode == "lookback":
        query = query.replace("by w, ", "by ")
    path = write_rule(tmp_path, query + condition, lookback="now-10s")
    (rule,) = load([path], builtin=False, mode="sliding")
    assert rule.query.shape == ("window" if mode == "sliding" else "lookback")
    times = [0, 3, 7, 11, 14, 40, 41, 42]
    found = list(derive(rule, "sliding", ("ana",), hits_of(rule, times)))
    assert [(alert.first_event, alert.last_event, alert.columns["n"]) for alert in found] == [
        (0, 14, 5),
        (40, 42, 3),
    ]


@pytest.mark.parametrize("mode", ["tumbling", "sliding"])
def test_alerts_are_those_that_begin_within_bounds(tmp_path, mode):
    path = write_rule(
        tmp_path,
        "from logs-* | eval w = date_trunc(10 seconds, @timestamp) "
        "| stats n = count(*) by w, user.name | where n >= 2",
    )
    (rule,) = load([path], builtin=False, mode=mode)
    found = hits_of(rule, [0, 1, 20, 21, 40, 41, 60, 61])
    for bounds, starts in (((), [0, 20, 40, 60]), ((20, 40), [20]), ((21, 61), [40, 60])):
        alerts = list(derive(rule, mode, ("ana",), found, *bounds))
        assert [alert.window.start for alert in alerts] == starts
        assert {alert.window.mode for alert in alerts} == {mode}


def test_sliding_is_linear_in_hits():
    class Counted:
        added = dropped = 0

        def add(self, _row):
            Counted.added += 1

        def retract(self):
            Counted.dropped += 1

        def __len__(self):
            return Counted.added - Counted.dropped

    times = list(range(5000))
    rows = [("a",)] * len(times)
    list(window.lookback(times, rows, 4000, Counted, lambda _group, _at: True))
    assert Counted.added == 5000 and Counted.dropped <= 5000


def test_reach_of_each_shape_of_rule(tmp_path):
    """How far hits affect each other, and how far an alert supersedes a withdrawn one."""
    more = (
        '[rule.alert_suppression]\ngroup_by = ["user.name"]\nduration = {value = 2, unit = "m"}\n'
    )
    write_rule(tmp_path, "event.provider: *", "query", more=more)
    rules = {rule.query.shape: rule for rule in load([tmp_path], builtin=False)}
    assert rules["filter"].query.window == max_gap(rules["filter"], "tumbling") == 120
    rules = {rule.query.shape: rule for rule in load([])}
    reference = load([REFERENCE_FILE], builtin=False).get(REFERENCE)
    assert reference is not None and reference.query.shape == "window"
    assert [max_gap(reference, mode) for mode in ("tumbling", "sliding")] == [0, 30]
    for mode in ("tumbling", "sliding"):
        assert max_gap(rules["lookback"], mode) == rules["lookback"].query.window
        assert max_gap(rules["terms"], mode) == rules["terms"].query.window
        assert max_gap(rules["filter"], mode) == 0
    assert supersede_window(rules["terms"]) == rules["terms"].query.window > 0
    assert {supersede_window(rules[shape]) for shape in ("filter", "lookback", "window")} == {0}
