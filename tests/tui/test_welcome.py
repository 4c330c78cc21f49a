"""The first page: trails found nearby, the demo, and screenshots."""

from __future__ import annotations

import argparse
import asyncio
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from platformdirs import user_data_path
from textual.pilot import Pilot

from detector.sources.discover import TrailFolder, find_trails
from detector.text.installation import add_command
from tests.detector.trail import sweep, write
from tests.hostile.payloads import PAYLOADS, harm, screen_text
from tests.tui.goldens import compare
from tests.tui.stage import Hunt, press, said, until
from tests.tui.test_hostile import hostile
from tui.app import welcome_app
from tui.app.app import HuntApp
from tui.app.welcome_app import WelcomeApp
from tui.commandline.commands import app as command
from tui.settings import config
from tui.terminal import screenshot

NAME = "111122223333_CloudTrail_us-east-1_20260301T1200Z_0123456789abcdef.json.gz"


def delivered(
    root: Path, *regions: str, account: str = "111122223333", day: str = "2026/03/01"
) -> Path:
    for region in regions:
        write(root / "AWSLogs" / account / "CloudTrail" / region / day, NAME, sweep(1))
    return root / "AWSLogs"


def found(*roots: Path, **bounds: float) -> list[TrailFolder]:
    return list(find_trails(roots, threading.Event(), **bounds))  # type: ignore[arg-type]


def test_trails_are_listed_nearest_first(tmp_path: Path) -> None:
    bucket = delivered(tmp_path / "work/buckets/one", "eu-west-1", "us-east-1", day="2026/02/27")
    delivered(tmp_path / "work/buckets/one", "us-east-1", account="444455556666")
    organization = delivered(tmp_path / "work" / "org", "us-east-1")
    (organization / "o-abc123").mkdir()
    (organization / "111122223333").rename(organization / "o-abc123" / "111122223333")
    write(tmp_path / "loose", NAME, sweep(1))
    delivered(tmp_path / "work/.hidden", "us-east-1")
    delivered(tmp_path / "work/node_modules/x", "us-east-1")
    (tmp_path / "work/AWSLogs").mkdir()
    write(tmp_path / "work/notes", "notes.json", {})
    (tmp_path / "link").symlink_to(bucket)
    assert found(tmp_path / "work", tmp_path) == [
        TrailFolder(tmp_path / "loose", 1, 1, "2026-03-01"),
        TrailFolder(organization, 1, 1, "2026-03-01"),
        TrailFolder(bucket, 2, 2, "2026-03-01"),
    ]
    assert found(tmp_path, depth=1) == [TrailFolder(tmp_path / "loose", 1, 1, "2026-03-01")]
    assert (
        found(tmp_path, folders=1) == found(tmp_path, seconds=0) == found(tmp_path / "none") == []
    )
    stopped = threading.Event()
    stopped.set()
    assert list(find_trails([tmp_path], stopped)) == []


@settings(max_examples=25)
@given(st.lists(st.lists(st.sampled_from(["a", "b", ".c", "AWSLogs"]), max_size=4), max_size=6))
def test_nested_trails_are_listed_once(
    tmp_path_factory: pytest.TempPathFactory,
    paths: list[list[str]],
) -> None:
    root = tmp_path_factory.mktemp("tree")
    for path in paths:
        delivered(root.joinpath(*path), "us-east-1")
    trails = [likely.path for likely in found(root, root, depth=9)]
    assert len(set(trails)) == len(trails)
    assert not any(one in other.parents for one in trails for other in trails)


def play(
    journey: Callable[[WelcomeApp, Pilot[str]], Awaitable[None]],
    *roots: Path,
    size: tuple[int, int] = (80, 24),
) -> str | None:
    app = WelcomeApp(roots)

    async def drive() -> None:
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: "Searching" not in screen_text(app))
            await journey(app, pilot)

    asyncio.run(drive())
    return app.return_value


def test_chosen_trail_is_opened(tmp_path: Path) -> None:
    bucket = delivered(tmp_path, "eu-west-1", "us-east-1")

    async def journey(app: WelcomeApp, pilot: Pilot[str]) -> None:
        shown = screen_text(app)
        assert "1 trail found in /" in shown
        assert "2026-03-01" in shown
        assert "demo: a simulated attack" in shown
        assert "trailhound s3://BUCKET" in shown
        delivered(tmp_path / "more", "us-east-1")
        await press(pilot, "question_mark", "escape", "R")
        await until(pilot, lambda: "2 trails found" in screen_text(app))
        await press(pilot, "enter")

    assert play(journey, tmp_path) == str(bucket)


def test_demo_and_quit_are_always_offered(tmp_path: Path) -> None:
    async def demo(app: WelcomeApp, pilot: Pilot[str]) -> None:
        assert "No trail found" in screen_text(app)
        await press(pilot, "G", "enter")

    async def out(app: WelcomeApp, pilot: Pilot[str]) -> None:
        await press(pilot, "q")

    async def look(app: WelcomeApp, pilot: Pilot[str]) -> None:
        await compare(app, pilot, "welcome")

    play(look, Path("/nowhere"))
    assert play(demo, tmp_path / "none", size=(40, 10)) == welcome_app.DEMO
    assert play(out, tmp_path) is None


def test_hostile_folder_names_are_harmless(tmp_path: Path) -> None:
    for name in ("action", "closing-tag", "window-title", "bidi-override"):
        delivered(tmp_path / PAYLOADS[name].replace("/", "_"), "us-east-1")

    async def journey(app: WelcomeApp, pilot: Pilot[str]) -> None:
        for _ in range(5):
            await press(pilot, "j")
            assert [what for what in harm(app) if "@mouse" not in what] == []

    play(journey, tmp_path)


def test_command_asks_only_without_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen(answer: str | None, db: Path) -> tuple[bool, bool, list[str]]:
        monkeypatch.setattr(welcome_app, "ask", lambda keys: answer)
        args = argparse.Namespace(demo=False, sources=[], db=str(db))
        return command._choose_sources(args, {}), args.demo, args.sources

    assert chosen("/logs", tmp_path / "no.db") == (True, False, ["/logs"])
    assert chosen(welcome_app.DEMO, tmp_path / "no.db") == (True, True, [])
    assert chosen(None, tmp_path / "no.db") == (False, False, [])
    (tmp_path / "hunt.db").touch()
    assert chosen("never", tmp_path / "hunt.db") == (True, False, [])
    monkeypatch.setattr(
        config, "load_config", lambda: config.Config(sources=["~/AWSLogs", "s3://bucket/x"])
    )
    assert chosen("never", tmp_path / "no.db") == (
        True,
        False,
        [str(Path.home() / "AWSLogs"), "s3://bucket/x"],
    )


def test_screenshot_is_private_and_complete(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    hunt = Hunt(tmp_path)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await hunt.arrive(
            app,
            pilot,
            hunt.update(
                *(
                    hostile(name, at=9_000)[0]
                    for name in ("window-title", "html", "action", "hyperlink")
                )
            ),
        )
        await press(pilot, "c", "'in a form', too", "f9")
        await until(pilot, lambda: said(app).startswith("Screenshot saved to"))
        folder = user_data_path("trailhound") / "screenshots"
        svg, txt = sorted(folder.iterdir())
        assert str(svg.with_suffix("")) in said(app)
        assert (folder.stat().st_mode | svg.stat().st_mode | txt.stat().st_mode) & 0o077 == 0
        letters = txt.read_text()
        assert "<script>" in letters
        assert "\x1b" not in letters + svg.read_text()
        picture = ElementTree.fromstring(svg.read_text())
        drawn = "".join(picture.itertext()).replace("\xa0", " ")
        for line in letters.splitlines():
            for word in line.split():
                assert word in drawn
        assert not any(
            fetched in svg.read_text() for fetched in ("@font-face", "url(http", "href", "<image")
        )
        assert not picture.findall(".//{http://www.w3.org/2000/svg}script")

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(screenshot, "write_screenshot", full)
        await press(pilot, "f9")
        await until(pilot, lambda: "No space left on device" in said(app))

    hunt.play(journey, size=(120, 36))


def test_bucket_needs_what_fits_this_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    async def journey(app: WelcomeApp, pilot: Pilot[str]) -> None:
        shown = " ".join(screen_text(app).split())
        assert f"a bucket, after {add_command(['obstore'])} trailhound --help" in shown

    monkeypatch.setattr(welcome_app, "find_spec", lambda name: None)
    play(journey, size=(80, 24))
