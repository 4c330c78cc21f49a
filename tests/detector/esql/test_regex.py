"""Regular expressions match as in Python, in linear time."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from detector.esql.regex import Regex, Spans

ATOMS = [
    "a",
    "b",
    "é",
    r"\.",
    ".",
    r"\d",
    r"\w",
    r"\s",
    r"\D",
    r"\W",
    r"\S",
    "[ab]",
    "[^a]",
    "[^\\n]",
    r"[\s\S]",
    r"[^\W_]",
    r"[\W\d]",
    r"[^\S\n]",
    "[a-é]",
    "[\ud7ff-\U0010ffff]",
    "(?i:A)",
    "(?i:É)",
    "^",
    "$",
    r"\A",
    r"\Z",
    r"\b",
    r"\B",
    r"(?<!\d)",
    "(?![ab])",
    "(?=a)",
    "(?<=.)",
    "(?-m:$)",
]
QUANTIFIERS = ["?", "*", "+", "{2}", "{1,2}", "{2,}", "??", "*?", "+?"]
CONSUMING = [atom for atom in ATOMS if re.fullmatch(r"(\\[dwsDWS.]|[abé.]|\[.*|\(\?i:.*)", atom)]


def grouped(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return (
        st.builds("{}{}".format, inner, inner)
        | st.builds("({}|{})".format, inner, inner)
        | st.builds("(?:{}|{})".format, inner, inner)
        | st.builds("({})".format, inner)
        | st.builds(
            "(?:{}{}){}".format, st.sampled_from(CONSUMING), inner, st.sampled_from(QUANTIFIERS)
        )
    )


PATTERNS = st.recursive(
    st.sampled_from(ATOMS)
    | st.builds("{}{}".format, st.sampled_from(CONSUMING), st.sampled_from(QUANTIFIERS)),
    grouped,
    max_leaves=6,
)
TEXTS = st.text("aAbé1_. \n\ud800\ue000\U0001f600", max_size=8)


def python_matches(pattern: re.Pattern[str], text: str) -> list[Spans]:
    """Find the matches by Python, in the steps of Java's replaceAll."""
    matches = []
    start = 0
    while start <= len(text) and (match := pattern.search(text, start)):
        matches.append([match.span(group) for group in range(pattern.groups + 1)])
        start = match.end() + (match.start() == match.end())
    return matches


def supported(pattern: str, flags: int) -> Regex:
    try:
        return Regex(pattern, flags)
    except ValueError as error:
        assert "what may be empty" in str(error)
        reject()


@settings(max_examples=150)
@given(PATTERNS, st.lists(TEXTS, min_size=1, max_size=5), st.sampled_from([0, re.MULTILINE]))
def test_matches_equal_those_of_python(pattern, texts, flags):
    expected = re.compile(pattern, flags)
    regex = supported(pattern, flags)
    assert [list(regex.matches(text)) for text in texts] == [
        python_matches(expected, text) for text in texts
    ]


@pytest.mark.parametrize(
    "pattern, says",
    [
        (r"(a)\1", "a back-reference is not supported"),
        (r"(?P<x>a)(?P=x)", "a back-reference is not supported"),
        ("(a)?(?(1)b|c)", "a condition on a group is not supported"),
        ("(?=ab)a", "look-around of more than one character is not supported"),
        ("(?<!ab)c", "look-around of more than one character is not supported"),
        ("(?>a*)b", "an atomic group (?>…) is not supported"),
        ("a*+b", "a possessive quantifier is not supported"),
        ("(?a)\\w", "the flag a is not supported"),
        ("a{1001}", "more than 1000 times"),
        ("(?:a{1000}){1000}", "too large"),
        ("(a*)*", "a repetition without end of what may be empty is not supported"),
        ("(a", "no regular expression: missing )"),
    ],
)
def test_nonlinear_construct_is_refused(pattern, says):
    with pytest.raises(ValueError, match=re.escape(says)) as error:
        Regex(pattern)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "pattern", ["(a+)+b", "(a|a|aa)*b", r"(\w+\b)*\d", r".*a.*a.*a.*a.*b$", r"(?<!b)(a+)+\b-"]
)
def test_hostile_text_is_searched_in_linear_time(pattern):
    """An engine that backtracks would take longer than anyone waits."""
    assert Regex(pattern).search("a" * 60_000) is None
