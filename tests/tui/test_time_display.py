"""UTC, local time, or how long ago: one key, every screen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.pilot import Pilot

from tests.hostile.payloads import screen_text
from tests.tui.stage import NOW, START, Hunt, press, said, until
from tui.app.app import HuntApp
from tui.presentation import format, time_display
from tui.widgets.charts.time_axis import TimeAxis
from tui.widgets.row_list import RowList

INDIA = timezone(timedelta(hours=5, minutes=30))


@pytest.fixture(autouse=True)
def in_india(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "IST-5:30")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
    time_display.set_mode("UTC", time.time)


def test_key_cycles_modes_on_every_screen(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        assert "time (UTC)" in screen_text(app)
        await press(pilot, "exclamation_mark", "'seen", "ctrl+s", "n", "4", "1", "t")
        assert said(app) == "Times in your local time zone"
        local = screen_text(app)
        assert "time (local)" in local
        assert "03-01 17:30:00" in local  # the sweep of 12:00 UTC
        assert "+05:30" in local.splitlines()[0]
        await press(pilot, "enter")
        await until(pilot, lambda: bool(app.screen.query_one("#calls", RowList).rows))
        assert "  17:30:00" in screen_text(app)
        await press(pilot, "t")
        ago = screen_text(app)
        assert "after" in ago and "+00:00" in ago and "+00:13" in ago
        assert "1 h ago" in ago.splitlines()[1]
        await press(pilot, "4")
        assert "0 s ago" in screen_text(app), (
            "a screen that was drawn before follows when it comes to the front"
        )
        await press(pilot, "1", "escape")
        hunt.clock.now += 60
        app.tick()
        await pilot.pause()
        assert "1 h 01 m ago" in screen_text(app), "what is relative grows"
        await press(pilot, "t")
        assert "time (UTC)" in screen_text(app)
        assert "03-01 12:00:00" in screen_text(app)

    hunt.play(journey, size=(300, 50))


@settings(max_examples=60)
@given(st.integers(0, 4_000_000_000), st.integers(0, 400_000))
def test_modes_write_the_same_moment(start: int, length: int) -> None:
    time_display.set_mode("UTC", lambda: NOW)
    assert datetime.strptime(
        format.full_time(start), "%Y-%m-%d %H:%M:%S%z"
    ) == datetime.fromtimestamp(start, UTC)
    assert format.date_time(start) == datetime.fromtimestamp(start, UTC).strftime("%m-%d %H:%M:%S")
    time_display.set_mode("local")
    assert datetime.strptime(
        format.full_time(start), "%Y-%m-%d %H:%M:%S%z"
    ) == datetime.fromtimestamp(start, UTC)
    assert format.date_time(start) == datetime.fromtimestamp(start, INDIA).strftime(
        "%m-%d %H:%M:%S"
    )
    both = format.time_range(start, start + length)
    assert both.startswith(format.full_time(start)[:19]) and both.endswith("+05:30")
    assert len(format.clock_time(start + length, start)) == 8
    time_display.set_mode("relative")
    assert format.date_time(start).endswith("ago") is (start <= NOW)
    assert len(format.clock_time(start + length, start)) <= 8


def test_relative_times() -> None:
    time_display.set_mode("relative", lambda: NOW)
    assert format.date_time(NOW - 3_725) == "1 h 02 m ago"
    assert format.date_time(NOW + 86_400) == "in 1 d"
    assert format.date_minute(NOW - 3_725) == "1 h ago"
    assert format.full_time(START) == "2026-03-01 10:00:00Z, 3 h ago"
    assert format.compact_range(NOW - 40, NOW) == "40 s ago"
    assert [format.clock_time(START + after, START) for after in (0, 125, 3_725, 40_000)] == [
        "+00:00",
        "+02:05",
        "+1:02:05",
        "+11 h",
    ]


def test_axis_follows_mode() -> None:
    time_display.set_mode("local")
    assert TimeAxis.fit(START, START + 30, 30).ticks()[0] == (0, "15:30:00")
    time_display.set_mode("UTC")
    assert TimeAxis.fit(START, START + 30, 30).ticks()[0] == (0, "10:00:00")


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    time_display.set_mode("local", lambda: NOW)
    yield


END_OF_SUMMER = int(datetime(2026, 10, 25, 1, tzinfo=UTC).timestamp())
"""When clocks in Berlin go from 03:00 back to 02:00."""


def test_times_that_come_twice_differ(in_berlin: None) -> None:
    before, after = END_OF_SUMMER - 1_800, END_OF_SUMMER + 1_800
    assert format.date_time(before) == "25 02:30:00+02"
    assert format.date_time(after) == "25 02:30:00+01"
    assert format.date_minute(before) == "25 02:30+02"
    assert format.clock_time(after, before) == "+1:00:00"
    assert format.compact_range(before, after) == "10-25 02:30:00+02:00–02:30:00+01:00"
    assert format.time_range(before, after) == "2026-10-25 02:30:00+02:00–02:30:00+01:00"
    assert format.date_time(END_OF_SUMMER - 3_601) == "10-25 01:59:59"
    assert format.date_time(END_OF_SUMMER + 3_600) == "10-25 03:00:00"
    assert format.date_time(END_OF_SUMMER - 210 * 86_400) == "03-29 03:00:00"  # once, in spring


def test_different_times_read_differently(in_berlin: None) -> None:
    times = range(END_OF_SUMMER - 7_200, END_OF_SUMMER + 7_200, 7)
    assert len({format.date_time(each) for each in times}) == len(times)
    assert len({format.clock_time(each, times[0]) for each in times}) == len(times)


@pytest.mark.parametrize("hours", [1, 3, 30])
def test_ticks_of_different_times_read_differently(in_berlin: None, hours: int) -> None:
    start = END_OF_SUMMER - hours * 3_600
    ticks = TimeAxis.fit(start, END_OF_SUMMER + hours * 3_600, 240).ticks()
    texts = [text for _, text in ticks]
    assert len(texts) > 4
    assert len(set(texts)) == len(texts)
    ends = [cell + len(text) for cell, text in ticks]
    assert all(end < cell for end, (cell, _) in zip(ends, ticks[1:], strict=False))


def test_filter_by_cell_has_the_time_of_the_row(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "t")
        rows = app.screen.query_one(RowList)
        for _ in rows.columns:
            if rows.column is None or rows.column.key != "time":
                await press(pilot, "right")
        await press(pilot, "equals_sign")
        assert "time=2026-03-01T17:30+05:30" in screen_text(app)
        assert {row.first_event for row in rows.rows} == {START + 7_200}

    hunt.play(journey, size=(300, 30))
