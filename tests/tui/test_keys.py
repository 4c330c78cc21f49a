"""The grammar of keys: every binding is named, none clash, and help, last line and palette tell the same."""

from __future__ import annotations

import asyncio
import inspect
from collections import defaultdict
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest
from textual.binding import Binding
from textual.command import DiscoveryHit, Hit
from textual.dom import DOMNode
from textual.pilot import Pilot
from textual.widgets import OptionList

import tui
from tests.hostile.payloads import screen_text
from tests.tui.stage import Hunt, press, until
from tui.app import HuntApp
from tui.keymap import GROUPS, Entry, KeysProvider, display, of_screen
from tui.screens.alert import AlertScreen
from tui.screens.alerts import AlertsScreen
from tui.screens.board import BoardScreen
from tui.screens.calendar import CalendarScreen
from tui.screens.hunt_log import HuntLogScreen
from tui.screens.pivot import PivotScreen
from tui.screens.reader import Reader
from tui.screens.record import RecordScreen
from tui.screens.rules import RulesScreen
from tui.screens.sources import SourcesScreen
from tui.screens.suppressions import SuppressionsScreen
from tui.screens.timeline import TimelineScreen
from tui.widgets.calendar import Calendar
from tui.widgets.heat_strip import HeatStrip
from tui.widgets.histogram import Histogram
from tui.widgets.json_view import JsonView
from tui.widgets.region_board import RegionBoard
from tui.widgets.row_list import RowList

SCREENS: dict[type[DOMNode], tuple[type[DOMNode], ...]] = {
    AlertsScreen: (RowList,),
    AlertScreen: (RowList, HeatStrip, JsonView, Reader),
    PivotScreen: (RowList,),
    RecordScreen: (JsonView,),
    BoardScreen: (RegionBoard,),
    CalendarScreen: (Calendar,),
    TimelineScreen: (Histogram,),
    HuntLogScreen: (RowList, Reader),
    SuppressionsScreen: (RowList, Reader),
    SourcesScreen: (RowList, Reader),
    RulesScreen: (RowList, Reader),
}
"""The screens, and the widgets on each that can have the focus."""

WAYS = {"alerts": [], "alert": ["enter"], "strip": ["enter", "i"], "board": ["b"], "timeline": ["i"], "calendar": ["D"],
        "raw": ["enter", "r"], "guide": ["enter", "tab", "tab", "tab"], "pivot": ["p"], "log": ["3"],
        "suppressions": ["4"], "sources": ["5"], "rules": ["6"]}


def ours() -> list[tuple[str, Binding]]:
    """Every binding that trailhound's own classes write, and the class."""
    found = []
    for module in walk_packages(tui.__path__, "tui."):
        if module.name.startswith("tui.commands"):
            continue
        for name, made in vars(import_module(module.name)).items():
            if inspect.isclass(made) and made.__module__ == module.name and issubclass(made, DOMNode):
                found += [(name, binding) for binding in made.__dict__.get("BINDINGS", [])]
    return found


def keys_of(kind: type[DOMNode]) -> dict[str, str]:
    """Key -> id of all that the class and the classes of ours above it bind."""
    found: dict[str, str] = {}
    for above in reversed(kind.__mro__):
        if above.__module__.startswith("tui."):
            for binding in above.__dict__.get("BINDINGS", []):
                found.update(dict.fromkeys(binding.key.split(","), binding.id))
    return found


@pytest.mark.parametrize(("owner", "binding"), ours(), ids=lambda value: getattr(value, "id", value))
def test_every_binding_is_named_explained_and_grouped(owner: str, binding: Binding) -> None:
    assert binding.id
    assert binding.description
    assert binding.tooltip[0].isupper() or binding.tooltip.startswith("½")
    assert not binding.tooltip.endswith(".")
    assert binding.group in GROUPS


def test_an_id_means_one_thing() -> None:
    told = defaultdict(set)
    for _, binding in ours():
        told[binding.id].add(binding.description)
    assert {id: words for id, words in told.items() if len(words) > 1} == {}


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.__name__)
def test_no_key_has_two_meanings_on_a_screen(screen: type[DOMNode]) -> None:
    app, own = keys_of(HuntApp), keys_of(screen)
    assert {key: (app[key], own[key]) for key in app.keys() & own.keys()} == {}
    for widget in SCREENS[screen]:
        focused = keys_of(widget)
        outer = {**app, **own}
        assert {key: (focused[key], outer[key]) for key in focused.keys() & outer.keys()} == {}


def test_letters_never_work_over_a_form() -> None:
    assert [binding.id for _, binding in ours() if binding.priority and len(binding.key) == 1] == []


async def go(way: str, app: HuntApp, pilot: Pilot[None]) -> None:
    await press(pilot, *WAYS[way])
    await until(pilot, lambda: way != "pivot" or isinstance(app.screen, PivotScreen))


def at(way: str, tmp_path: Path, look: object) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await go(way, app, pilot)
        await look(app, pilot)  # type: ignore[operator]

    Hunt(tmp_path).play(journey, size=(160, 60))


@pytest.mark.parametrize("way", WAYS)
def test_help_shows_every_key(way: str, tmp_path: Path) -> None:
    async def look(app: HuntApp, pilot: Pilot[None]) -> None:
        entries = of_screen(app.screen)
        await press(pilot, "question_mark")
        shown = " ".join(screen_text(app).split())
        for entry in entries:
            assert entry.shown_keys in shown
            assert entry.binding.tooltip.split()[0] in shown
        await press(pilot, "question_mark")

    at(way, tmp_path, look)


@pytest.mark.parametrize("way", WAYS)
def test_every_binding_can_be_found_in_the_palette(way: str, tmp_path: Path) -> None:
    async def look(app: HuntApp, pilot: Pilot[None]) -> None:
        entries = {entry.id: entry for entry in of_screen(app.screen) if entry.id != "palette"}
        provider = KeysProvider(app.screen)
        offered = [hit.text async for hit in provider.discover() if isinstance(hit, DiscoveryHit)]
        assert len(offered) == len(entries)
        for entry in entries.values():
            hits = [hit.text async for hit in provider.search(entry.label) if isinstance(hit, Hit)]
            assert f"{entry.label}  {entry.shown_keys}" in hits

    at(way, tmp_path, look)


def test_the_palette_does_what_the_key_does(tmp_path: Path) -> None:
    async def look(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "colon", "'hunt log")
        await until(pilot, lambda: app.screen.query_one(OptionList).option_count > 0)
        await press(pilot, "enter")
        await asyncio.sleep(0)
        await pilot.pause()
        if not isinstance(app.screen, HuntLogScreen):
            await press(pilot, "enter")
        assert isinstance(app.screen, HuntLogScreen)

    at("alerts", tmp_path, look)


@pytest.mark.parametrize("width", [80, 160])
@pytest.mark.parametrize("way", WAYS)
def test_the_last_line_shows_the_keys_that_matter_and_help_always(way: str, width: int, tmp_path: Path) -> None:
    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await go(way, app, pilot)
        line = screen_text(app).splitlines()[-1]
        assert line.endswith("? keys")
        assert len(line) <= width
        shown: list[Entry] = [entry for entry in of_screen(app.screen) if entry.binding.show]
        if width == 160:
            assert all(f"{display(entry.keys[0])} {entry.label}" in line for entry in shown)

    Hunt(tmp_path).play(journey, size=(width, 24))
