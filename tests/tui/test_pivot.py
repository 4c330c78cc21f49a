"""Pivots: reading, resizing, grouping, filtering, stopping."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot

from detector.detection.event import Event, Position
from detector.detection.principal import PrincipalNames, RelatedPrincipals
from detector.investigation import pivot
from detector.investigation.pivot import Batch, EventRow, Pivot, Progress
from tests.detector.trail import call
from tests.hostile.payloads import PAYLOADS, harm, screen_text
from tests.tui.goldens import compare
from tests.tui.stage import CAT, FLAGS, RULES, Hunt, aftermath, press, records, said, until
from tui.app.app import HuntApp
from tui.concurrency.job import Cancelled, Job
from tui.screens.alert.screen import AlertScreen
from tui.screens.alerts.screen import AlertsScreen
from tui.screens.base.menu import Menu
from tui.screens.pivot.record import RecordScreen
from tui.screens.pivot.rows import PivotOrder, QuestionLine, half_width, line_key, resized
from tui.screens.pivot.runs import build_lines, fold_runs
from tui.screens.pivot.screen import PivotScreen
from tui.widgets.row_list import RowList


@pytest.fixture
def hunt(tmp_path: Path) -> Hunt:
    return Hunt(tmp_path, [*records(), *aftermath()], rules=(RULES, FLAGS))


async def pivoted(app: HuntApp, pilot: Pilot[None], *keys: str) -> PivotScreen:
    """Open the pivot of the alert under the cursor, read it, and show each call."""
    await press(pilot, *keys, "p")
    await until(pilot, lambda: isinstance(app.screen, PivotScreen))
    screen = await read(app, pilot)
    await press(pilot, "o")
    await until(pilot, lambda: len(screen._lines.rows) == len(screen._rows))
    return screen


async def read(app: HuntApp, pilot: Pilot[None]) -> PivotScreen:
    await until(
        pilot, lambda: isinstance(app.screen, PivotScreen) and app.screen._state != "reading"
    )
    assert isinstance(app.screen, PivotScreen)
    return app.screen


def actions(screen: PivotScreen) -> list[str]:
    return [
        row.question if isinstance(row, QuestionLine) else row.event.action
        for row in screen._lines.rows
    ]


def test_pivot_shows_calls_around_alert(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        screen = await pivoted(app, pilot)
        assert actions(screen) == [
            *["DescribeInstances"] * 14,
            "GetCallerIdentity",
            "DescribeVolumes",
            "DescribeVolumes",
            "CreateSnapshot",
            "ModifySnapshotAttribute",
            "CreateAccessKey",
        ]
        assert {row.event.arn for row in screen._rows.values()} == {CAT}
        assert sum(row.own for row in screen._rows.values()) == 14
        assert "20 calls in 1 file" in screen_text(app)

    hunt.play(journey)


def test_resizing_keeps_cursor_on_its_call(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        screen = await pivoted(app, pilot)
        await press(pilot, "j", "j")
        cursor_key = screen._lines.cursor_key
        await press(pilot, "less_than_sign", "less_than_sign", "less_than_sign", "less_than_sign")
        await read(app, pilot)
        assert half_width(screen._pivot) == 60
        assert set(actions(screen)) == {"DescribeInstances"}
        assert screen._lines.cursor_key == cursor_key
        await press(pilot, "greater_than_sign", "greater_than_sign")
        await read(app, pilot)
        assert actions(screen)[-1] == "CreateAccessKey"
        assert screen._lines.cursor_key == cursor_key

    hunt.play(journey)


def test_questions_group_and_fold_calls(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        screen = await pivoted(app, pilot)
        await press(pilot, "s")
        heads = [row.question for row in screen._lines.rows if isinstance(row, QuestionLine)]
        assert heads[:2] == ["This alert's calls", "Did it call GetCallerIdentity?"]
        assert "Snapshot or image activity?" in heads
        await press(pilot, "g", "enter")
        assert actions(screen)[:2] == ["This alert's calls", "Did it call GetCallerIdentity?"]
        assert "▸ This alert's calls  14  DescribeInstances 14" in screen_text(app)

    hunt.play(journey)


def test_missing_file_is_reported(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await pivoted(app, pilot, "enter")
        hunt.trail.unlink()
        await press(pilot, "enter")
        await until(
            pilot, lambda: said(app).endswith("the file is gone; restore it to see the record")
        )
        await press(pilot, "escape", "p")
        await until(pilot, lambda: isinstance(app.screen, Menu))
        assert "principal" in screen_text(app), "what is held of the call can still be asked for"

    hunt.play(journey)


def test_build_is_the_same_in_pieces_and_can_be_cancelled(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        all_rows = (await pivoted(app, pilot))._rows
        for grouped in (False, True):
            lines = build_lines(
                all_rows,
                lambda row: row.event.action != "DescribeVolumes",
                PivotOrder(grouped, folds=False),
                Job(),
            )
            rows = [line for line in lines.lines if not isinstance(line, QuestionLine)]
            assert list(lines.keys) == [line_key(line) for line in lines.lines]
            assert (lines.matching, lines.total, len(rows)) == (18, 20, 18)
            if not grouped:
                assert rows == pivot.sorted_by_time(rows)
        cancelled = Job()
        cancelled.cancel()
        with pytest.raises(Cancelled):
            build_lines(all_rows, bool, PivotOrder(), cancelled)

    hunt.play(journey)


def test_call_opens_record_and_returns(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        screen = await pivoted(app, pilot, "enter")
        await press(pilot, "G", "enter")
        assert isinstance(app.screen, RecordScreen)
        assert '"CreateAccessKey"' in screen_text(app)
        await press(pilot, "escape")
        assert app.screen is screen
        assert screen._lines.cursor_index == 19
        await press(pilot, "p", "j")
        assert isinstance(app.screen, Menu)
        await press(pilot, "enter")
        further = await read(app, pilot)
        assert further is not screen
        assert further._trail == ("Alerts", "user/cat", "all activity", "access key AKIAEXAMPLE")
        await press(pilot, "escape")
        assert app.screen is screen
        await press(pilot, "escape")
        assert isinstance(app.screen, AlertScreen)
        await press(pilot, "escape")
        assert isinstance(app.screen, AlertsScreen)

    hunt.play(journey)


def test_pivot_by_any_field(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await pivoted(app, pilot)
        await press(pilot, "G", "p")
        menu = app.screen
        assert isinstance(menu, Menu)
        names = {label.split(" ", 1)[0] for _, label in menu._options}
        assert {
            "principal",
            "access",
            "source.address",
            "event.action",
            "user_agent.original",
            "cloud.region",
        } <= names
        index = next(
            index
            for index, (_, label) in enumerate(menu._options)
            if label == "event.action CreateAccessKey"
        )
        await press(pilot, *["j"] * index, "enter")
        assert actions(await read(app, pilot)) == ["CreateAccessKey"]

    hunt.play(journey)


def test_call_value_filters_in_and_out(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        screen = await pivoted(app, pilot)
        await press(pilot, "minus", "j", "enter")
        assert "DescribeInstances" not in actions(screen)
        assert len(actions(screen)) == 6
        await press(pilot, "G", "l", "l", "l", "equals_sign")
        assert screen.filter.text == "-call=DescribeInstances call=CreateAccessKey"
        assert actions(screen) == ["CreateAccessKey"]
        assert "1 of 20" in screen_text(app)
        await press(pilot, "escape")
        assert len(actions(screen)) == 20

    hunt.play(journey)


def test_escape_stops_reading_and_keeps_rows(hunt: Hunt, monkeypatch: pytest.MonkeyPatch) -> None:
    asked, run = threading.Event(), pivot.read_pivot

    def endless(*given: Any) -> Iterator[Batch]:
        yield from run(*given)
        stop: threading.Event = given[4]
        yield Batch((), Progress(1, 4, 25, 100))
        asked.set()
        assert stop.wait(20)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        monkeypatch.setattr(pivot, "read_pivot", endless)
        await press(pilot, "p")
        await until(pilot, asked.is_set)
        await press(pilot, "escape")
        screen = await read(app, pilot)
        assert "stopped at 25%: 20 calls so far" in screen_text(app)
        assert len(screen._rows) == 20
        await press(pilot, "escape")
        assert isinstance(app.screen, AlertsScreen)

    hunt.play(journey)


def test_hostile_log_is_harmless(tmp_path: Path) -> None:
    hostile = [
        call(7400 + index, arn=CAT, userAgent=text, eventName=text, event_id=f"h{index}")
        for index, text in enumerate(PAYLOADS.values())
    ]

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await pivoted(app, pilot)
        for keys in (["G"], ["s"], ["p"], ["escape", "equals_sign"], ["escape", "enter"]):
            await press(pilot, *keys)
            assert [
                each for each in harm(app) if "@mouse" not in each
            ] == []  # those are the scroll bar's

    Hunt(tmp_path, [*records(), *hostile], rules=(RULES, FLAGS)).play(journey, size=(160, 48))


def test_resizing_ends_at_widest_and_narrowest() -> None:
    wanted = Pivot("", RelatedPrincipals(PrincipalNames()), 0, 0, 1_772_359_200)
    assert resized(wanted.within(60), -1) is None
    assert resized(wanted.within(30 * 86_400), 1) is None


GOLDENS = {"pivot": [], "pivot-questions": ["s", "g"], "record": ["G", "enter"]}


@pytest.mark.parametrize("name", GOLDENS)
def test_screen(name: str, hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await pivoted(app, pilot)
        await press(pilot, "o", *GOLDENS[name])
        await until(pilot, lambda: name != "record" or '"eventVersion"' in screen_text(app))
        app.screen.query("#beneath, #position").set(
            display=False
        )  # they name the test's own folder
        await compare(app, pilot, name)

    hunt.play(journey, toasts=False)


def test_equal_calls_in_a_row_are_one_line(hunt: Hunt) -> None:
    """A sweep does not push what came after it off the screen."""

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "j", "j", "p")
        await until(pilot, lambda: isinstance(app.screen, PivotScreen))
        rows = app.screen.query_one(RowList)
        await until(pilot, lambda: len(rows.rows) == 1)
        assert "this alert: user/ana  DescribeInstances  10  in 10 regions" in screen_text(app)
        assert isinstance(app.screen, PivotScreen)
        assert len(app.screen.targets()) == len(app.screen.shown_rows()) == 10
        await press(pilot, "enter")
        await until(pilot, lambda: len(rows.rows) == 11)
        await press(pilot, "o")
        await until(pilot, lambda: len(rows.rows) == 10)
        assert "by time" in screen_text(app) and "runs folded" not in screen_text(app)

    hunt.play(journey, size=(120, 40))


def test_cursor_stays_in_its_run_as_runs_are_folded(tmp_path: Path) -> None:
    records = [call(second, eventName=name) for second, name in enumerate("AABBBBCC")]

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "3")
        rows = app.screen.query_one(RowList)
        await until(pilot, lambda: len(rows.rows) == 5)
        await press(pilot, "o")
        await until(pilot, lambda: len(rows.rows) == 8)
        await press(pilot, "g", *"jjjj")
        assert rows.cursor_row.event.action == "B"
        await press(pilot, "o")
        await until(pilot, lambda: len(rows.rows) == 5)
        assert [row.event.action for row in rows.cursor_row.run] == ["B"] * 4

    Hunt(tmp_path, records).play(journey)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), max_size=15))
def test_runs_hold_every_call_in_its_order(calls: list[tuple[str, bool]]) -> None:
    rows = [row_of(index, action, failed) for index, (action, failed) in enumerate(calls)]
    folded = list(fold_runs(rows, frozenset()))
    summaries = [line for line in folded if isinstance(line, QuestionLine)]
    assert sum(line.rows for line in summaries) + len(folded) - len(summaries) == len(rows)
    assert all(line.rows >= 3 for line in summaries)
    everything = fold_runs(rows, {line.question for line in summaries})
    assert [line for line in everything if not isinstance(line, QuestionLine)] == rows


def row_of(index: int, action: str, failed: bool) -> EventRow:
    event = Event(
        *("", str(index), index, "", action, "", "", "", "Denied" if failed else ""),
        *("",) * 7,
        Position("file", 0, index),
    )
    return EventRow(event, (), False, b"")
