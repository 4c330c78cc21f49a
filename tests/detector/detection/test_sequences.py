"""Sequences against plain Python, over all spans, and by every way of delivery."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.detection.sequences import find_sequences, sequence_spans
from detector.detection.window import Hit
from detector.esql.plan.sequence import CompiledSequence


class Found(NamedTuple):
    """An event: its second, and the steps that it is."""

    time: int
    steps: frozenset[int]


def hits_of(events: list[Found]) -> list[Hit]:
    ordered = sorted(events, key=lambda event: event.time)
    return [
        Hit(event.time, b"", (sum(1 << step for step in event.steps),), None)  # type: ignore[arg-type]
        for event in ordered
    ]


Missing = tuple[tuple[int, int], ...]


def sequence(
    order: tuple[int, ...], until: int | None = None, missing: Missing = (), **changed: bool
) -> CompiledSequence:
    options = {"ordered": True, "reuse": False, **changed}
    return CompiledSequence((), order, until, options["ordered"], options["reuse"], missing=missing)


def complete_spans(
    events: list[Found],
    order: tuple[int, ...],
    until: int | None,
    width: int,
    reuse: bool,
    missing: Missing = (),
) -> list[tuple[int, int]]:
    """Try every choice of events for the places; of each last second the latest first one."""
    starts: dict[int, int] = {}
    places = [
        [index for index, event in enumerate(events) if step in event.steps] for step in order
    ]
    for chosen in itertools.product(*places):
        if not reuse and len(set(chosen)) < len(chosen):
            continue
        times = [events[index].time for index in chosen]
        if times != sorted(times) or times[-1] - times[0] >= width:
            continue
        ended = any(until in event.steps and times[0] < event.time < times[-1] for event in events)
        interrupted = any(
            step in event.steps and times[place - 1] < event.time < times[place]
            for place, step in missing
            for event in events
        )
        if not ended and not interrupted:
            starts[times[-1]] = max(times[0], starts.get(times[-1], times[0]))
    return [(start, last) for last, start in sorted(starts.items())]


events_of = st.lists(
    st.builds(Found, st.integers(0, 9), st.frozensets(st.integers(0, 3), min_size=1)), max_size=7
)


@given(
    events_of,
    st.sampled_from([(0,), (0, 1), (0, 1, 2), (0, 0), (0, 0, 1), (1, 0, 1), (2, 2, 2)]),
    st.sampled_from([None, 3]),
    st.integers(1, 12),
    st.booleans(),
)
def test_sequences_match_oracle(events, order, until, width, reuse):
    if reuse:
        order = tuple(dict.fromkeys(order))
    expected = complete_spans(events, order, until, width, reuse)
    got = find_sequences(hits_of(events), sequence(order, until, reuse=reuse), width)
    assert list(got) == expected


@given(
    events_of,
    st.sampled_from([(0, 1), (0, 1, 2), (0, 0, 1), (1, 0, 1), (0, 1, 0, 1)]),
    st.lists(st.tuples(st.integers(1, 3), st.integers(0, 3)), min_size=1, max_size=2),
    st.sampled_from([None, 3]),
    st.integers(1, 12),
)
def test_sequences_with_missing_events_match_oracle(events, order, gaps, until, width):
    missing = tuple((place, step) for place, step in gaps if place < len(order))
    expected = complete_spans(events, order, until, width, False, missing)
    got = find_sequences(hits_of(events), sequence(order, until, missing), width)
    assert list(got) == expected


@given(events_of, st.sampled_from([(0,), (0, 1), (2, 0, 1)]), st.integers(1, 12))
def test_unordered_steps_match_oracle(events, order, width):
    """The latest first second from which all steps are there, for each second with one of them."""
    expected = []
    for last in sorted({event.time for event in events if event.steps & set(order)}):
        for first in range(last, last - width, -1):
            within = [event.steps for event in events if first <= event.time <= last]
            if set(order) <= frozenset().union(*within):
                expected.append((first, last))
                break
    got = find_sequences(hits_of(events), sequence(order, ordered=False, reuse=True), width)
    assert list(got) == expected


@given(
    events_of,
    st.sampled_from([(0, 1), (2, 0, 1), (0, 0), (1, 0, 1), (2, 2, 2)]),
    st.sampled_from([None, 3]),
    st.integers(1, 12),
)
def test_samples_match_oracle(events, order, until, width):
    """Every choice of an event for each step, in any order, none of them twice."""
    starts: dict[int, int] = {}
    for chosen in itertools.permutations(events, len(order)):
        times = sorted(event.time for event in chosen)
        fits = all(step in event.steps for step, event in zip(order, chosen, strict=True))
        ended = any(until in event.steps and times[0] < event.time < times[-1] for event in events)
        if fits and times[-1] - times[0] < width and not ended:
            starts[times[-1]] = max(times[0], starts.get(times[-1], 0))
    got = find_sequences(hits_of(events), sequence(order, until, ordered=False), width)
    assert list(got) == [(first, last) for last, first in sorted(starts.items())]


@given(events_of, st.integers(1, 12))
def test_spans_never_go_back(events, width):
    spans = list(find_sequences(hits_of(events), sequence((0, 1, 0), 3), width))
    assert spans == sorted(spans) and sorted(start for start, _ in spans) == [s for s, _ in spans]


@pytest.mark.parametrize(
    "spans, expected",
    [
        ([(0, 5)], [(0, 6)]),
        ([(0, 5), (5, 9)], [(0, 10)]),
        ([(0, 5), (6, 9)], [(0, 6), (6, 10)]),
        ([(0, 5), (0, 7), (6, 9)], [(0, 10)]),
        ([], []),
    ],
)
def test_spans_that_overlap_are_one(spans, expected):
    joined = sequence_spans([], spans, 0)
    assert [(span.start, span.end) for span in joined] == expected


def test_span_holds_its_steps_without_what_ends_them():
    hits = hits_of(
        [Found(0, frozenset({0})), Found(1, frozenset({3})), Found(2, frozenset({1, 3}))]
    )
    ending = sequence((0, 1), 3, missing=((1, 0),)).ending  # 0 is a step too
    (span,) = sequence_spans(hits, [(0, 2)], ending)
    assert [hit.time for hit in span.hits] == [0, 2]


def test_hundred_runs_in_one_second_are_fast_enough_to_count():
    """The number of events of a second does not matter, only how many places there are."""
    hits = hits_of([Found(7, frozenset({0, 1}))] * 5000 + [Found(9, frozenset({1}))] * 5000)
    order = (0,) * 100 + (1,) * 100
    assert list(find_sequences(hits, sequence(order), 60)) == [(7, 7), (7, 9)]
