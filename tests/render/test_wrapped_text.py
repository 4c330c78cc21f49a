"""A text wrapped into the lines that it has room for."""

from __future__ import annotations

from textual.content import Content
from textual.message import Message
from textual.pilot import Pilot

from tests.hostile.payloads import screen_text
from tests.render.stage import perform
from tui.widgets.wrapped_text import WrappedText

WORDS = "one two three four five"


def shown(width: int, height: int | str, words: str = WORDS) -> list[str]:
    """Return the lines of a text drawn after a change of its width."""
    lines: list[str] = []

    async def act(sentence: WrappedText, pilot: Pilot[None], _messages: list[Message]) -> None:
        sentence.styles.width, sentence.styles.height = 60, height
        await pilot.pause()
        sentence.styles.width = width
        await pilot.pause()
        lines.extend(screen_text(pilot.app).rstrip().split("\n"))

    perform(lambda: WrappedText(Content(words)), act)
    return lines


def test_text_is_cut_only_where_it_does_not_fit() -> None:
    assert shown(60, 1) == [WORDS]
    assert shown(23, 1) == [WORDS]
    assert shown(22, 1) == ["one two three four fi…"]
    assert shown(14, 2) == ["one two three", "four five"]
    assert shown(9, 2) == ["one two", "three fo…"]
    assert shown(5, "auto") == ["one", "two", "three", "four", "five"]
    assert shown(5, 4) == ["one", "two", "three", "four…"]


def test_ellipsis_is_not_doubled() -> None:
    assert shown(10, 1, "Key AKIA…MPLE is new") == ["Key AKIA…"]
