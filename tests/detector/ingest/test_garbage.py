"""The collector of cyclic garbage, while logs are read."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from detector.ingest.garbage import fewer_collections, rare_collections


@pytest.fixture
def collections() -> Iterator[list[int]]:
    """Yield the generations that are collected."""
    begun: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            begun.append(info["generation"])

    gc.callbacks.append(note)
    yield begun
    gc.callbacks.remove(note)


def test_what_is_held_is_hardly_looked_through(collections: list[int]) -> None:
    """Neither while it is made nor at once when that is over; garbage is freed in the end."""
    threshold = gc.get_threshold()
    with rare_collections():
        collections.clear()
        held: list[list[object]] = [[] for _ in range(100_000)]
        for each in held:
            each.append(each)
        assert collections == []
        young = gc.get_objects(generation=0)
        assert len(young) >= len(held)
        del young
    assert len(gc.get_objects(generation=0)) < 10_000
    assert gc.get_freeze_count() == 0
    assert gc.get_threshold() == threshold
    del each, held
    assert gc.collect() >= 100_000


def test_what_is_held_is_looked_through_rarely_while_a_screen_waits(
    collections: list[int],
) -> None:
    """Only what is young, a few times; and what other threads make is still collected."""
    threshold = gc.get_threshold()
    gc.collect()
    with fewer_collections():
        collections.clear()
        held: list[list[object]] = [[] for _ in range(120_000)]
        assert set(collections) == {0}
        assert len(collections) <= 3
        assert gc.get_freeze_count() == 0
    assert gc.get_threshold() == threshold
    assert len(held) == 120_000
