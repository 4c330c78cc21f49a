"""A text in the lines that there are for it, with a sign where it goes on."""

from __future__ import annotations

from textual.content import Content
from textual.message import Message
from textual.pilot import Pilot

from tests.hostile.payloads import screen_text
from tests.render.stage import perform
from tui.widgets.wrapped_text import WrappedText

WORDS = "one two three four five"


def shown(width: int, height: int | str, words: str = WORDS) -> list[str]:
    """Its lines in so much room, drawn anew after it had another width."""
    found: list[str] = []

    async def act(sentence: WrappedText, pilot: Pilot[None], _said: list[Message]) -> None:
        sentence.styles.width, sentence.styles.height = 60, height
        await pilot.pause()
        sentence.styles.width = width
        await pilot.pause()
        found.extend(screen_text(pilot.app).rstrip().split("\n"))

    perform(lambda: WrappedText(Content(words)), act)
    return found


def test_it_is_cut_only_where_it_does_not_fit() -> None:
    assert shown(60, 1) == [WORDS]
    assert shown(23, 1) == [WORDS]
    assert shown(22, 1) == ["one two three four fi…"]
    assert shown(14, 2) == ["one two three", "four five"]
    assert shown(9, 2) == ["one two", "three fo…"]
    assert shown(5, "auto") == ["one", "two", "three", "four", "five"]
    assert shown(5, 4) == ["one", "two", "three", "four…"]


def test_what_was_cut_short_before_is_not_cut_twice() -> None:
    assert shown(10, 1, "Key AKIA…MPLE is new") == ["Key AKIA…"]
