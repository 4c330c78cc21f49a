"""The keys: named, without clashes, the same in help, footer and palette."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections import defaultdict
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest
from textual.binding import Binding
from textual.command import DiscoveryHit, Hit
from textual.dom import DOMNode
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import OptionList

import tui
from tests.commandline.cli import Cli
from tests.hostile.payloads import screen_text
from tests.tui.stage import Hunt, press, said, until
from tui.app.app import HuntApp
from tui.app.area_commands import AreaCommands
from tui.app.key_remap import clashes
from tui.app.screen_registry import SCREENS, TYPED_IN, ScreenInfo, bindings_of
from tui.keymap import GROUPS, KeyEntry, KeysProvider, display, screen_entries
from tui.screens.admin.hunt_log import HuntLogScreen
from tui.screens.admin.sources import SourcesScreen
from tui.screens.pivot.screen import PivotScreen
from tui.widgets.areas_bar import AreasBar
from tui.widgets.pane_tabs import PaneBar

WAYS = {
    "alerts": [],
    "alert": ["enter"],
    "strip": ["enter", "i"],
    "board": ["b"],
    "timeline": ["i"],
    "calendar": ["D"],
    "raw": ["enter", "r"],
    "guide": ["enter", "tab", "tab", "tab"],
    "pivot": ["p"],
    "log": ["4"],
    "suppressions": ["5"],
    "sources": ["6"],
    "rules": ["7"],
}


def ours() -> list[tuple[str, Binding]]:
    """Yield every binding that trailhound's own classes declare, with the class."""
    bindings = []
    for module in walk_packages(tui.__path__, "tui."):
        if module.name.startswith("tui.commandline.commands"):
            continue
        for name, made in vars(import_module(module.name)).items():
            if (
                inspect.isclass(made)
                and made.__module__ == module.name
                and issubclass(made, DOMNode)
            ):
                bindings += [(name, binding) for binding in made.__dict__.get("BINDINGS", [])]
    return bindings


@pytest.mark.parametrize(
    ("owner", "binding"), ours(), ids=lambda value: getattr(value, "id", value)
)
def test_binding_has_id_label_tooltip_and_group(owner: str, binding: Binding) -> None:
    assert binding.id
    assert binding.description
    assert binding.tooltip[0].isupper() or binding.tooltip.startswith("½")
    assert not binding.tooltip.endswith(".")
    assert binding.group in GROUPS


def test_binding_id_has_one_label() -> None:
    labels = defaultdict(set)
    for _, binding in ours():
        labels[binding.id].add(binding.description)
    assert {id: words for id, words in labels.items() if len(words) > 1} == {}


def test_every_screen_is_registered() -> None:
    """No screen is forgotten where keys are listed and checked; those that others are made from
    need not be there."""
    made = {
        made
        for module in walk_packages(tui.__path__, "tui.")
        for made in vars(import_module(module.name)).values()
        if inspect.isclass(made) and made.__module__ == module.name and issubclass(made, Screen)
    }
    above = {parent for each in made for parent in each.__mro__[1:]}
    assert made - above <= {info.screen for info in SCREENS} <= made


@pytest.mark.parametrize("info", SCREENS, ids=lambda info: info.name)
def test_key_has_one_meaning_on_a_screen(info: ScreenInfo) -> None:
    """But for what is typed: enter and escape mean the text first."""
    for chain in info.chains():
        if not issubclass(chain[0], TYPED_IN):
            assert list(clashes(chain, {})) == []


def test_docs_list_every_key(cli: Cli) -> None:
    """``UPDATE_GOLDENS=1`` rewrites the list."""
    docs = Path(tui.__file__).parents[1] / "docs" / "keys.md"
    said, listed = docs.read_text(encoding="utf-8"), cli("keys", "--format", "md").out
    if os.environ.get("UPDATE_GOLDENS"):
        said = said[: said.index("## Triage")] + listed
        docs.write_text(said, encoding="utf-8")
    assert said[said.index("## Triage") :] == listed


def test_letters_do_nothing_in_forms() -> None:
    assert [binding.id for _, binding in ours() if binding.priority and len(binding.key) == 1] == []


async def go(way: str, app: HuntApp, pilot: Pilot[None]) -> None:
    await press(pilot, *WAYS[way])
    await until(pilot, lambda: way != "pivot" or isinstance(app.screen, PivotScreen))


def play_at(way: str, tmp_path: Path, check: object) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await go(way, app, pilot)
        await check(app, pilot)  # type: ignore[operator]

    Hunt(tmp_path).play(journey, size=(160, 70))


@pytest.mark.parametrize("way", WAYS)
def test_keys_are_listed_wherever_they_work(way: str, tmp_path: Path) -> None:
    async def check(app: HuntApp, pilot: Pilot[None]) -> None:
        check_clickable_widgets_are_registered(app)
        await check_palette_finds_every_binding(app)
        await check_help_shows_every_key(app, pilot)
        await check_footer_shows_main_keys_and_help(app, pilot)

    play_at(way, tmp_path, check)


def check_clickable_widgets_are_registered(app: HuntApp) -> None:
    [info] = [info for info in SCREENS if info.screen is type(app.screen)]
    ids = {entry.id for entry in screen_entries(app.screen)}
    for widget in app.screen.query("*"):
        if widget.can_focus and any(bindings_of(type(widget))):
            assert isinstance(widget, info.widgets), f"{widget} is not listed at {info.name}"
        if type(widget).__dict__.get("on_click"):
            assert isinstance(widget, info.widgets) or ids & CLICKED[type(widget)], widget
    unknown = ids - {
        binding.id for chain in info.chains() for kind in chain for binding in bindings_of(kind)
    }
    assert unknown == set()


async def check_palette_finds_every_binding(app: HuntApp) -> None:
    entries = {entry.id: entry for entry in screen_entries(app.screen) if entry.id != "palette"}
    provider = KeysProvider(app.screen)
    offered = [hit.text async for hit in provider.discover() if isinstance(hit, DiscoveryHit)]
    assert len(offered) == len(entries)
    for entry in entries.values():
        hits = [hit.text async for hit in provider.search(entry.label) if isinstance(hit, Hit)]
        assert f"{entry.label}  {entry.shown_keys}" in hits


async def check_help_shows_every_key(app: HuntApp, pilot: Pilot[None]) -> None:
    entries = screen_entries(app.screen)
    await press(pilot, "question_mark")
    shown = " ".join(screen_text(app).split())
    for entry in entries:
        assert entry.shown_keys in shown
        assert entry.binding.tooltip.split()[0] in shown
    await press(pilot, "question_mark")


async def check_footer_shows_main_keys_and_help(app: HuntApp, pilot: Pilot[None]) -> None:
    for width in (80, 200):
        await pilot.resize_terminal(width, 24)
        await until(pilot, lambda width=width: _has_footer(app, width))
    shown: list[KeyEntry] = [entry for entry in screen_entries(app.screen) if entry.binding.show]
    words = [f"{display(entry.keys[0])} {entry.label}" for entry in shown]
    await until(pilot, lambda: all(each in _last_line(app) for each in words))


def _has_footer(app: HuntApp, width: int) -> bool:
    """Return whether the last line fits; one of the previous size may be drawn first."""
    line = _last_line(app)
    return len(line) <= width == app.size.width and line.endswith("? keys")


def _last_line(app: HuntApp) -> str:
    return screen_text(app).splitlines()[-1]


CLICKED: dict[type[DOMNode], set[str]] = {AreasBar: {"area.alerts"}, PaneBar: {"pane.next"}}
"""What can be clicked without having the focus, and the equivalent key."""


def test_mouse_reaches_every_command(tmp_path: Path) -> None:
    async def check(app: HuntApp, pilot: Pilot[None]) -> None:
        def place_of(words: str) -> tuple[int, int]:
            y, line = next(
                (y, line) for y, line in enumerate(screen_text(app).splitlines()) if words in line
            )
            return line.index(words), y

        await pilot.click(offset=place_of("? keys"))
        await pilot.pause()
        await pilot.click(offset=place_of(": commands"))
        await until(
            pilot, lambda: any(options.option_count > 9 for options in app.screen.query(OptionList))
        )
        assert "hunt log" in screen_text(app)

    play_at("alerts", tmp_path, check)


def test_palette_leads_to_keys_of_other_areas(tmp_path: Path) -> None:
    """It goes there and names the key; it decides on no row that has not been seen."""

    async def check(app: HuntApp, pilot: Pilot[None]) -> None:
        provider = AreaCommands(app.screen)
        hits = [hit async for hit in provider.search("retry") if isinstance(hit, Hit)]
        [retry] = [hit for hit in hits if hit.text == "Sources: retry  6 R"]
        retry.command()
        await pilot.pause()
        assert isinstance(app.screen, SourcesScreen)
        assert said(app) == "R: Retry the quarantined file"
        again = [hit.text async for hit in AreaCommands(app.screen).search("retry")]
        assert not any("Sources" in (text or "") for text in again)

    play_at("alerts", tmp_path, check)


def test_palette_runs_action_of_key(tmp_path: Path) -> None:
    async def check(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "colon", "'hunt log")
        await until(pilot, lambda: app.screen.query_one(OptionList).option_count > 0)
        await press(pilot, "enter")
        await asyncio.sleep(0)
        await pilot.pause()
        if not isinstance(app.screen, HuntLogScreen):
            await press(pilot, "enter")
        assert isinstance(app.screen, HuntLogScreen)

    play_at("alerts", tmp_path, check)
