"""The calendar of sweeps: days by hours, or weeks by days."""

from __future__ import annotations

from textual.message import Message
from textual.pilot import Pilot

from detector.detection.sweeps import group_sweeps
from tests.render.stage import drawn, perform
from tests.tui.build import alert
from tui.widgets.charts.calendar import Calendar

Messages = list[Message]

HOUR, DAY = 3_600, 86_400


def test_calendar_shows_days_by_hours() -> None:
    async def act(calendar: Calendar, pilot: Pilot[None], messages: Messages) -> None:
        calendar.load(
            group_sweeps(
                [
                    *(alert(f"daily {day}", at=day * DAY) for day in (0, 1, 3)),
                    alert("again", at=20 * 60),
                    alert("late", at=3 * DAY + 11 * HOUR, severity="high"),
                ]
            )
        )
        assert drawn(calendar) == [
            " day        00    03    06    09    12    15    18    21      sweeps",
            " Sun 03-01                      ○2                                 2",
            " Mon 03-02                      ○                                  1",
            " Tue 03-03",
            "▌Wed 03-04                      ○                     ▲            2",
            "",
        ]
        await pilot.press("left_curly_bracket", "k")
        assert (
            drawn(calendar)[0]
            == " day        00    03    06      10  12    15    18    21      sweeps"
        )
        assert drawn(calendar)[3] == "▌Tue 03-03                      _"
        assert [len(one.sweeps) for one in messages if isinstance(one, Calendar.Moved)] == [1, 0]
        await pilot.press("left_curly_bracket", "left_curly_bracket", "left_curly_bracket", "enter")
        (opened,) = [one for one in messages if isinstance(one, Calendar.Opened)]
        assert [sweep.sweep_id for sweep in opened.sweeps] == ["daily 0", "again"]
        await pilot.resize_terminal(150, 6)
        await pilot.pause()
        assert drawn(calendar)[0].startswith(" day        00   01   02   03")

    perform(Calendar, act, (80, 6))


def test_calendar_shows_weeks_for_a_long_history() -> None:
    async def act(calendar: Calendar, pilot: Pilot[None], messages: Messages) -> None:
        weekly = [alert(f"{week}", at=week * 7 * DAY) for week in range(10)]
        calendar.load(
            group_sweeps(
                [*weekly[:2], *(alert(f"x{n}", at=7 * DAY + n * HOUR) for n in range(1, 12))]
            )
        )
        assert drawn(calendar)[0].startswith(" day")
        calendar.load(
            group_sweeps([*weekly, *(alert(f"x{n}", at=7 * DAY + n * HOUR) for n in range(1, 12))])
        )
        assert drawn(calendar)[:3] == [
            " week of    Mon   Tue   Wed   Thu   Fri   Sat   Sun     sweeps",
            " 2026-02-23                                     ○            1",
            "▌2026-03-02                                     ○+          12",
        ], "the cursor stays on its day"

    perform(Calendar, act, (80, 12))


def test_calendar_without_sweeps_ignores_keys() -> None:
    async def act(calendar: Calendar, pilot: Pilot[None], messages: Messages) -> None:
        await pilot.press("l", "j", "enter", "right_curly_bracket")
        calendar.load([])
        assert drawn(calendar)[1:] == ["", "", ""]

    perform(Calendar, act, (80, 4))
