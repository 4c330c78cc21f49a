"""RE2 matches what Python matches, takes linear time, and never raises for a text."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.text.linear_regex import compile_regex, full_matcher, glob_regex


def glob_matcher(glob: str) -> Callable[[str], bool]:
    return full_matcher(glob_regex((letter, letter in ("*", "?")) for letter in glob))


@given(st.text("ab*?[]é\n.", max_size=8), st.text("ab[]é\n.\ud800", max_size=10))
def test_glob_matches_as_fnmatch(glob, text):
    assert glob_matcher(glob)(text) == fnmatch.fnmatchcase(text, glob.replace("[", "[[]"))


def test_glob_takes_linear_time_over_a_hostile_text():
    """An engine that backtracks would take longer than anyone waits."""
    assert not glob_matcher("*a" * 30 + "b")("a" * 60_000)


@pytest.mark.parametrize("letter", ["?", "*?", "a"])
def test_long_glob_is_compiled(letter):
    assert glob_matcher(letter * 20_000)("a" * 20_000)


@given(st.characters())
def test_escaped_character_matches_itself(character):
    literal = glob_regex([(character, False)])
    assert full_matcher(literal)(character)


@pytest.mark.parametrize("text", ["\ud800", "a\udfff", "\ud83d\ude00", "\U0001f600", "\0"])
def test_any_text_matches_lone_surrogates(text):
    assert full_matcher("(?s:.)" * len(text))(text)


@pytest.mark.parametrize("pattern", ["a{1001}", "(?:(?:a{100}){10}){2}", "(?:\\pL{500}){2}"])
def test_pattern_beyond_the_memory_is_refused(pattern):
    with pytest.raises(ValueError, match="the pattern is too large"):
        compile_regex(pattern)


def test_pattern_matches_as_before_in_little_memory(monkeypatch):
    pattern, texts = "(?:a|b)*a(?:a|b){12}", ["ab" * 40, "a" + "b" * 12, "b" * 50]
    monkeypatch.setattr("detector.text.linear_regex.MAX_MEMORY", 1 << 16)
    test = full_matcher(pattern)
    assert [test(text) for text in texts] == [
        re.fullmatch(pattern, text) is not None for text in texts
    ]
