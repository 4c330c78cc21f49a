"""Comparing two rows of a list: what differs, and what only one of them has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot

from detector.filter.schemas import ALERTS
from detector.investigation.comparison import compare, differing_first
from tests.hostile.payloads import screen_text
from tests.tui.build import alert
from tests.tui.stage import Hunt, press, said, until
from tui.app.app import HuntApp
from tui.model.comparison import compare_rows
from tui.screens.pivot.comparison import ComparisonScreen, compared_rows
from tui.screens.pivot.rows import QuestionLine
from tui.widgets.row_list import RowList

SOME = st.lists(st.sampled_from("abcde"))


@given(SOME, SOME)
def test_each_value_is_alone_or_common(left: list[str], right: list[str]) -> None:
    field = compare("field", left, right)
    assert set(field.only_left) == set(left) - set(right)
    assert set(field.only_right) == set(right) - set(left)
    assert set(field.common) == set(left) & set(right)
    assert sorted(field.values) == sorted(set(left) | set(right))
    assert field.differs == (set(left) != set(right))


def test_rows_tell_what_differs_first() -> None:
    fields = compare_rows(ALERTS, alert("a"), alert("b", severity="high", at=60))
    ordered = differing_first(fields)
    differing = {field.name for field in ordered if field.differs}
    assert {"severity", "first event"} <= differing and "region" not in differing
    assert [field.differs for field in ordered] == sorted(
        (field.differs for field in ordered), reverse=True
    )
    assert all(field.values for field in ordered)
    assert not {"id", "event"} & {field.name for field in fields}
    unfolded = list(compared_rows(fields, {"region"}))
    below = [row.value for row in unfolded if row.field and row.field.name == "region"]
    assert below == [None, *alert("a").facets.regions]


def test_two_marked_alerts_stand_side_by_side(tmp_path: Path) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "m")
        assert said(app) == "Mark two rows with space, then m compares them"
        await press(pilot, "G", "space", "g", "m")  # the marked row and the one under the cursor
        assert isinstance(app.screen, ComparisonScreen)
        await until(pilot, lambda: "DescribeInstances" in screen_text(app))
        lines = screen_text(app).splitlines()
        assert "user/cat" in lines[2] and "fields differ" in lines[1]
        [flag] = [line for line in lines if " flag " in line]
        assert flag.split("flag", 1)[0].strip() == "≠"
        assert "only here: denied calls · 1 in both" in flag
        shared = lines.index(next(line for line in lines if "the same in both" in line))
        [call] = [line for line in lines if " call " in line]
        assert lines.index(call) > shared
        rows = app.screen.query_one(RowList)
        rows.move_to("region")
        before = len(rows.rows)
        await press(pilot, "enter")
        assert len(rows.rows) > before
        await press(pilot, "enter", "escape", "escape", "space", "space", "m")
        assert isinstance(app.screen, ComparisonScreen)
        await press(pilot, "escape", "asterisk", "m")
        assert said(app).startswith("4 rows are marked: mark two rows")

    Hunt(tmp_path).play(journey, size=(120, 40))


def test_headings_are_not_compared(tmp_path: Path) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "3")
        rows = app.screen.query_one(RowList)
        await until(pilot, lambda: len(rows.rows) > 1)
        await press(pilot, "g")
        assert isinstance(rows.cursor_row, QuestionLine)
        await press(pilot, "space", "space", "m")
        assert said(app).startswith("Mark two rows")

    Hunt(tmp_path).play(journey)


@pytest.mark.parametrize(
    ("area", "order", "title"), [("3", ["o"], "DescribeInstances"), ("7", [], "regions")]
)
def test_rows_of_other_lists_are_compared(
    area: str, order: Sequence[str], title: str, tmp_path: Path
) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, area)
        rows = app.screen.query_one(RowList)
        await until(pilot, lambda: len(rows.rows) > 1)
        await press(pilot, *order)
        await until(pilot, lambda: not isinstance(rows.rows[0], QuestionLine))
        await press(pilot, "g", "space", "space", "m")
        assert isinstance(app.screen, ComparisonScreen)
        assert title in screen_text(app).splitlines()[2]

    Hunt(tmp_path).play(journey, size=(160, 40))
