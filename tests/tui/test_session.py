"""The session: the app continues as it was left; broken files are set aside."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.pilot import Pilot

from detector.text import private_files
from tests.detector.trail import ANA
from tests.hostile.payloads import PAYLOADS, harm, screen_text
from tests.tui.stage import BEN, Hunt, press, said, until
from tui.app.app import HuntApp
from tui.presentation import time_display
from tui.screens.admin.rules import RulesScreen
from tui.screens.admin.suppressions import SuppressionsScreen
from tui.screens.alert.screen import AlertScreen
from tui.screens.alerts.screen import AlertsScreen
from tui.screens.forms.confirm import Confirm
from tui.screens.forms.note import NoteForm
from tui.screens.forms.suppress import SuppressForm
from tui.settings.session_file import SESSION_VERSION, ListState, Session, SessionError, SessionFile
from tui.widgets.row_list import RowList


@pytest.fixture(autouse=True)
def utc() -> Iterator[None]:
    yield
    time_display.set_mode("UTC", time.time)


@pytest.fixture
def file(tmp_path: Path) -> SessionFile:
    return SessionFile(tmp_path / "hunt.db")


def test_session_restores_lists_area_and_times(tmp_path: Path, file: SessionFile) -> None:
    hunt = Hunt(tmp_path)
    ana = hunt.alert(ANA).alert_id

    async def leave(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "S", "H", "f", "'user", "enter")
        app.screen.query_one(RowList).move_to(ana)
        await press(pilot, "space", "k", "t", "t", "7")
        await until(pilot, lambda: bool(app.screen.query_one(RowList).rows))
        await press(pilot, "f", "'high", "enter", "5", "ctrl+q")

    hunt.play(leave, session=file)
    assert file.path.stat().st_mode & 0o777 == 0o600

    async def come_back(app: HuntApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: isinstance(app.screen, SuppressionsScreen))
        assert time_display.mode == "relative"
        await press(pilot, "7")
        assert isinstance(app.screen, RulesScreen)
        assert app.screen.filter.text == "high"
        await press(pilot, "1")
        assert isinstance(app.screen, AlertsScreen)
        rows = app.screen.query_one(RowList)
        assert app.screen.filter.text == "user"
        assert rows.marks == {ana}
        assert rows.cursor_key == ana
        assert [row.first_event for row in rows.rows] == sorted(
            row.first_event for row in rows.rows
        )
        assert app.screen.list_state.hidden
        await press(pilot, "ctrl+q")

    hunt.play(come_back, session=file, folded=True)
    assert file.read().area == "alerts", "and kept again"


def test_session_restores_open_alert(tmp_path: Path, file: SessionFile) -> None:
    hunt = Hunt(tmp_path)
    ana = hunt.alert(ANA).alert_id

    async def leave(app: HuntApp, pilot: Pilot[None]) -> None:
        app.screen.query_one(RowList).move_to(ana)
        await press(pilot, "enter", "shift+tab", "ctrl+q")

    hunt.play(leave, session=file)

    async def come_back(app: HuntApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: isinstance(app.screen, AlertScreen))
        screen = app.screen
        assert isinstance(screen, AlertScreen)
        await until(pilot, lambda: screen.pane == "notes")
        assert screen.alert is not None
        assert screen.alert.alert_id == ana
        await press(pilot, "escape")
        assert app.screen.query_one(RowList).cursor_key == ana

    hunt.play(come_back, session=file, folded=True)

    async def start_afresh(app: HuntApp, pilot: Pilot[None]) -> None:
        assert isinstance(app.screen, AlertsScreen)

    before = file.path.read_bytes()
    hunt.play(start_afresh)
    assert file.path.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"{", "cannot be read"),
        (b"\xff\x00", "cannot be read"),
        (b'{"version": 99}', "another version"),
        (b'{"version": 1, "area": 7}', "cannot be read"),
        (b'{"version": 1, "nothing of ours": 7}', "cannot be read"),
    ],
)
def test_broken_session_is_ignored(
    content: bytes, word: str, tmp_path: Path, file: SessionFile
) -> None:
    file.path.write_bytes(content)
    with pytest.raises(SessionError, match=word) as raised:
        file.read()
    assert "\n" not in str(raised.value)


def test_missing_or_hostile_values_are_reported(tmp_path: Path, file: SessionFile) -> None:
    hunt = Hunt(tmp_path)
    for payload in (PAYLOADS["action"], PAYLOADS["window-title"]):
        gone = ListState(
            filter="", order=payload, cursor=payload, marks=[payload, hunt.alert(ANA).alert_id]
        )
        file.write(
            Session(
                version=SESSION_VERSION,
                area=payload,
                alert=payload,
                pane=payload,
                piped_to=payload,
                views={"alerts": gone, payload: gone},
            )
        )

        async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
            assert isinstance(app.screen, AlertsScreen)
            assert len(app.screen.query_one(RowList).marks) == 1
            assert said(app).startswith("1 previously marked row no longer listed")
            await press(pilot, "vertical_line")
            assert harm(app) == []

        hunt.play(journey, session=file, folded=True)
    file.path.write_bytes(b"{")

    async def told(app: HuntApp, pilot: Pilot[None]) -> None:
        assert "hunt.db.session cannot be read" in screen_text(app)
        await press(pilot, "ctrl+q")

    hunt.play(told, session=file, folded=True)
    assert file.read().area == "alerts", "the next one is whole again"


@settings(max_examples=50)
@given(
    st.builds(
        Session,
        version=st.just(SESSION_VERSION),
        area=st.text(),
        alert=st.none() | st.text(),
        piped_to=st.text(),
        times=st.sampled_from(time_display.TIME_MODES),
        views=st.dictionaries(
            st.text(),
            st.builds(
                ListState,
                filter=st.text(),
                cursor=st.none() | st.text(),
                marks=st.lists(st.text()),
                hidden=st.booleans(),
            ),
        ),
    )
)
def test_session_file_round_trips(session: Session) -> None:
    assert msgspec.json.decode(msgspec.json.encode(session), type=Session) == session


def test_failed_write_keeps_former_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    private_files.replace_file(path, "old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            private_files.replace_file(path, "new")
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
    with pytest.raises(FileExistsError):
        private_files.write_new(path, "new")
    with pytest.raises(UnicodeError):
        private_files.write_new(tmp_path / "other", "\ud800")
    assert not (tmp_path / "other").exists()


def test_note_being_written_is_there_when_the_app_opens_again(
    tmp_path: Path, file: SessionFile
) -> None:
    hunt = Hunt(tmp_path)

    async def leave(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "j", "j", "c", "'half a thought")
        await until(pilot, lambda: b"half a thought" in file.draft.path.read_bytes())
        assert file.draft.path.stat().st_mode & 0o777 == 0o600

    hunt.play(leave, session=file)
    assert file.draft.path.exists()

    async def come_back(app: HuntApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: isinstance(app.screen, NoteForm))
        await until(pilot, lambda: "half a thought" in screen_text(app))
        await press(pilot, "'!", "ctrl+s")
        await until(pilot, lambda: not isinstance(app.screen, NoteForm))
        assert [note.body.text for note in hunt.store.triage.notes()] == ["half a thought!"]
        assert not file.draft.path.exists()

    hunt.play(come_back, session=file, folded=True)


def test_suppression_being_filled_in_is_there_when_the_app_opens_again(
    tmp_path: Path, file: SessionFile
) -> None:
    hunt = Hunt(tmp_path)

    async def leave(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "G", "x", "'CHG-9", "enter", "'sec-ops", "enter", "'known")
        await until(pilot, lambda: b"known" in file.draft.path.read_bytes())

    hunt.play(leave, session=file)

    async def come_back(app: HuntApp, pilot: Pilot[None]) -> None:
        await until(pilot, lambda: isinstance(app.screen, SuppressForm))
        assert "CHG-9" in screen_text(app)
        await press(pilot, "escape")  # asks, as something would be lost
        assert isinstance(app.screen, Confirm)
        await press(pilot, "n", "ctrl+s")
        await until(pilot, lambda: not isinstance(app.screen, SuppressForm))
        [made] = hunt.store.suppressions.all()
        assert (made.value, made.ticket, made.owner, made.justification) == (
            BEN,
            "CHG-9",
            "sec-ops",
            "known",
        )
        assert not file.draft.path.exists()

    hunt.play(come_back, session=file, folded=True)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[1]", b'{"alert_ids":5}'])
def test_broken_draft_is_left_aside(tmp_path: Path, file: SessionFile, content: bytes) -> None:
    file.draft.path.write_bytes(content)
    assert file.draft.read() is None
    assert file.draft.path.read_bytes() == content
