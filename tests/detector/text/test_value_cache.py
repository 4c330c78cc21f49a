"""A cache of values of a log is bounded, and tells what it was made to tell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.text.value_cache import LONGEST_KEY, Generations, ValueCache

KEYS = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from((1, LONGEST_KEY))))


@given(KEYS, st.integers(1, 4))
def test_value_cache_is_bounded_and_exact(keys: list[tuple[str, int]], limit: int) -> None:
    cache: ValueCache[str, str] = ValueCache(str.upper, limit)
    for letter, count in keys:
        assert cache[letter * count] == letter.upper() * count
        assert len(cache) <= limit
        assert all(len(key) < LONGEST_KEY for key in cache)


def test_value_cache_derives_what_comes_again_once() -> None:
    derived: list[str] = []
    cache: ValueCache[str, None] = ValueCache(derived.append, 2)
    for key in "ababcacab":
        cache[key]
    assert derived == ["a", "b", "c"], "c is a second generation, in which a and b come again"


def test_generations_forget_what_was_not_asked_for() -> None:
    values: Generations[str, int] = Generations()
    values |= {"asked": 1, "other": 2}
    assert values.turn() == {"asked": 1, "other": 2}
    assert values["asked"] == 1
    assert values.turn() == {"asked": 1}
    with pytest.raises(KeyError):
        values["other"]
