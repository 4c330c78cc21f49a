"""Patterns of LIKE and its kin, against the automaton that any of them can be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.esql.errors import QUERY_START
from detector.esql.like import matcher, wildcard
from detector.text.linear_regex import full_matcher

LETTERS = st.text(st.sampled_from("ab*?\\\n.é\udc00\U0010ffff"), max_size=6)


@given(LETTERS, LETTERS)
def test_every_pattern_matches_what_its_automaton_does(pattern: str, text: str) -> None:
    test = matcher([pattern], False, QUERY_START)
    for each in (text, text + pattern.replace("*", ""), pattern.replace("*", text)):
        assert test(each) == full_matcher(wildcard(pattern))(each)


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("ab*ba", "aba", False),
        ("ab*ba", "abba", True),
        ("*", "", True),
        (r"\*a", "*a", True),
        (r"\*a", "ba", False),
        ("a*b*c", "a.b.c", True),
    ],
)
def test_pattern(pattern: str, text: str, matches: bool) -> None:
    assert matcher([pattern], False, QUERY_START)(text) is matches
