"""Journeys that begin without an alert: who is here, what did it do, have we seen these."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from textual.pilot import Pilot

from detector.detection.risk import load_risk_table
from detector.investigation.principals import list_principals
from detector.store import Store
from detector.triage.caller import Caller
from detector.triage.export import export_notes
from detector.triage.note import NoteBody, NoteContext
from detector.triage.shared_decisions import decision_lines, read_decision
from tests.detector.trail import ACCOUNT, ANA, Raw, call
from tests.hostile.payloads import PAYLOADS, harm, screen_text
from tests.tui.stage import Hunt, press, said, until
from tui.app.app import HuntApp
from tui.app.draft_resume import resume_draft
from tui.model.callers import caller_of_principal
from tui.screens.base.fact_list import Fact, FactList
from tui.screens.base.menu import Menu
from tui.screens.forms.export import ExportForm
from tui.screens.forms.note import NoteForm
from tui.screens.forms.suppress import SuppressForm
from tui.screens.pivot.events import EventsScreen
from tui.screens.pivot.rows import QuestionLine
from tui.screens.principals.page import PrincipalScreen
from tui.screens.principals.screen import PrincipalsScreen
from tui.settings.form_draft import FormDraft
from tui.widgets.row_list import RowList

DAY = 86_400
EVE = f"arn:aws:iam::{ACCOUNT}:user/eve"
KEY = "AKIAIOSFODNN7EXAMPLE"
DEPLOY = f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci-7"
ADMIN = f"arn:aws:sts::{ACCOUNT}:assumed-role/admin/ci-7"


def by(arn: str, at: int, name: str, **changed: Any) -> Raw:
    """A call by a principal; a user has a long-term access key, a session a temporary one."""
    key = "ASIA" + arn.rpartition("/")[2].upper()
    kind = "AssumedRole"
    if ":user/" in arn:
        key, kind = KEY, "IAMUser"
    identity = {"type": kind, "arn": arn, "accountId": ACCOUNT, "accessKeyId": key}
    record = call(at, eventName=name, eventID=f"{arn}-{name}-{at}", **changed)
    return {**record, "userIdentity": identity}


def assumes(arn: str, at: int, opened: str) -> Raw:
    role = opened.rpartition("/")[0].replace("sts", "iam").replace("assumed-role", "role")
    return by(
        arn,
        at,
        "AssumeRole",
        eventSource="sts.amazonaws.com",
        requestParameters={"roleArn": role, "roleSessionName": "ci-7"},
        responseElements={"assumedRoleUser": {"arn": opened}},
    )


def trail() -> list[Raw]:
    """Ana for twelve days; Eve since yesterday, by two roles to what she is after."""
    past = [call(-day * DAY, event_id=f"ana-{day}") for day in range(12, 0, -1)]
    return [
        *past,
        by(EVE, -DAY // 2, "GetCallerIdentity", eventSource="sts.amazonaws.com"),
        by(EVE, -3600, "ListUsers", eventSource="iam.amazonaws.com", errorCode="AccessDenied"),
        assumes(EVE, -1800, DEPLOY),
        assumes(DEPLOY, -1700, ADMIN),
        *[
            by(ADMIN, -1600 + at, "DescribeVolumes", sourceIPAddress="198.51.100.9")
            for at in range(5)
        ],
        by(ADMIN, -1500, "CreateAccessKey", eventSource="iam.amazonaws.com", readOnly=False),
    ]


@pytest.fixture
def hunt(tmp_path: Path) -> Hunt:
    return Hunt(tmp_path, trail())


MOST_KEYS = 8
"""Keys in which a question is answered from an empty app, besides what is typed."""


async def ask(pilot: Pilot[None], *keys: str) -> None:
    """Press the keys of a whole journey, which are few."""
    assert sum(not key.startswith("'") for key in keys) <= MOST_KEYS
    for key in keys:
        await press(pilot, key)
        app = pilot.app
        assert isinstance(app, HuntApp)
        if isinstance(app.screen, PrincipalsScreen):
            await listed(app, pilot)


async def read(app: HuntApp, pilot: Pilot[None]) -> EventsScreen:
    """Wait until the events of the latest question are shown."""
    await until(
        pilot,
        lambda: (
            isinstance(app.screen, EventsScreen)
            and app.screen._question is not None
            and app.screen._question[0] == app.screen.filter.text
            and app.screen._state == "done"
            and app.screen.background.is_settled
        ),
    )
    assert isinstance(app.screen, EventsScreen)
    return app.screen


async def listed(app: HuntApp, pilot: Pilot[None]) -> PrincipalsScreen:
    await until(
        pilot,
        lambda: isinstance(app.screen, PrincipalsScreen) and app.screen._loaded is not None,
    )
    assert isinstance(app.screen, PrincipalsScreen)
    return app.screen


def calls(screen: EventsScreen) -> list[str]:
    """The lines, a run or an indicator with its number."""
    return [
        f"{row.question} {row.rows}" if isinstance(row, QuestionLine) else row.event.action
        for row in screen._lines.rows
    ]


def names(screen: PrincipalsScreen) -> list[str]:
    return [row.name.rpartition("/")[2] for row in screen.row_list.rows]


def text(app: HuntApp) -> str:
    facts = app.screen.query_one(FactList)._lines
    return "\n".join(
        f"{line.label} {line.value}" if isinstance(line, Fact) else line.plain for line in facts
    )


def test_what_did_this_key_do_in_seven_days(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await ask(pilot, "3", "f", f"'key:{KEY} last 7d", "enter")
        screen = await read(app, pilot)
        assert calls(screen) == ["AssumeRole", "ListUsers", "GetCallerIdentity"]

    hunt.play(journey)


def test_who_is_new_since_a_day(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await ask(pilot, "2", "f", "'first>=2026-02-28", "enter")
        screen = await listed(app, pilot)
        assert sorted(names(screen)) == ["admin", "deploy", "eve"]
        assert {row.rhythm for row in screen.row_list.rows} == {"new"}

    hunt.play(journey)


def test_have_we_seen_these_addresses(hunt: Hunt) -> None:
    wanted = ["198.51.100.9", *(f"192.0.2.{number}" for number in range(1, 40))]

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await ask(pilot, "3", "I", "'" + " ".join(wanted), "ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, EventsScreen))
        screen = await read(app, pilot)
        await until(pilot, lambda: len(calls(screen)) == 5 + 40)
        lines = calls(screen)
        assert lines[0] == "198.51.100.9 5"
        assert lines[1:6] == ["DescribeVolumes"] * 5
        assert lines[6] == "192.0.2.1 0"

    hunt.play(journey)


def test_who_opened_this_session_and_what_did_it_open(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await ask(pilot, "2", "/", "'deploy", "enter", "enter")
        await until(
            pilot,
            lambda: isinstance(app.screen, PrincipalScreen) and "Opened by" in text(app),
        )
        shown = text(app)
        assert "Opened by\nrole/deploy/ci-7\n   ◂ user/eve  03-01 09:30" in shown
        assert "Opened\nrole/deploy/ci-7\n   ▸ role/admin/ci-7  03-01 09:31" in shown

    hunt.play(journey)


def test_tree_leads_over_several_hops(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "2")
        await listed(app, pilot)
        await press(pilot, "/", "'eve", "enter", "enter")
        await until(
            pilot,
            lambda: isinstance(app.screen, PrincipalScreen) and "Opened by" in text(app),
        )
        assert (
            "Opened\nuser/eve\n   ▸ role/deploy/ci-7  03-01 09:30\n"
            "      ▸ role/admin/ci-7  03-01 09:31" in text(app)
        )
        await press(pilot, "p")
        screen = await read(app, pilot)
        assert calls(screen) == ["AssumeRole", "ListUsers", "GetCallerIdentity"]

    hunt.play(journey)


def test_list_is_sorted_and_counted_over_fewer_days(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "2")
        screen = await listed(app, pilot)
        await press(pilot, "s")
        await until(pilot, lambda: isinstance(app.screen, Menu))
        await press(pilot, "j", "j", "j", "j", "j", "enter")
        await until(pilot, lambda: app.screen is screen and names(screen)[0] == "ana")
        await press(pilot, "<", "<", "<")
        await until(pilot, lambda: sum(row.calls for row in screen.row_list.rows) == 11)
        await press(pilot, "<")
        assert said(app) == "At least one day"

    hunt.play(journey)


def test_events_narrow_to_writes_errors_and_runs(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "3")
        screen = await read(app, pilot)
        assert calls(screen)[0] == "CreateAccessKey"
        run = screen._lines.rows[1]
        assert isinstance(run, QuestionLine)
        assert (run.rows, run.is_folded) == (5, True)
        assert run.summary == "in us-east-1, 4 s, ok"
        await press(pilot, "o")
        await until(pilot, lambda: calls(screen).count("DescribeVolumes") == 5)
        await press(pilot, "W")
        await until(pilot, lambda: screen._state == "done" and calls(screen) == ["CreateAccessKey"])
        await press(pilot, "W", "X")
        await until(pilot, lambda: screen._state == "done" and calls(screen) == ["ListUsers"])

    hunt.play(journey)


def test_events_show_region_and_outcome_in_80_columns(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "3", "f", f"'key:{KEY}", "enter")
        screen = await read(app, pilot)
        [denied] = [line for line in screen_text(app).splitlines() if "ListUsers" in line]
        assert "us-east-1" in denied and "denied" in denied
        assert screen._lines.columns[-1].key == "agent"

    hunt.play(journey)


def test_facets_count_and_filter(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "3")
        screen = await read(app, pilot)
        await press(pilot, "o", "f2")
        await until(pilot, lambda: bool(app.screen.query_one(RowList).rows))
        facets = app.screen.query_one(RowList)
        facets.move_to(next(row.key for row in facets.rows if row.value == "DescribeVolumes"))
        await press(pilot, "enter")
        await until(pilot, lambda: app.screen is screen)
        await read(app, pilot)
        assert set(calls(screen)) == {"DescribeVolumes"}

    hunt.play(journey)


def test_acts_on_the_alerts_of_a_principal(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "2")
        screen = await listed(app, pilot)
        await until(pilot, lambda: bool(screen.row_list.rows[0].alerts))
        await press(pilot, "x")
        await until(pilot, lambda: isinstance(app.screen, SuppressForm))
        await press(pilot, "escape")
        await until(pilot, lambda: app.screen is screen)
        await press(pilot, "c", "'seen before", "ctrl+s")
        await until(pilot, lambda: bool(app.view_model.notes))
        assert app.view_model.notes[0].alert_id in screen.row_list.rows[0].alerts
        await press(pilot, "w")
        await until(pilot, lambda: isinstance(app.screen, ExportForm))
        assert "3 principals" in screen_text(app)
        await press(pilot, "escape", "enter")
        await until(pilot, lambda: "Risk by day" in screen_text(app))

    hunt.play(journey)


async def on_principal(app: HuntApp, pilot: Pilot[None], name: str) -> PrincipalsScreen:
    """Go to a principal without an alert in the list of principals."""
    await press(pilot, "2")
    screen = await listed(app, pilot)
    row = next(row for row in screen.row_list.rows if row.name.endswith(name))
    assert not row.alerts
    screen.row_list.move_to(screen.row_id(row))
    return screen


def test_principal_without_alert_gets_a_note(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await on_principal(app, pilot, "eve")
        await press(pilot, "c", "'left the company", "ctrl+s")
        await until(pilot, lambda: bool(app.view_model.notes))
        [note] = hunt.store.triage.notes()
        assert (note.alert_id, note.context.principal, note.context.events) == ("", EVE, 3)
        await until(pilot, lambda: "left the company" in text(app))
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, PrincipalScreen) and bool(text(app)))
        assert "left the company" in text(app)
        await press(pilot, "z")
        await until(pilot, lambda: not app.view_model.notes)
        await press(pilot, "Z", "4", "enter")
        screen = await read(app, pilot)
        assert calls(screen) == ["AssumeRole", "ListUsers", "GetCallerIdentity"]

    hunt.play(journey)


def test_note_on_a_principal_is_exported_and_travels(hunt: Hunt) -> None:
    [eve] = [row for row in list_principals(hunt.store, load_risk_table()).rows if row.name == EVE]
    hunt.store.triage.add_caller_notes([caller_of_principal(eve)], NoteBody("left", "benign"))
    notes = hunt.store.triage.notes()
    assert hunt.store.history.entries(EVE)[0].detail == "#1 benign"
    assert "| Principal | `" in export_notes(notes, "md")
    assert "| Alert |" not in export_notes(notes, "md")
    other = Store.open(None, hunt.clock)
    lines = decision_lines(hunt.store.exchange.decisions()).encode().splitlines()
    assert other.exchange.join(map(read_decision, lines)).new == 1
    assert decision_lines(other.exchange.decisions()).encode().splitlines() == lines
    other.close()


@pytest.mark.parametrize(
    ("name", "scope", "value"),
    [("eve", "principal", EVE), ("admin", "principal-pattern", ADMIN.replace("ci-7", "*"))],
)
def test_principal_without_alert_is_suppressed(
    name: str, scope: str, value: str, hunt: Hunt
) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await on_principal(app, pilot, name)
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, PrincipalScreen) and bool(text(app)))
        await press(pilot, "x", "'CHG-9", "ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, PrincipalScreen))
        [made] = hunt.store.suppressions.all()
        assert (made.scope, made.value, made.rule_id, made.ticket) == (scope, value, None, "CHG-9")
        await press(pilot, "z")
        await until(pilot, lambda: bool(hunt.store.suppressions.all()[0].undone))

    hunt.play(journey)


def test_caller_of_an_event_gets_a_note(hunt: Hunt) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "3")
        await read(app, pilot)
        await press(pilot, "g", "c", "'whose?", "ctrl+s")
        await until(pilot, lambda: bool(app.view_model.notes))
        [note] = hunt.store.triage.notes()
        assert (note.alert_id, note.context.principal) == ("", ADMIN)

    hunt.play(journey)


def test_note_on_a_principal_is_drafted(hunt: Hunt) -> None:
    draft = FormDraft([], body=NoteBody("half"), callers=[Caller(context_of(EVE), {})])
    shown: list[object] = []
    file = Mock(read=lambda: draft)
    workspace = Mock(store=hunt.store, decisions=Mock(draft=file), view_model=Mock(alerts={}))
    resume_draft(workspace, shown.append)
    [form] = shown
    assert isinstance(form, NoteForm)
    assert form.heading == "Note: user/eve, without an alert"


def context_of(principal: str) -> NoteContext:
    fields: dict[str, Any] = dict.fromkeys(NoteContext.__struct_fields__, 0)
    lists = ("accounts", "regions", "source_addresses", "user_agents", "access_keys", "flags")
    empty: dict[str, Any] = {name: [] for name in lists}
    return NoteContext(**fields | empty | {"alert_id": "", "rule": "", "principal": principal})


def harms(app: HuntApp) -> list[str]:
    """Return the harm that log text has done; dragging a scroll bar is allowed."""
    return [each for each in harm(app) if "@mouse" not in each]


@pytest.mark.parametrize("size", [(80, 24), (160, 48)])
def test_hostile_names_never_act_on_the_terminal(tmp_path: Path, size: tuple[int, int]) -> None:
    records = [
        by(
            f"arn:aws:iam::{ACCOUNT}:user/{payload}",
            at,
            payload,
            userAgent=payload,
            sourceIPAddress=payload,
            awsRegion=payload,
        )
        for at, payload in enumerate(PAYLOADS.values())
    ]

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "2")
        await listed(app, pilot)
        assert not harms(app)
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(app.screen, PrincipalScreen) and bool(text(app)))
        assert not harms(app)
        await press(pilot, "3")
        await read(app, pilot)
        assert not harms(app)
        await press(pilot, "f2")
        assert not harms(app)

    Hunt(tmp_path, [call(0, arn=ANA), *records]).play(journey, size=size)
