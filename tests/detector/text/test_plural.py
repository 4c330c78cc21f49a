"""Counts with their nouns."""

from __future__ import annotations

import pytest

from detector.text.plural import counted, plural


@pytest.mark.parametrize(
    "noun",
    ["region", "address", "entry", "service", "watch", "box", "second", "key", "agent", "hash"],
)
def test_one_of_a_plural_is_the_noun(noun: str) -> None:
    plural_noun = plural(2, noun).removeprefix("2 ")
    assert counted("1", plural_noun) == f"1 {noun}"
    assert counted("12", plural_noun) == f"12 {plural_noun}"


def test_words_after_the_noun_stay() -> None:
    nouns = "seconds from first to last event"
    assert counted("1", nouns) == "1 second from first to last event"
    assert counted("2", nouns) == f"2 {nouns}"
    assert counted("1", "distinct cloud.region") == "1 distinct cloud.region"
