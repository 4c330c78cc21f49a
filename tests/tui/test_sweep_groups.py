"""Rows of sweep groups: folding, stepping, triage."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from detector.detection.alert import Alert, Risk
from tests.detector.alerts import changed_alert
from tests.detector.trail import Raw, sweep
from tests.hostile.payloads import screen_text
from tests.tui.build import alert
from tests.tui.goldens import compare
from tests.tui.stage import BEN, CAT, Hunt, press, records, until
from tui.app.app import HuntApp
from tui.concurrency.job import Job
from tui.screens.alert.screen import AlertScreen
from tui.screens.alerts.sweep_groups import SweepIndex
from tui.widgets.row_list import RowList

HOUR = 3600
SCANNER = "arn:aws:iam::111122223333:user/scanner"
KEY = "AKIAEXAMPLE000000009"


def scans(times: int) -> list[Raw]:
    """Return half-hourly sweeps of a principal with its own key."""
    who = {"type": "IAMUser", "accountId": "111122223333", "arn": SCANNER, "accessKeyId": KEY}
    return [
        record
        for run in range(times)
        for record in sweep(12, at=100 + HOUR * run // 2, userIdentity=who)
    ]


@pytest.fixture
def hunt(tmp_path: Path) -> Hunt:
    return Hunt(tmp_path, [*records(), *scans(4)])


def rows(app: HuntApp) -> RowList[Alert]:
    return app.screen.query_one(RowList)


async def at_scanner(app: HuntApp, pilot: Pilot[None]) -> None:
    index = next(index for index, one in enumerate(rows(app).rows) if one.principal == SCANNER)
    await press(pilot, "g", *["j"] * index)


def principals(app: HuntApp) -> list[str]:
    return [one.principal for one in rows(app).rows]


def test_recurring_sweeps_are_one_row(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        assert principals(app).count(SCANNER) == 1
        await at_scanner(app, pilot)
        shown = screen_text(app)
        assert "4▸ user/scanner" in shown
        assert "every 30 minutes, 12 regions, 4 times – o expands" in shown
        app.clear_notifications()
        await compare(app, pilot, "alerts-folded")

    hunt.play(journey, size=(160, 48), folded=True)


def test_serious_key_visits_folded_sweeps(hunt: Hunt) -> None:
    """Visit the worst alert of a folded sweep.

    An alert that is worse than the others has a row of its own.
    """

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        oldest = min(
            (one for one in app.view_model.alerts.values() if one.principal == SCANNER),
            key=lambda one: one.first_event,
        )
        grave = changed_alert(oldest, risk=Risk(80, "high", []))
        await hunt.arrive(app, pilot, hunt.update(grave))
        assert principals(app).count(SCANNER) == 2
        visited = set()
        for _ in range(2):
            await press(pilot, "e")
            assert rows(app).cursor_row is not None
            visited.add((rows(app).cursor_row.principal, rows(app).cursor_row.severity))
        assert visited == {(CAT, "critical"), (SCANNER, "high")}
        assert len(rows(app).rows) == 5, "nothing was unfolded for it"

    hunt.play(journey, folded=True)


def test_group_is_unfolded_and_folded(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await at_scanner(app, pilot)
        await press(pilot, "o")
        assert principals(app).count(SCANNER) == 4
        newest = max(one.first_event for one in rows(app).rows if one.principal == SCANNER)
        assert rows(app).cursor_row is not None
        assert rows(app).cursor_row.first_event == newest
        await press(pilot, "o")
        assert principals(app).count(SCANNER) == 1
        assert rows(app).cursor_row.principal == SCANNER

    hunt.play(journey, folded=True)


def test_folded_row_shows_the_gravest_verdict_of_its_members(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await at_scanner(app, pilot)
        await press(pilot, "o", "j", "!", "'not ours", "ctrl+s", "n", "o")
        await until(pilot, lambda: principals(app).count(SCANNER) == 1)
        line = next(one for one in screen_text(app).splitlines() if "4▸ user/scanner" in one)
        assert "✎ esc" in line

    hunt.play(journey, size=(160, 48), folded=True)


def test_triage_applies_to_all_members(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await at_scanner(app, pilot)
        await press(pilot, "d")
        closed = [one for one in hunt.store.alerts.all() if one.status == "closed"]
        assert len(closed) == 4
        assert {one.principal for one in closed} == {SCANNER}
        assert SCANNER not in principals(app)

    hunt.play(journey, folded=True)


def test_triage_of_unfolded_alert_is_single(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await at_scanner(app, pilot)
        await press(pilot, "o", "a")
        assert len([one for one in hunt.store.alerts.all() if one.status == "acknowledged"]) == 1

    hunt.play(journey, folded=True)


def test_cursor_and_mark_stay_on_growing_group(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await at_scanner(app, pilot)
        await press(pilot, "space", "k")
        key = rows(app).cursor_key
        last = max(
            (one for one in hunt.store.alerts.all() if one.principal == SCANNER),
            key=lambda one: one.first_event,
        )
        later = alert(
            "later",
            at=100 + 2 * HOUR,
            arns=[SCANNER],
            access_keys=[KEY],
            regions=last.facets.regions,
        )
        await hunt.arrive(app, pilot, hunt.update(later))
        assert principals(app).count(SCANNER) == 1
        assert rows(app).cursor_key == key
        await press(pilot, "a")
        assert {
            one.principal for one in app.view_model.alerts.values() if one.status == "acknowledged"
        } == {SCANNER}

    hunt.play(journey, folded=True)


def test_stepping_visits_all_members(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "enter")
        assert isinstance(app.screen, AlertScreen)
        seen = {app.screen.alert.alert_id} if app.screen.alert else set()
        for _ in range(len(hunt.store.alerts.all()) - 1):
            await press(pilot, "J")
            seen |= {app.screen.alert.alert_id} if app.screen.alert else set()
        assert len(seen) == len(hunt.store.alerts.all())

    hunt.play(journey, folded=True)


def test_sweep_of_several_rules_folds(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        assert principals(app).count(CAT) == 1
        await press(pilot, "g")
        assert "o expands" in screen_text(app)
        await press(pilot, "o")
        assert principals(app).count(CAT) == 2

    hunt.play(journey, folded=True)


def test_all_groups_are_unfolded_and_folded(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        folded = len(rows(app).rows)
        await press(pilot, "G", "O")
        assert len(rows(app).rows) == len(hunt.store.alerts.all()) > folded
        here = rows(app).cursor_row
        await press(pilot, "o")
        assert len(rows(app).rows) <= len(hunt.store.alerts.all())
        await press(pilot, "O")
        assert len(rows(app).rows) == folded
        assert here is not None and rows(app).cursor_row is not None
        assert rows(app).cursor_row.principal == here.principal

    hunt.play(journey, folded=True)


def test_single_sweep_stands_alone(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        assert principals(app).count(BEN) == 1
        await press(pilot, "G", "o")
        assert principals(app).count(BEN) == 1

    hunt.play(journey, folded=True)


def test_other_severity_is_not_grouped() -> None:
    hourly = [alert(str(hour), at=hour * HOUR) for hour in range(4)]
    worse = alert("worse", at=5 * HOUR, severity="high")
    index = SweepIndex()
    index.update([*hourly, worse], [], Job())
    assert {name: group.lead_id for name, group in index.groups.items()} == dict.fromkeys(
        "0123", "3"
    )
