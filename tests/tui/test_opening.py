"""Opening: the app is there before the store; failures are one line."""

from __future__ import annotations

import asyncio
import os
import pty
import select
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from textual.pilot import Pilot

from detector.store import StateError
from tests.hostile.payloads import screen_text
from tests.test_import_hygiene import loaded
from tests.tui.stage import Hunt, said, until
from tui.app import launch
from tui.app.app import HuntApp
from tui.model.opened import Opened
from tui.screens.admin.sources import SourcesScreen

_PATIENCE = 30.0


def test_opening_screen_imports_no_core() -> None:
    modules, _ = loaded(
        "import json, sys\nimport tui.app.app\nprint(json.dumps([sorted(sys.modules), 0]))"
    )
    assert "textual" in modules
    assert (
        modules
        & {"sqlite3", "lark", "detector.detection.alert", "detector.store", "detector.rules"}
        == set()
    )


def test_only_an_area_can_be_chosen_before_open(tmp_path: Path) -> None:
    hunt, open_now = Hunt(tmp_path), threading.Event()
    opened = Opened(hunt.store, hunt.rules, None)

    def opening() -> Opened:
        open_now.wait(_PATIENCE)
        return opened

    async def drive() -> None:
        app = HuntApp(opening, "AWSLogs/", clock=hunt.clock)
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.press("5", "6", "a", "question_mark", "colon", "enter", "j")
            lines = screen_text(app).splitlines()
            assert lines[0].startswith(" trailhound › Alerts")
            assert "◌ opening   AWSLogs/" in lines[0]
            assert "Opening the database and the rules …" in lines[2]
            assert not app.is_open
            open_now.set()
            await until(pilot, lambda: app.is_open and app.view_model.loaded)
            assert len(app.view_model.alerts) == 4
            assert isinstance(app.screen, SourcesScreen)

    asyncio.run(drive())


def test_app_can_quit_before_open(tmp_path: Path) -> None:
    left = threading.Event()

    def opening() -> Opened:
        left.wait(_PATIENCE)
        raise StateError("came too late to matter")

    async def drive() -> None:
        app = HuntApp(opening, "AWSLogs/")
        async with app.run_test() as pilot:
            await pilot.press("q")
            left.set()
        assert app.opening_error is None
        assert app.return_code == 0

    asyncio.run(drive())


def test_opening_error_ends_app(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def drive(app: HuntApp) -> None:
        async with app.run_test() as pilot:
            await until(pilot, lambda: app.opening_error is not None)

    monkeypatch.setattr(HuntApp, "run", lambda app: asyncio.run(drive(app)))

    def opening() -> Opened:
        raise StateError("hunt.db: malformed: move it away")

    with pytest.raises(StateError, match=r"^hunt\.db: malformed: move it away$"):
        launch.run(opening, "AWSLogs/", {})


def test_broken_rule_files_are_reported(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("[rule\n")
    hunt = Hunt(tmp_path, rules=[Path(__file__).with_name("data"), broken])

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        assert said(app) == "1 rule file in error; 7 shows where"

    hunt.play(journey)


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (
            ["--rules", "no-such"],
            "trailhound: no-such: no such rule file or folder: check the name",
        ),
        (
            ["--db", "notes.txt"],
            "trailhound: notes.txt: not a trailhound database: name another file with --db FILE",
        ),
    ],
)
def test_opening_error_is_one_line_and_status_1(args: list[str], line: str, tmp_path: Path) -> None:
    """Before the app opens, and after: the terminal is its own again, and the line is the last on
    it."""
    (tmp_path / "notes.txt").write_text("not a state, but longer than nothing")
    status, seen = _on_a_terminal(args, tmp_path)
    assert status == 1
    assert seen.decode(errors="replace").split("\x1b")[-1].endswith(f"{line}\r\n")
    assert seen.count(line.encode()) == 1


def test_app_draws_on_standard_output_where_errors_are_redirected(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a state, but longer than nothing")
    with (tmp_path / "errors").open("wb") as errors:
        status, seen = _on_a_terminal(["--db", "notes.txt"], tmp_path, errors.fileno())
    assert status == 1
    assert b"\x1b[?1049h" in seen and b"\x1b[?1049l" in seen, "the other screen, and back"
    assert (tmp_path / "errors").read_text().startswith("trailhound: notes.txt: not a trailhound")


def _on_a_terminal(args: list[str], folder: Path, errors: int | None = None) -> tuple[int, bytes]:
    """Run the app with a terminal of its own; return its status and what it wrote there."""
    terminal, inside = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "tui", ".", *args],
        cwd=folder,
        stdin=inside,
        stdout=inside,
        stderr=inside if errors is None else errors,
        env={**os.environ, "PYTHONPATH": os.getcwd(), "TERM": "xterm"},
    ) as process:
        os.close(inside)
        seen = _read_to_end(terminal)
        status = process.wait(_PATIENCE)
    os.close(terminal)
    return status, seen


def _read_to_end(terminal: int) -> bytes:
    seen = b""
    while select.select([terminal], [], [], _PATIENCE)[0]:
        try:
            block = os.read(terminal, 1 << 16)
        except OSError:  # the other side is closed
            return seen
        seen += block
    raise AssertionError(f"it never ended: {seen[-500:]!r}")
