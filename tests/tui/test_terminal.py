"""The terminal shows after few bytes what it would show after all that Textual writes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.drivers.headless_driver import HeadlessDriver
from textual.geometry import Region
from textual.pilot import Pilot
from textual.strip import Strip

from tests.hostile.payloads import screen_text
from tests.tui.emulator import Emulator
from tests.tui.stage import Hunt, press, until
from tui.app.app import HuntApp
from tui.terminal.diff_renderer import DiffRenderer

WIDTH, HEIGHT = 12, 2
CONSOLE = Console(force_terminal=True, color_system="truecolor", width=WIDTH, height=HEIGHT)

styles = st.none() | st.builds(
    Style,
    color=st.sampled_from([None, "#e0a458", "#d3d7de", "red", "default"]),
    bgcolor=st.sampled_from([None, "#14171c", "#232832", "blue", "default"]),
    bold=st.booleans(),
    dim=st.booleans(),
    underline=st.booleans(),
    reverse=st.booleans(),
)

texts = (
    st.text(st.sampled_from("ab  ─▌"), max_size=8)
    | st.text(st.sampled_from("日本 "), max_size=4)
    | st.sampled_from(["e\u0301", "\u0301", "日\u0301b"])
)


@st.composite
def strips(draw: st.DrawFn, width: int) -> Strip:
    segments = draw(st.lists(st.builds(Segment, texts, styles, st.none()), max_size=4))
    return Strip([Segment("x"), *segments]).adjust_cell_length(
        width
    )  # a mark has a letter that it is on


@st.composite
def updates(draw: st.DrawFn) -> CompositorUpdate:
    """The whole screen, or parts of some lines, cut where widgets meet."""
    if draw(st.integers(0, 3)) == 0:
        return LayoutUpdate(
            [[draw(strips(WIDTH))] for _ in range(HEIGHT)], Region(0, 0, WIDTH, HEIGHT)
        )
    cuts = [
        sorted({0, WIDTH, *draw(st.lists(st.integers(1, WIDTH - 1), max_size=2))})
        for _ in range(HEIGHT)
    ]
    chops = [
        {start: draw(st.none() | strips(end - start)) for start, end in pairwise(line)}
        for line in cuts
    ]
    spans = [
        (y, *sorted(draw(st.lists(st.sampled_from(cuts[y]), min_size=2, max_size=2, unique=True))))
        for y in draw(st.lists(st.integers(0, HEIGHT - 1), min_size=1, unique=True).map(sorted))
    ]
    return ChopsUpdate(chops, spans, [line[1:] for line in cuts])


@given(
    st.lists(updates(), min_size=1, max_size=3).flatmap(
        lambda few: st.lists(st.sampled_from(few), max_size=6)
    )
)
def test_renderer_draws_what_textual_draws(drawn: Sequence[CompositorUpdate]) -> None:
    terminal, ours, textuals = DiffRenderer(), Emulator(WIDTH, HEIGHT), Emulator(WIDTH, HEIGHT)
    for update in drawn:
        ours.feed(terminal.reduce(update).render_segments(CONSOLE))
        textuals.feed(update.render_segments(CONSOLE))
        assert ours.seen == textuals.seen


@given(updates())
def test_unchanged_cells_are_not_written(update: CompositorUpdate) -> None:
    terminal = DiffRenderer()
    first = terminal.reduce(update).render_segments(CONSOLE)
    assert not terminal.reduce(update).render_segments(CONSOLE)
    terminal.forget()
    assert terminal.reduce(update).render_segments(CONSOLE) == first


def test_dropped_update_is_not_remembered() -> None:
    """Textual draws some updates and drops them."""
    terminal, update = (
        DiffRenderer(),
        LayoutUpdate([[Strip([Segment("seen")])]], Region(0, 0, 4, 1)),
    )
    terminal.reduce(update)
    assert "seen" in terminal.reduce(update).render_segments(CONSOLE)


def test_terminal_follows_every_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through lists, forms over them, other areas and themes: letters and colours, also after it
    was wiped."""
    size = 100, 30
    terminals = [Emulator(*size)]
    monkeypatch.setattr(HeadlessDriver, "is_headless", property(lambda _: False))
    monkeypatch.setattr(HeadlessDriver, "write", lambda _, data: terminals[-1].feed(data))

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        async def follows() -> None:
            await until(pilot, lambda: terminals[-1].text == screen_text(app).splitlines())
            whole = Emulator(*size)
            whole.feed(app.screen._compositor.render_update(full=True).render_segments(app.console))
            assert terminals[-1].seen == whole.seen

        await pilot.resize_terminal(*size)
        await follows()
        for keys in (
            "j",
            "space",
            "x",
            "escape",
            "escape",
            "enter",
            "j",
            "tab",
            "question_mark",
            "escape",
            "q",
            "6",
            "1",
            "T",
            "j",
            "enter",
            "slash",
            "c",
            "a",
            "enter",
        ):
            await press(pilot, keys)
            await follows()
        terminals.append(Emulator(*size))
        await press(pilot, "ctrl+l")
        await follows()

    Hunt(tmp_path).play(journey)


def test_typed_text_is_whole_after_the_terminal_changed_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = "A key of the CI is used from an address abroad that was never seen before"
    terminals = [Emulator(80, 24)]
    monkeypatch.setattr(HeadlessDriver, "is_headless", property(lambda _: False))
    monkeypatch.setattr(HeadlessDriver, "write", lambda _, data: terminals[-1].feed(data))

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await pilot.resize_terminal(80, 24)
        await press(pilot, "9", "plus")
        await press(pilot, "tab", f"'{typed}")
        for size in ((60, 15), (80, 24)):
            terminals.append(Emulator(*size))
            await pilot.resize_terminal(*size)
            await until(pilot, lambda: typed in " ".join(" ".join(terminals[-1].text).split()))

    Hunt(tmp_path).play(journey)
