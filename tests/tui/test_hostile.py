"""Hostile log text on every screen: no crash, no action, nothing hidden."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot

from detector.detection.alert import Alert
from detector.detection.event import Event, Position
from detector.triage.note import Note, NoteBody
from detector.triage.suppression import Suppression
from tests.detector.alerts import changed_alert
from tests.hostile.payloads import PAYLOADS, harm, screen_text
from tests.tui.build import START, alert, note, suppression
from tests.tui.stage import NOW, Hunt, until
from tui.app.app import HuntApp
from tui.presentation import safe
from tui.screens.alert.screen import PANES
from tui.widgets.row_list import RowList

_TOGETHER = 12
"""Number of payloads that share an app, because opening the app is slow."""

GROUPS = [list(PAYLOADS)[start : start + _TOGETHER] for start in range(0, len(PAYLOADS), _TOGETHER)]


def hostile(name: str, at: int = 9_000) -> tuple[Alert, list[Event]]:
    """Return an alert whose log text is all the payload, and its calls."""
    payload, short = PAYLOADS[name], PAYLOADS[name][:2_000]
    texts = dict.fromkeys(Event.__struct_fields__, payload)
    events = [
        Event(
            **{
                **texts,
                "event_id": f"{number}",
                "time": START + number,
                "region": f"{short}{number}",
                "position": Position(f"/nowhere/{short}", 0, number),
            }
        )
        for number in range(3)
    ]
    one = alert(
        name,
        at=at,
        regions=[event.region for event in events],
        accounts=[payload],
        arns=[payload],
        roles=[payload],
        access_keys=[payload],
        identity_types=[payload],
        source_addresses=[payload],
        user_agents=[payload],
        error_codes=[payload],
        denied=1,
        flags=(short,),
        columns={short: payload, "Esql.values": [payload, payload]},
        key={"key": payload},
    )
    return changed_alert(
        one,
        event_ids=[event.event_id for event in events],
        rule=msgspec.structs.replace(one.rule, name=payload),
    ), events


def written(number: int, of: Alert) -> tuple[Note, Suppression]:
    """Return a note and a suppression with text that an analyst may have pasted."""
    text = of.principal
    short = text[:2_000]
    return (
        msgspec.structs.replace(
            note(number, of=of),
            author=short,
            body=NoteBody(text[:5_000], "suspicious", short, short),
        ),
        suppression(
            f"s{number}",
            value=text or "x",
            ticket=text,
            owner=text,
            justification=text,
            author=text,
            created=NOW + number,
            expires=NOW + 600,
        ),
    )


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group[0])
def test_hostile_text_is_harmless_on_every_screen(
    group: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [hostile(name, at=9_000 - place) for place, name in enumerate(group)]
    calls = {one.alert_id: events for one, events in made}
    hunt = Hunt(tmp_path, trail=[])
    monkeypatch.setattr(hunt.store.alerts, "events", calls.__getitem__)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        acted: list[str] = []
        monkeypatch.setattr(app, "bell", lambda: acted.append("bell"))

        async def go(*keys: str) -> None:
            """Press keys, and check the screen after each."""
            for key in keys:
                await pilot.press(key)
                found = [
                    what for what in harm(app) if "'@mouse." not in what
                ]  # Textual's own scrollbars
                assert not found, (app.screen, key, found)

        hunt.clock.now += _TOGETHER
        hunt.feed.publish(
            hunt.update(*(one for one, _ in made), problems=[PAYLOADS[name] for name in group])
        )
        app.ingest.take_batch()
        for number, (one, _) in enumerate(made):
            words, hides = written(number, one)
            app.view_model.put_note(words)
            app.view_model.put_suppression(hides)
        app.changed.publish(None)
        await go(
            "slash",
            "a",
            "enter",
            "n",
            "escape",
            "f",
            "x",
            "escape",
            "s",
            "escape",
            "y",
            "escape",
            "question_mark",
            "question_mark",
            "colon",
            "a",
            "escape",
            "escape",
            "H",
            "7",
            "6",
            "5",
        )
        await go(
            "x",
            "escape",
            "u",
            "n",
            *("j" for _ in group),
            "4",
            "c",
            "escape",
            *("j" for _ in group),
            "1",
        )
        for _ in group:
            await go("x", "escape", "space")
        await go("c", "escape", "x", "l", "l", "l", "escape", "y")
        await go(
            "escape",
            "b",
            "j",
            "l",
            "escape",
            "D",
            "h",
            "escape",
            "i",
            "h",
            "space",
            "h",
            "escape",
            "escape",
        )
        await go("g", "a", "enter", "i", "l", "j", "greater_than_sign", "i", "b", "j", "escape")
        for name in group:
            await until(
                pilot,
                lambda name=name: (
                    len(app.screen.query_one("#calls", RowList).rows) == len(calls[name])
                ),
            )
            for pane in PANES:
                await go("j", *(["enter", "enter"] if pane == "fields" else []), "tab")
            await go("J")
        await go("escape")
        for column in range(0, 120, 20):
            await pilot.click(RowList, offset=(column, 1))
        assert acted == []

    hunt.play(journey, size=(120, 36))


def test_hostile_text_stays_visible(tmp_path: Path) -> None:
    names = [name for name, payload in PAYLOADS.items() if payload and len(payload) < 40]
    hunt = Hunt(tmp_path, trail=[])

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await hunt.arrive(
            app,
            pilot,
            hunt.update(*(hostile(name, at=9_000 - n)[0] for n, name in enumerate(names))),
        )
        for name in names:
            seen = safe.visible(PAYLOADS[name])
            rows = app.screen.query_one(RowList)
            assert seen in rows.line(rows.cursor_row)
            assert seen[:8].strip() in screen_text(app)
            await pilot.press("enter")
            assert seen[:8].strip() in screen_text(app).splitlines()[1]
            await pilot.press("escape", "j")

    hunt.play(journey, size=(120, 36))
