"""Facts and indented texts, wrapped to their width."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content

from tui.presentation.word_parts import part_long_words
from tui.screens.base.fact_list import Fact, FactList, Indented, Line


def drawn(line: Line, cells: int) -> list[str]:
    return [each.rstrip() for each in FactList([line])._wrapped(cells).plain.split("\n")]


def test_long_words_part_between_their_parts() -> None:
    call = "autoscaling.amazonaws.com:DescribeAutoScalingGroups, ce.amazonaws.com:GetCostAndUsage"
    assert drawn(Fact("uncommon", call), 42) == [
        "uncommon   autoscaling.amazonaws.com:",
        "           DescribeAutoScalingGroups,",
        "           ce.amazonaws.com:",
        "           GetCostAndUsage",
    ]
    assert drawn(Fact("call", "DescribeAutoScalingGroups"), 30) == [
        "call       DescribeAutoScaling",
        "           Groups",
    ]


def test_wrapped_lines_stand_further_in() -> None:
    assert drawn(Indented(2, "fires: 17 regions, 34 events in 11 s"), 24) == [
        "  fires: 17 regions,",
        "    34 events in 11 s",
    ]


@given(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=120), st.integers(1, 40)
)
def test_no_character_is_lost_and_no_line_shows_a_space_of_a_parted_word(
    text: str, cells: int
) -> None:
    parted = part_long_words(text, cells)
    assert parted.replace(" ", "") == text.replace(" ", "")
    assert not re.search(rf"[!-~]{{{cells + 1},}}", parted)
    if not re.search(r"\s", text):
        lines = [line.plain.strip(" ") for line in Content(parted).wrap(cells)]
        assert "".join(lines) == text and not any(" " in line for line in lines)
