"""The alert screen: strip, calls, raw record, fields, guide, notes."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot

from detector.detection.alert import Alert
from detector.detection.event import Event
from tests.detector.alerts import changed_alert
from tests.detector.trail import ANA, START, sweep
from tests.hostile.payloads import screen_text
from tests.tui.stage import BEN, CAT, Hunt, press, said, until
from tui.app.app import HuntApp
from tui.screens.alert.panes import FieldRow
from tui.screens.alert.screen import AlertScreen
from tui.screens.pivot.screen import PivotScreen
from tui.widgets.charts.heat_strip import HeatStrip
from tui.widgets.json_view import JsonView
from tui.widgets.pane_tabs import PaneBar
from tui.widgets.row_list import RowList


@pytest.fixture
def hunt(tmp_path: Path) -> Hunt:
    return Hunt(tmp_path)


async def opened(app: HuntApp, pilot: Pilot[None], *keys: str) -> None:
    await press(pilot, *keys, "enter")
    await until(pilot, lambda: bool(calls(app).rows))


def calls(app: HuntApp) -> RowList[Event]:
    return app.screen.query_one("#calls", RowList)


def call(app: HuntApp) -> Event:
    row = calls(app).cursor_row
    assert row is not None
    return row


def strip(app: HuntApp) -> HeatStrip:
    return app.screen.query_one(HeatStrip)


def shown(app: HuntApp) -> Alert:
    assert isinstance(app.screen, AlertScreen)
    assert app.screen.alert is not None
    return app.screen.alert


def test_strip_follows_call_cursor(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await press(pilot, "j", "j", "j")
        region, start, end = strip(app).cursor_cell
        assert region == call(app).region
        assert start <= call(app).time < end

    hunt.play(journey)


def test_call_cursor_follows_strip(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await press(pilot, "i", "j", "l")
        region, start, end = strip(app).cursor_cell
        assert strip(app).has_focus
        assert call(app).region == region
        assert start <= call(app).time < end
        await press(pilot, "l")
        assert strip(app).cursor_cell[1] == end, (
            "an empty cell can be gone to, and the calls stay where they are"
        )
        assert call(app).region == region
        await press(pilot, "i")
        assert calls(app).has_focus

    hunt.play(journey, size=(120, 40))


def test_strip_cell_opens_calls(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await press(pilot, "i", "j", "l", "enter")
        assert calls(app).has_focus
        assert call(app).region == strip(app).cursor_cell[0]

    hunt.play(journey)


def test_widened_strip_shows_nearby_events(tmp_path: Path) -> None:
    """Widening the strip shows the sweep before.

    Enter there asks the logs for its calls.
    """
    hunt = Hunt(tmp_path, trail=[*sweep(10), *sweep(12, at=7_200)])

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await press(pilot, "j", "i", *["greater_than_sign"] * 5)
        await until(pilot, lambda: strip(app).render_line(1).text.rstrip().endswith(" 2"))
        assert "▼" not in screen_text(app), "the cursor is on the alert itself"
        await press(pilot, "left_curly_bracket")
        assert "▼" in screen_text(app)
        _region, start, end = strip(app).cursor_cell
        assert start <= START < end
        assert call(app).time == START + 7_200, "the calls of this alert stay as they are"
        await press(pilot, "enter")
        await until(
            pilot,
            lambda: isinstance(app.screen, PivotScreen) and "10  in 10 regions" in screen_text(app),
        )
        await press(pilot, "escape")
        await press(pilot, *["less_than_sign"] * 5)
        await press(pilot, "i", "j")
        assert call(app).region == strip(app).cursor_cell[0], (
            "what is gone to among the calls comes into view"
        )
        assert strip(app).cursor_cell[1] == START + 7_200

    hunt.play(journey, size=(120, 40))


def test_raw_record_is_byte_true_and_follows_call(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await press(pilot, "j", "r")
        view = app.screen.query_one(JsonView)
        await until(pilot, lambda: bool(view.raw_text))
        assert view.raw_text in hunt.trail.read_text()
        assert json.loads(view.raw_text)["eventID"] == call(app).event_id
        before = view.raw_text
        await press(pilot, "r", "j", "r")
        await until(pilot, lambda: view.raw_text != before)
        assert json.loads(view.raw_text)["eventID"] == call(app).event_id

    hunt.play(journey)


def test_raw_pane_reports_missing_file(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        hunt.trail.unlink()
        await press(pilot, "r")
        await until(pilot, lambda: "the file is gone" in screen_text(app))

    hunt.play(journey, size=(160, 48))


def test_fields_are_in_rule_order(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "j", "j")
        await press(pilot, "tab")
        fields: RowList[FieldRow] = app.screen.query_one("#fields", RowList)
        rule = hunt.rules.get(shown(app).rule.id)
        assert rule is not None
        wanted = ["risk", *rule.investigation_fields.field_names]
        assert [row.name for row in fields.rows][: len(wanted)] == wanted
        assert set(wanted) | set(shown(app).columns) == {row.name for row in fields.rows}

    hunt.play(journey)


def test_field_unfolds_to_all_values(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "j", "j")
        await press(pilot, "tab")
        fields: RowList[FieldRow] = app.screen.query_one("#fields", RowList)
        folded = len(fields.rows)
        assert fields.move_to("Esql.cloud_region_values")
        await press(pilot, "enter")
        assert [row.value for row in fields.rows if row.name == "Esql.cloud_region_values"][
            1:
        ] == shown(app).facets.regions
        await press(pilot, "enter")
        assert len(fields.rows) == folded

    hunt.play(journey)


def test_rule_pane_shows_note(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "j", "j")
        await press(pilot, "shift+tab", "shift+tab")
        assert "Ask whether the principal is new" in screen_text(app)

    hunt.play(journey)


def test_unloaded_rule_has_no_note(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        ana = hunt.alert(ANA)
        foreign = changed_alert(ana, rule=msgspec.structs.replace(ana.rule, id="gone"))
        await hunt.arrive(app, pilot, hunt.update(foreign))
        await opened(app, pilot, "G")
        await press(pilot, "K", "shift+tab", "shift+tab")
        assert shown(app).rule.id == "gone"
        assert "This alert's rule is not loaded." in screen_text(app)

    hunt.play(journey)


def test_stepping_moves_list_cursor(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        assert shown(app).principal == CAT
        await press(pilot, "J", "J")
        await until(pilot, lambda: {event.arn for event in calls(app).rows} == {ANA})
        assert shown(app).principal == ANA
        await press(pilot, "J", "J")
        assert said(app) == "Last alert"
        assert shown(app).principal == BEN
        await press(pilot, "K", "escape")
        row = app.screen.query_one(RowList).cursor_row
        assert row is not None
        assert row.principal == ANA

    hunt.play(journey)


def test_stepping_ignores_new_alerts(hunt: Hunt) -> None:
    from tests.tui.build import alert

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "j")
        await hunt.arrive(app, pilot, hunt.update(alert("new", at=9_000)))
        await press(pilot, "K", "K")
        assert said(app) == "First alert"
        assert shown(app).alert_id != "new"

    hunt.play(journey)


def test_screen_follows_superseding_alert(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        ana = hunt.alert(ANA)
        await opened(app, pilot, "j", "j")
        joined = changed_alert(ana, alert_id="joined", supersedes=[ana.alert_id], revision=2)
        await hunt.arrive(app, pilot, hunt.update(joined, withdrawn=[ana.alert_id]))
        assert shown(app).alert_id == "joined"
        assert "Merged by late data" in said(app)

    hunt.play(journey)


def test_revision_reads_calls_again(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "j", "j")
        ana = hunt.alert(ANA)
        grown = changed_alert(ana, revision=2, event_ids=[*ana.event_ids, "late"], settled=False)
        await hunt.arrive(app, pilot, hunt.update(grown))
        text = screen_text(app)
        assert "provisional · rev 2" in text
        assert "calls 11" in text

    hunt.play(journey, size=(120, 40))


def test_triage_applies_to_shown_alert(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await opened(app, pilot, "j", "j")
        await press(pilot, "a", "c", "'looked at it", "ctrl+s")
        assert hunt.alert(ANA).status == "acknowledged"
        assert [note.body.text for note in hunt.store.triage.notes_of(shown(app).alert_id)] == [
            "looked at it"
        ]
        await press(pilot, "shift+tab")
        assert app.screen.query_one(PaneBar).front == "notes"
        assert "looked at it" in screen_text(app)

    hunt.play(journey)


def test_search_visits_calls(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        await press(pilot, "tab", "tab", "slash", "'eu-west-2", "enter")
        assert app.screen.query_one(PaneBar).front == "calls"
        assert call(app).region == "eu-west-2"
        await press(pilot, "escape")
        assert isinstance(app.screen, AlertScreen), "the first escape ends the search"

    hunt.play(journey)


def test_zoomed_pane_fills_screen(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await opened(app, pilot)
        before = calls(app).size.height
        await press(pilot, "plus")
        assert calls(app).size.height > before
        await press(pilot, "i")
        assert strip(app).has_focus

    hunt.play(journey)


def test_equal_calls_fold_into_a_run(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "G", "enter")
        rows = app.screen.query_one("#calls", RowList)
        await until(pilot, lambda: len(rows.rows) == 12)
        await press(pilot, "G", "o")
        assert len(rows.rows) == 1 == len(rows.selection)
        assert "12▸ DescribeInsta" in screen_text(app)
        assert "12 regions" in screen_text(app)
        await press(pilot, "r")
        await until(pilot, lambda: '"eventName"' in screen_text(app))
        await press(pilot, "r", "o")
        assert len(rows.rows) == 12

    hunt.play(journey, size=(120, 40))
