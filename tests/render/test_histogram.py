"""Alerts by severity over time: what is drawn, how it is brushed."""

from __future__ import annotations

from textual.message import Message
from textual.pilot import Pilot

from tests.render.stage import drawn, perform
from tests.tui.build import START
from tui.widgets.charts.histogram import Histogram

Messages = list[Message]

HOUR = 3_600
TIMES = {
    "low": [START + hour * HOUR for hour in range(10)],
    "critical": [START + 9 * HOUR + 30],
    "medium": [START + 2 * HOUR] * 7,
}


def spans(messages: Messages, kind: type[Message]) -> list[tuple[int, int, bool]]:
    return [
        ((m.start - START) // HOUR, (m.end - START) // HOUR, m.brushed)
        for m in messages
        if type(m) is kind
    ]  # type: ignore[attr-defined]


def test_histogram_has_row_for_each_severity() -> None:
    async def act(histogram: Histogram, pilot: Pilot[None], messages: Messages) -> None:
        histogram.load(TIMES)
        assert drawn(histogram) == [
            " severity         19:00  alerts",
            " here                 ┃       2",
            " ◆ critical           ▃       1",
            " ● medium      █              7",
            " ○ low       ▃▃▃▃▃▃▃▃▃▃      10",
            "",
        ]

    perform(Histogram, act, (38, 6))


def test_brush_is_drawn_ended_and_chosen() -> None:
    async def act(histogram: Histogram, pilot: Pilot[None], messages: Messages) -> None:
        histogram.load(TIMES)
        await pilot.press("space", "h", "h", "h")
        assert drawn(histogram)[:2] == [
            " severity         16:00  alerts",
            " brushed           ├──┤       5",
        ]
        await pilot.press("space", "h", "h", "enter")
        assert spans(messages, Histogram.Chosen) == [(6, 10, True)], (
            "once it is ended, the cursor goes on without it"
        )
        assert histogram.clear_brush()
        assert not histogram.clear_brush()
        await pilot.press("enter")
        assert spans(messages, Histogram.Chosen)[1:] == [(4, 5, False)], (
            "without a brush, the bucket"
        )
        assert spans(messages, Histogram.Moved)[:4] == [
            (9, 10, True),
            (8, 10, True),
            (7, 10, True),
            (6, 10, True),
        ]

    perform(Histogram, act, (38, 6))


def test_histogram_narrows_and_keeps_cursor_time() -> None:
    async def act(histogram: Histogram, pilot: Pilot[None], messages: Messages) -> None:
        histogram.load(TIMES)
        await pilot.press("less_than_sign", "less_than_sign")
        before = histogram.span
        histogram.load({**TIMES, "high": [START + 40 * HOUR]})
        assert histogram.span == before, "what is looked at stays"
        assert drawn(histogram)[3].startswith(" ▲ high")
        await pilot.press("right_curly_bracket")
        assert histogram.span[0] <= START + 40 * HOUR < histogram.span[1]
        for _ in range(9):
            await pilot.press("greater_than_sign")
        assert drawn(histogram)[3].endswith(" 1")
        assert drawn(histogram)[5].endswith(" 10")

    perform(Histogram, act, (60, 7))


def test_histogram_of_no_alert_and_of_one() -> None:
    async def act(histogram: Histogram, pilot: Pilot[None], messages: Messages) -> None:
        histogram.load({})
        await pilot.press("l", "space", "h", "enter", "greater_than_sign", "right_curly_bracket")
        assert drawn(histogram)[0].startswith(" severity")
        histogram.clear_brush()
        histogram.load({"odd [/] \x1b[31m": [START]})
        assert drawn(histogram)[2].startswith("   odd [/] \\x1b[31m")

    perform(Histogram, act, (60, 4))
