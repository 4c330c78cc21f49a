"""Keys from the configuration: errors before the app opens, and effect."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot

from tests.commandline.cli import Cli, one_line
from tests.detector.trail import ANA, write
from tests.hostile.payloads import screen_text
from tests.tui.stage import Hunt, press, said
from tui.app.app import HuntApp
from tui.app.key_remap import parse_keymap
from tui.settings.errors import UsageError
from tui.widgets.row_list import RowList


@pytest.mark.parametrize(
    ("id", "keys", "said"),
    [
        (
            "alert.acknowlege",
            "A",
            "unknown key id 'alert.acknowlege', did you mean 'alert.acknowledge'?",
        ),
        ("zzz", "A", "unknown key id 'zzz'; `trailhound keys` lists them all"),
        (
            "alert.acknowledge",
            "x",
            "x would mean both 'alert.acknowledge' and 'alert.suppress' (Alerts)",
        ),
        (
            "alert.acknowledge",
            "j",
            "j would mean both 'alert.acknowledge' and 'list.down' (Alerts)",
        ),
        (
            "alert.acknowledge",
            ["f6", "z"],
            "z would mean both 'alert.acknowledge' and 'undo' (Alerts)",
        ),
        ("strip.up", "?", "? would mean both 'help' and 'strip.up' (Alert)"),
        ("alert.acknowledge", [], "'alert.acknowledge' has no key"),
        ("alert.acknowledge", "ctrl+i", "terminals send tab for ctrl+i"),
        ("alert.acknowledge", "ctrl+m", "terminals send enter for ctrl+m"),
        ("alert.acknowledge", "ctrl+[", "terminals send escape for ctrl+["),
        ("alert.acknowledge", "alt+a", "'alt+a' is not a key that every terminal sends"),
        ("alert.acknowledge", "ctrl+shift+a", "not a key that every terminal sends"),
        ("alert.acknowledge", "[/]", "'[/]' is not a key that every terminal sends"),
        ("quit", "Q", "'quit': Q is for typing where it works"),
        ("form.save", "!", "'form.save': ! is for typing where it works (Save variant)"),
        ("form.save", "ctrl+k", "'form.save': ^k is for typing where it works (Save variant)"),
        ("query.enter", "f", "'query.enter': f is for typing where it works (Alerts)"),
    ],
)
def test_invalid_keys_are_refused(id: str, keys: str | Sequence[str], said: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_keymap({id: keys})
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_keys_can_be_swapped_and_several() -> None:
    assert parse_keymap(
        {
            "alert.acknowledge": "x",
            "alert.suppress": "a",
            "list.down": ["j", " ", "#"],
            "list.mark": "f6",
        }
    ) == {
        "alert.acknowledge": "x",
        "alert.suppress": "a",
        "list.down": "j,space,number_sign",
        "list.mark": "f6",
    }
    assert parse_keymap({}) == {}


def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    write(tmp_path, "trailhound/config.toml", text.encode())


@pytest.mark.parametrize("command", [["demo"], ["keys"]])
def test_invalid_keys_fail_at_start(
    command: list[str], cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tui.commandline.commands.app._require_terminal", lambda: None)
    configure(tmp_path, monkeypatch, '[keys]\n"pivt" = "P"\n')
    one_line(cli(*command), 2, "config.toml: keys: unknown key id 'pivt', did you mean 'pivot'?")
    assert cli("status").status == 0, "other commands do without keys"


def test_keys_command_lists_rebound_keys(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(tmp_path, monkeypatch, '[keys]\n"alert.acknowledge" = ["f6", "f7"]\n')
    assert "f6 f7" in next(
        line for line in cli("keys").out.splitlines() if " alert.acknowledge " in line
    )


def test_app_uses_rebound_keys(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path)
    keys = parse_keymap(
        {"alert.acknowledge": "x", "alert.suppress": "a", "undo": "U", "list.down": "B"}
    )

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        assert "x ack" in screen_text(app).splitlines()[-1]
        await press(pilot, "B", "B", "x")
        assert app.screen.query_one(RowList).cursor_index == 2
        assert hunt.alert(ANA).status == "acknowledged"
        assert said(app) == "Acknowledged user/ana; U undoes"
        await press(pilot, "j", "U")
        assert app.screen.query_one(RowList).cursor_index == 2
        assert hunt.alert(ANA).status == "open"
        await press(pilot, "question_mark")
        assert "x          Acknowledge" in screen_text(app)

    hunt.play(journey, size=(120, 40), keys=keys)


def test_messages_name_rebound_keys(tmp_path: Path) -> None:
    hunt = Hunt(tmp_path)
    keys = parse_keymap(
        {"area.sources": "dollar_sign", "alerts.pause": "0", "alerts.hidden": "number_sign"}
    )

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        bad = msgspec.structs.replace(hunt.read.accounting, files_quarantined={"corrupt": 2})
        await hunt.arrive(app, pilot, hunt.update(accounting=bad))
        assert said(app) == "2 files could not be read; $ shows why"
        await press(pilot, "0")
        assert said(app) == "Paused – still ingesting. 0 goes on"
        await press(pilot, "0", "d")
        assert "# shows them" in screen_text(app)
        await press(pilot, "number_sign")
        assert "# hides them" in screen_text(app)

    hunt.play(journey, size=(120, 40), keys=keys)
