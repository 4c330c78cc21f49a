"""Windows over every small arrangement of hits, compared with their definitions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, combinations_with_replacement
from typing import Any

import pytest

from detector.detection.window import Hit, ListedHits, lookback, merge_spans, sliding, tumbling

ARRANGEMENTS = [
    times for count in range(5) for times in combinations_with_replacement(range(6), count)
]
Members = list[int]


class Group:
    """The times of the hits that are in the group now."""

    def __init__(self) -> None:
        self.times: Members = []

    def add(self, row: Any) -> None:
        self.times.append(row[0])

    def retract(self) -> None:
        del self.times[0]

    def __len__(self) -> int:
        return len(self.times)


def hits(times: tuple[int, ...]) -> list[Hit]:
    return [Hit(time, bytes([number]), (time,), None) for number, time in enumerate(times)]  # type: ignore[arg-type]


def asked(
    cut: Callable[..., Iterator[int]], times: tuple[int, ...], width: int, least: int
) -> tuple[list[tuple[int, Members]], list[int]]:
    """Return each start and group that the rule is asked about, and the starts found."""
    seen: list[tuple[int, Members]] = []

    def meets(group: Group, start: int) -> bool:
        seen.append((start, list(group.times)))
        return len(group) >= least

    starts = list(cut(times, [(time,) for time in times], width, Group, meets))
    return seen, starts


def within(times: tuple[int, ...], start: int, width: int) -> Members:
    return [time for time in times if start <= time < start + width]


DEFINITIONS: dict[Callable[..., Iterator[int]], Callable[[int, int], int]] = {
    tumbling: lambda time, width: time // width * width,
    sliding: lambda time, width: time,
    lookback: lambda time, width: time - width + 1,
}


@pytest.mark.parametrize("cut", DEFINITIONS, ids=lambda cut: cut.__name__)
def test_windows_are_those_of_the_definition(cut: Callable[..., Iterator[int]]) -> None:
    """At any time, also long before the epoch of these: windows are aligned to zero."""
    for times in ARRANGEMENTS:
        for width in range(1, 5):
            for shift in (0, 1, 7):
                moved = tuple(time + shift for time in times)
                starts = sorted({DEFINITIONS[cut](time, width) for time in moved})
                groups = [(start, within(moved, start, width)) for start in starts]
                for least in (1, 2):
                    found = [start for start, members in groups if len(members) >= least]
                    assert asked(cut, moved, width, least) == (groups, found)


def test_merged_spans_are_those_of_the_definition() -> None:
    for count in range(5):
        for starts in combinations(range(7), count):
            for width in range(1, 4):
                for duration in (0, 1, 3):
                    events = hits((0, 1, 1, 3, 4, 6, 8))
                    merged = [
                        (start, end, list(inside))
                        for start, end, inside in merge_spans(
                            ListedHits(events), starts, width, duration
                        )
                    ]
                    assert merged == merged_by_definition(events, starts, width, duration)


def merged_by_definition(
    events: list[Hit], starts: tuple[int, ...], width: int, duration: int
) -> list[tuple[int, int, list[Hit]]]:
    parts: list[list[int]] = []
    for start in starts:
        if parts and (start < parts[-1][-1] + width or start < parts[-1][0] + duration):
            parts[-1].append(start)
        else:
            parts.append([start])
    return [
        (
            part[0],
            part[-1] + width,
            [hit for hit in events if part[0] <= hit.time < part[-1] + width],
        )
        for part in parts
    ]


def test_times_of_hits_are_taken_once_for_all_spans() -> None:
    """Those of a million hits are copied each time."""
    taken = []

    class Counted(ListedHits):
        @property
        def times(self) -> Sequence[int]:
            taken.append(self)
            return super().times

    events = Counted(hits((0, 10, 20, 30)))
    assert len(list(merge_spans(events, (0, 10, 20, 30), 1, 0))) == 4
    assert taken == [events]
