"""The heat strip: its drawing, cursor, axis and view."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from textual.message import Message
from textual.pilot import Pilot

from tests.render.stage import drawn, perform, style_at
from tui.widgets.charts.heat_strip import HEAT_GLYPHS, HeatStrip
from tui.widgets.charts.time_axis import TimeAxis
from tui.widgets.charts.time_view import TimeView

START = 1_772_366_280  # 2026-03-01T11:58:00Z
REGIONS = ["us-east-1", "us-east-2", "af-south-1"]
TIMES = [
    *[("us-east-1", START + 1)] * 7, ("us-east-1", START + 3),
    *[("us-east-2", START + 2.9)] * 2,
    ("af-south-1", START + 29), ("af-south-1", START + 30),
]  # fmt: skip

Messages = list[Message]


def cells(
    messages: Messages, kind: type[Message] = HeatStrip.CellHighlighted
) -> list[tuple[str, int, int]]:
    return [(m.region, m.start - START, m.end - START) for m in messages if isinstance(m, kind)]  # type: ignore[attr-defined]


def test_bucket_is_one_second_where_it_fits() -> None:
    async def act(strip: HeatStrip, pilot: Pilot[None], messages: Messages) -> None:
        strip.load(REGIONS, TIMES, START, START + 30, {"af-south-1"})
        assert drawn(strip) == [
            " region                11:58:00  :10       :20         calls",
            "▌us-east-1             0█ ░                                8",
            " us-east-2               ▒                                 2",
            " af-south-1  unusual                                ░      1",
            "",
        ]
        await pilot.press("l")
        assert drawn(strip)[:2] == [
            " region                 11:58:01 :10       :20         calls",
            "▌us-east-1              7 ░                                8",
        ]

    perform(HeatStrip, act, (63, 5))


def test_bucket_size_and_cells_follow_the_width() -> None:
    async def act(strip: HeatStrip, pilot: Pilot[None], messages: Messages) -> None:
        strip.load(REGIONS, TIMES, START, START + 30)
        assert drawn(strip)[1].startswith("▌us-east-1    0 ███   ░░░")
        await pilot.resize_terminal(41, 5)
        await pilot.pause()
        assert drawn(strip)[:2] == [
            " region      11:58:00         calls",
            "▌us-east-1   7░                   8",
        ]
        strip.load(REGIONS, TIMES * 2, START, START + 30)
        assert drawn(strip)[1].startswith("▌us-east-1   +"), "a number that does not fit its cell"
        await pilot.resize_terminal(200, 5)
        strip.load(REGIONS, [("us-east-1", START + 7200)], START, START + 14_400)
        await pilot.pause()
        assert "12:30" in drawn(strip)[0] and "13:58:00" not in drawn(strip)[0]

    perform(HeatStrip, act, (120, 5))


def test_glyph_and_color_rise_together() -> None:
    async def act(strip: HeatStrip, pilot: Pilot[None], messages: Messages) -> None:
        counts = [1, 2, 6, 22, 80, 300]
        strip.load(
            ["a"],
            [("a", START + 2 + i) for i, n in enumerate(counts) for _ in range(n)],
            START,
            START + 30,
        )
        line = drawn(strip)[1][1 + len("region") + 2 :]
        glyphs = line[2 : 2 + len(counts)]
        assert (
            list(glyphs) == sorted(glyphs, key=HEAT_GLYPHS.index)
            and glyphs[-1] == "█"
            and glyphs[0] == "·"
        )
        assert len({style_at(strip, 1, glyph).color for glyph in set(glyphs)}) == len(set(glyphs))

    perform(HeatStrip, act, (50, 3))


def test_keys_move_cursor_and_post_the_cell() -> None:
    async def act(strip: HeatStrip, pilot: Pilot[None], messages: Messages) -> None:
        strip.load(REGIONS, TIMES, START, START + 30)
        await pilot.press(
            "h", "k", "l", "j", "right", "left", "down", "up", "end", "l", "home", "enter"
        )
        assert cells(messages) == [
            ("us-east-1", 1, 2), ("us-east-2", 1, 2), ("us-east-2", 2, 3), ("us-east-2", 1, 2),
            ("af-south-1", 1, 2),
            ("us-east-2", 1, 2), ("us-east-2", 29, 30), ("us-east-2", 0, 1),
        ]  # fmt: skip
        assert cells(messages, HeatStrip.CellOpened) == [("us-east-2", 0, 1)]

    perform(HeatStrip, act)


def test_select_moves_cursor_without_message() -> None:
    async def act(strip: HeatStrip, pilot: Pilot[None], messages: Messages) -> None:
        strip.load(REGIONS, TIMES, START, START + 30)
        strip.select("af-south-1", START + 29.5)
        assert strip.cursor_cell == ("af-south-1", START + 29, START + 30)
        strip.select("no such region", START)
        strip.select("us-east-1", START + 9_999)
        assert strip.cursor_cell == ("us-east-1", START + 9_999, START + 10_000), (
            "it is brought into view"
        )
        await pilot.pause()
        assert messages == []

    perform(HeatStrip, act)


def test_load_keeps_cursor_cell() -> None:
    async def act(strip: HeatStrip, pilot: Pilot[None], messages: Messages) -> None:
        strip.load(REGIONS, TIMES, START, START + 30)
        strip.select("us-east-2", START + 2)
        strip.load(["eu-west-1", *REGIONS], TIMES, START, START + 30)
        assert strip.cursor_cell == ("us-east-2", START + 2, START + 3)

    perform(HeatStrip, act)


def test_many_regions_scroll_with_cursor() -> None:
    async def act(strip: HeatStrip, pilot: Pilot[None], messages: Messages) -> None:
        regions = [f"region-{number}" for number in range(40)]
        strip.load(regions, [], START, START + 30)
        await pilot.press(*"j" * 12)
        assert drawn(strip)[0].startswith(" region")
        assert drawn(strip)[-1].startswith("▌region-12")
        strip.select("region-39", START)
        assert drawn(strip)[-1].startswith("▌region-39")

    perform(HeatStrip, act, (80, 8))


def test_mouse_selects_and_opens_cell() -> None:
    async def act(strip: HeatStrip, pilot: Pilot[None], messages: Messages) -> None:
        strip.load(REGIONS, TIMES, START, START + 30)
        await pilot.pause()
        await pilot.click(HeatStrip, offset=(2, 2))
        await pilot.click(HeatStrip, offset=(30, 0))
        assert cells(messages) == []
        await pilot.double_click(HeatStrip, offset=(13 + 2 * 2 + 1, 2))
        assert cells(messages) == cells(messages, HeatStrip.CellOpened) == [("us-east-2", 2, 3)]

    perform(HeatStrip, act, (81, 10))


def test_strip_without_calls_or_region_names() -> None:
    async def act(strip: HeatStrip, pilot: Pilot[None], messages: Messages) -> None:
        await pilot.press("l", "enter")
        assert strip.cursor_cell is None and messages == []
        strip.load([], [("", START + 5)], START, START)
        strip.load([], [("", START + 5)], START, START + 10)
        assert drawn(strip)[1].startswith("▌–")

    perform(HeatStrip, act)


@given(
    st.integers(min_value=0, max_value=4_000_000_000),
    st.integers(min_value=1, max_value=40_000_000),
    st.integers(min_value=1, max_value=200),
    st.floats(min_value=0, max_value=1, exclude_max=True),
)
def test_axis_fits_width_and_covers_every_time(
    start: int, span: int, width: int, part: float
) -> None:
    axis = TimeAxis.fit(start, start + span, width)
    time = start + int(span * part)
    first, end = axis.span(axis.bucket(time))
    assert first <= time < end
    assert first % axis.step == 0
    assert axis.width <= width
    assert axis.start <= start and axis.span(axis.count - 1)[1] >= start + span
    ticks = axis.ticks()
    assert all(cell + len(text) < after for (cell, text), (after, _) in pairwise(ticks))


def test_strip_zooms_from_seconds_to_days() -> None:
    """Further calls come into view with more time, and regions that only they are in; the alert
    itself is marked."""

    async def act(strip: HeatStrip, pilot: Pilot[None], messages: Messages) -> None:
        around = [
            ("eu-west-1", START - 600),
            ("us-east-1", START + 7_200),
            ("us-east-1", START + 3 * 86_400),
        ]
        strip.load(REGIONS, TIMES, START, START + 30, nearby=around)
        strip.select("us-east-1", START + 1)
        assert len(drawn(strip)) == 7 and "eu-west-1" not in "".join(drawn(strip))
        await pilot.press("greater_than_sign", "greater_than_sign", "greater_than_sign", "g")
        assert drawn(strip) == [
            " region      11:43  11:50   ▼ 12:00           calls",
            "▌us-east-1   0              █                     8",
            " us-east-2                  ▒                     2",
            " af-south-1                 ░                     1",
            " eu-west-1        ░                               1",
            "",
            "",
        ]
        strip.select("us-east-1", START + 1)
        await pilot.press(*["greater_than_sign"] * 12)
        assert drawn(strip)[:2] == [
            " region      2026-01-29     2026-02-28         calls",
            "▌us-east-1                  9 ░                   10",
        ]
        for _ in range(20):
            await pilot.press("less_than_sign")
        assert strip.cursor_cell == ("us-east-1", START + 1, START + 2)
        assert drawn(strip)[1].endswith(" 8"), "down to seconds"
        await pilot.press(*"l" * 40)
        assert strip.cursor_cell == ("us-east-1", START + 29, START + 30), (
            "it moves on through its span, and no further"
        )
        await pilot.press("left_curly_bracket")
        assert strip.cursor_cell == ("us-east-1", START + 3, START + 4)
        await pilot.press("right_curly_bracket")
        assert strip.cursor_cell[1] <= START + 7_200 < strip.cursor_cell[2], (
            "out of view, it is brought into view"
        )

    perform(HeatStrip, act, (60, 7))


HOMES = st.tuples(st.integers(0, 10**9), st.integers(1, 10**6)).map(
    lambda home: (home[0], home[0] + home[1])
)


@given(
    HOMES,
    st.integers(0, 10**7),
    st.lists(
        st.tuples(
            st.sampled_from(["wide", "narrow", "move", "show"]), st.integers(-(10**7), 10**7)
        ),
        max_size=12,
    ),
)
def test_view_stays_within_limits(
    home: tuple[int, int], more: int, steps: list[tuple[str, int]]
) -> None:
    view = TimeView.of(home, (home[0] - more, home[1] + more))
    for step, by in steps:
        time = max(view.first, min(view.last - 1, home[0] + by))
        if step in ("wide", "narrow"):
            resized = view.resized(1 if step == "wide" else -1, time)
            assert resized is None or (resized.length > view.length) is (step == "wide")
            view = resized or view
        elif step == "move":
            view = view.moved(by)
        else:
            view = view.showing(time)
        assert view.first <= view.start < view.end <= view.last
    while (narrower := view.resized(-1, home[0])) is not None:
        view = narrower
    assert view.length <= 10
    while (wider := view.resized(1, home[0])) is not None:
        view = wider
    assert (view.start, view.end) == (view.first, view.last)
