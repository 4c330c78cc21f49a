"""The words that a person reads: one idea, one word, in the field's own terms."""

from __future__ import annotations

import re

import pytest

from docs.strings import code_strings, readable_strings

FORMER = (
    r"EC2 machines?\b|\bmachine images?\b|\bmachines? (?:started|are started|in|and networks)\b",
    "long-term key(?! denied)",
    "whose key it",
    "whose credentials",
    "refused calls",
    "calls refused",
    "tells? of",
    "let go of",
    "gives? the space back",
    "what is known",
    "nothing known",
    "held at",
    "fires at",
    "baseline too short",
    "known before",
    "counted calls:",
    "around it:",
    "nobody has",
    "take back",
    "takes it back",
    "whoever",
    "broke through",
    "break through",
    "breaks through",
    "as usual",
    'unused-region(?!`|"|$|, | )',
    r"\brare\b",
    "is no (?:such time|interval|network|file|role|field|list|project|TOML|JSON)",
    "one sweep",
    "unfolds?",
    "turn the order",
    "say times",
    "held still",
    r"\bbrush\b(?!`|\.)",
    "burst before",
    "looks? further",
    "as wide as",
    "as narrow as",
    "draw the screen again",
    "switch the rule",
    "searched by",
    "first start",
    "look again",
    "cannot be seen any more",
    "taken up",
    r"(?<!`)\blifted\b(?!`)",
    "counts as skipped from now on",
    "what it found",
    "what is like",
    "hides what",
    "the house",
    "no number of",
    "start afresh",
    "rescues",
    "whether all is well",
    "ask a query",
    "completes the command line",
    "came to nothing",
    "exit with 10",
    "withdrawn: ",
    "within one second",
    "none within 30",
    "go on as",
    "who answers",
    "who follows",
    "an empty one",
    "which (?:value|file|command)\\?",
    "within each other",
)
"""Phrases that screens and documents no longer use."""


def test_strings_of_a_module_are_found_without_its_docstrings() -> None:
    source = (
        '"""A module."""\nNAME = "not-shown"\n\n\ndef f(n):\n    """Do it."""\n'
        '    return f"{n} alerts in all", "SELECT a FROM b"\n'
    )
    assert list(code_strings(source)) == [(2, "not-shown"), (7, "{…} alerts in all")]


@pytest.fixture(scope="module")
def shown() -> list[tuple[str, str]]:
    """Return each string, and what it says in small letters."""
    strings = [str(each) for each in readable_strings()]
    return [(each, each.split(": ", 1)[1].lower()) for each in strings]


@pytest.mark.parametrize("phrase", FORMER)
def test_no_former_phrase_is_left(phrase: str, shown: list[tuple[str, str]]) -> None:
    pattern = re.compile(phrase.lower())
    assert [line for line, words in shown if pattern.search(words)] == []
