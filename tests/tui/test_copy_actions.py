"""Copying to the clipboard, piping to commands, external editors."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Markdown, TextArea

from tests.detector.alerts import changed_alert
from tests.detector.trail import ANA
from tests.hostile.payloads import PAYLOADS, harm, screen_text
from tests.tui.build import alert, note, suppression
from tests.tui.stage import BEN, CAT, Hunt, press, said, until
from tui.app.app import HuntApp
from tui.presentation import copy_formats
from tui.screens.alert.screen import AlertScreen
from tui.screens.base.menu import LetterMenu
from tui.screens.dialogs.command_output import OutputScreen
from tui.screens.forms.note import NoteForm
from tui.screens.forms.pipe import PipeForm
from tui.terminal import clipboard, pipe
from tui.widgets.row_list import RowList
from tui.widgets.text_view import TextView


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of programs, which is the PATH besides the system's.

    No clipboard can be reached yet.
    """
    for name in (
        "SSH_CONNECTION",
        "SSH_TTY",
        "TMUX",
        "WAYLAND_DISPLAY",
        "DISPLAY",
        "WSL_DISTRO_NAME",
        "VISUAL",
    ):
        monkeypatch.delenv(name, raising=False)
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    return programs


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_rows_are_copied_by_clipboard_program(
    desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    clipboard_file = tmp_path / "clipboard"
    program(desk, "xclip", f'cat > "{clipboard_file}"')
    hunt = Hunt(tmp_path)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        async def copied(*keys: str) -> str:
            clipboard_file.unlink(missing_ok=True)
            await press(pilot, *keys)
            await until(pilot, lambda: clipboard_file.exists() and said(app).startswith("Copied"))
            return clipboard_file.read_text()

        rows = app.screen.query_one(RowList)
        ben = next(one for one in rows.rows if one.principal == BEN)
        rows.move_to(ben.alert_id)
        assert "role/inventory/ben" in await copied("y", "y")
        assert said(app) == "Copied line by xclip"
        assert json.loads(await copied("y", "j")) == json.loads(json.dumps(ben.as_json()))
        assert await copied("y", "a") == BEN
        assert await copied("y", "i") == "198.51.100.4"
        assert await copied("y", "n") == ben.alert_id
        await press(pilot, "asterisk")
        assert set((await copied("y", "a")).splitlines()) == {ANA, BEN, CAT}
        assert said(app) == "Copied principal (3) by xclip"
        await press(pilot, "escape", "y")
        assert isinstance(app.screen, LetterMenu)
        await press(pilot, "escape")

        rows.move_to(ben.alert_id)
        await press(pilot, "enter")
        await until(pilot, lambda: bool(app.screen.query_one("#calls", RowList).rows))
        record = await copied("y", "j")
        assert record in hunt.trail.read_text(), "the record's own bytes"
        call = app.screen.query_one("#calls", RowList).cursor_row
        assert await copied("y", "e") == call.event_id
        assert ben.alert_id == await copied("y", "n"), (
            "what only the alert has can be had beside the call"
        )

    hunt.play(journey)


def test_terminal_copies_without_program(
    desk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    program(desk, "xclip", "exit 1")
    hunt = Hunt(tmp_path)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "y", "n")
        await until(pilot, lambda: "xclip failed with status 1" in said(app))
        assert said(app).startswith("Copied alert ID by the terminal (OSC 52)")
        assert app._clipboard == app.screen.query_one(RowList).cursor_key
        await press(pilot, "5", "y")
        assert said(app) == "Nothing to copy"

    hunt.play(journey)


def test_every_list_can_be_copied(desk: Path, tmp_path: Path) -> None:
    hunt = Hunt(tmp_path)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        async def copied(letter: str) -> str:
            await until(
                pilot, lambda: len(app.screen_stack) > 1 or bool(app.screen.query_one(RowList).rows)
            )
            await press(pilot, "y", letter)
            await until(pilot, lambda: said(app).startswith("Copied"))
            app.clear_notifications()
            return app._clipboard

        await press(
            pilot, "c", "'seen [/] it", "ctrl+s", "x", "tab", "tab", "'known", "ctrl+s", "4"
        )
        note_told = json.loads(await copied("j"))
        assert note_told["text"] == "seen [/] it"
        assert await copied("t") == "seen [/] it"
        await press(pilot, "5")
        assert json.loads(await copied("j"))["justification"] == "known"
        assert await copied("v") == note_told["context"]["principal"]
        await press(pilot, "6")
        assert json.loads(await copied("j"))["kind"] == "all"
        await press(pilot, "7")
        rule = json.loads(await copied("j"))
        assert await copied("n") == rule["rule_id"]
        assert await copied("s") == rule["query"]
        await press(pilot, "1", "H", "p")
        await until(pilot, lambda: " calls in " in screen_text(app))
        records = (await copied("j")).splitlines()
        assert len(records) == 14 and all(each in hunt.trail.read_text() for each in records)
        await press(pilot, "o", "enter")
        record = await copied("j")
        assert "eventVersion" in record and record in hunt.trail.read_text()

    hunt.play(journey)


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({"DISPLAY": ":0"}, "xclip"),
        ({"WAYLAND_DISPLAY": "wayland-0", "DISPLAY": ":0"}, "wl-copy"),
        ({"WSL_DISTRO_NAME": "Debian"}, "clip.exe"),
        ({"DISPLAY": ":0", "SSH_CONNECTION": "10.0.0.1"}, "the terminal (OSC 52)"),
        ({}, "the terminal (OSC 52)"),
    ],
)
def test_clipboard_of_visible_screen_is_used(
    desk: Path, environ: dict[str, str], name: str
) -> None:
    for each in ("xclip", "wl-copy", "clip.exe"):
        program(desk, each, "")
    assert clipboard.find_method({"PATH": str(desk), **environ}).name == name
    assert "set-clipboard" in clipboard.find_method({"TMUX": "x"}).advice
    assert clipboard.size_warning("x" * 80_000)


@pytest.mark.parametrize("name", PAYLOADS)
def test_copied_text_is_harmless(name: str) -> None:
    """Copied text is harmless, except for JSON.

    In that every value is as it was written.
    """
    payload = PAYLOADS[name]
    one = alert("a", arns=[payload], user_agents=[payload], key={"user.name": payload[:100]})
    kinds: list[Sequence[copy_formats.CopyFormat]] = [
        copy_formats.alert_formats([one]),
        copy_formats.note_formats([note(of=one, text=payload)]),
        copy_formats.suppression_formats([suppression(value=payload or "x")]),
    ]
    for formats in kinds:
        for taken in formats:
            text = taken.read()
            assert all(line.isprintable() for line in text.split("\n")), taken
            assert "\n" not in text or taken.letter in "rts", taken
    printed = json.loads(kinds[1][0].read())
    assert printed["text"] == payload
    assert printed["context"]["principal"] == payload


def test_json_is_piped_and_output_shown(desk: Path, tmp_path: Path) -> None:
    program(
        desk,
        "shout",
        r"""sed 's/.*"eventName": *"\([A-Za-z]*\)".*/\1/'; printf 'a\tb\033[31mred\n'; exit 3""",
    )
    hunt = Hunt(tmp_path)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "enter")
        await until(pilot, lambda: bool(app.screen.query_one("#calls", RowList).rows))
        await press(pilot, "vertical_line")
        example = app.screen.query_one("#command", Input).placeholder
        assert example == "jq .userIdentity"  # which a record has
        await press(pilot, "'shout", "enter")
        await until(pilot, lambda: "ended with status 3" in screen_text(app))
        assert isinstance(app.screen, OutputScreen)
        assert "DescribeInstances" in screen_text(app)
        assert r"a       b\x1b[31mred" in screen_text(app)
        assert harm(app) == []
        await press(pilot, "y", "y")
        await until(pilot, lambda: said(app).startswith("Copied output"))
        assert app._clipboard.endswith(r"b\x1b[31mred")
        await press(pilot, "escape")
        assert isinstance(app.screen, AlertScreen)
        await press(pilot, "vertical_line", "end", "' | head -c3 >/dev/null; seq 1 90", "ctrl+s")
        await until(pilot, lambda: "90 lines" in screen_text(app))
        await press(pilot, "G")
        assert app.screen.query_one(TextView).top > 50
        await press(pilot, "q", "vertical_line", "tab", "right", "ctrl+s")
        assert "this terminal cannot run another program" in screen_text(app)

    hunt.play(journey)


def test_example_of_a_command_finds_something_in_every_json(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path)
    shown = hunt.alert()
    for formats, path in (
        (copy_formats.alert_formats([shown]), "columns"),
        (copy_formats.note_formats([note()]), "context"),
        (copy_formats.event_formats(hunt.store.alerts.events(shown.alert_id)), "userIdentity"),
    ):
        text = next(each.read() for each in formats if each.letter == "j")
        assert PipeForm(text).example == f"jq .{path}"
        assert json.loads(text.splitlines()[0])[path]
    assert PipeForm("no JSON").example == "jq ."


def test_command_is_bounded_and_ends_its_children(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    still = f'sleep 600 & echo $! > "{mark}"; cat'
    done = asyncio.run(pipe.run_command(still, b"{}", seconds=0.5))
    assert (done.status, done.why, done.output) == (None, "stopped after 0 s", b"{}")
    with pytest.raises(ProcessLookupError):
        for _ in range(10_000):  # until the system has cleared it away
            os.kill(int(mark.read_text()), 0)
            if Path(f"/proc/{mark.read_text().strip()}/stat").read_text().split()[2] == "Z":
                raise ProcessLookupError
    flood = asyncio.run(pipe.run_command("yes", b"", limit=5_000))
    assert (flood.status, flood.why, len(flood.output)) == (
        None,
        "stopped after 5,000 bytes",
        5_000,
    )
    assert asyncio.run(pipe.run_command("true", b"x" * 10_000_000)).status == 0
    assert asyncio.run(pipe.run_command("no-such-program", b"")).status == 127


def test_note_is_written_in_editor(
    desk: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = tmp_path / "seen"
    program(
        desk,
        "scribe",
        f'stat -c %a "$2" > "{seen}"; cat "$2" >> "{seen}"; printf "\\n# Key is out\\n" >> "$2"',
    )
    hunt = Hunt(tmp_path)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "c", "'first", "ctrl+e")
        assert "no editor set" in screen_text(app)
        monkeypatch.setenv("EDITOR", "scribe -w")
        await press(pilot, "ctrl+e")
        assert "this terminal cannot run" in screen_text(app)
        monkeypatch.setattr(app, "suspend", contextlib.nullcontext)
        await press(pilot, "ctrl+e")
        assert seen.read_text() == "600\nfirst"
        text = app.screen.query_one(TextArea)
        assert text.text == "first\n# Key is out"
        await press(pilot, "ctrl+r")
        assert app.focused is app.screen.query_one("#note-preview")
        assert app.screen.query_one("MarkdownH1") in app.screen.query_one(Markdown).children
        monkeypatch.setenv("EDITOR", "false")
        await press(pilot, "ctrl+r", "ctrl+e")
        assert "false ended with status 1: the note is unchanged" in screen_text(app)
        await press(pilot, "'!", "ctrl+s")
        assert not isinstance(app.screen, NoteForm)
        assert hunt.store.triage.notes()[0].body.text == "first\n# Key is out!"

    hunt.play(journey)


def test_markdown_of_note_is_harmless(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "c", "ctrl+r")
        assert app.screen.query_one(Markdown)._open_links is False
        for name, payload in PAYLOADS.items():
            if len(payload) < 1_000:
                app.screen.query_one(TextArea).text = payload
                await press(pilot, "ctrl+r", "ctrl+r")
                # Markdown's own links are there to see, and lead nowhere: the widget opens none
                assert not [
                    what for what in harm(app) if "link('" not in what and "@mouse" not in what
                ], name

    hunt.play(journey, size=(100, 30))


def test_elastic_query_finds_events_of_alert(tmp_path: Path) -> None:
    from detector.ecs.fields import field_table
    from detector.investigation.elastic_query import events_query
    from detector.investigation.hunt import EventReader, compile_hunt_query, result_rows

    hunt = Hunt(tmp_path)
    for one in hunt.store.alerts.all():
        query = compile_hunt_query(events_query(one), field_table(), None, "")
        event_ids = [row["event.id"] for row in result_rows(query, EventReader([str(hunt.trail)]))]
        assert sorted(map(str, event_ids)) == sorted(one.event_ids)
    odd = changed_alert(hunt.alert(), key={"user.name": 'a"\\\n', "source.ip": None, "Esql.x": 1})
    assert 'user.name == "a\\"\\\\\\n"\n    AND source.ip IS NULL\n| SORT' in events_query(odd)
    compile_hunt_query(events_query(odd), field_table(), None, "")
