"""Every screen with the widgets on it that take keys: what can be pressed where, before any of it is opened.

All screens are imported here, so this is imported only by what speaks of all keys: ``trailhound keys``, and the check
of keys that were given in the configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from textual.app import App
from textual.binding import Binding
from textual.dom import DOMNode
from textual.screen import ModalScreen, Screen
from textual.widgets import Input, TextArea

from tui.app.app import HuntApp
from tui.app.opening_screen import OpeningScreen
from tui.app.welcome_app import WelcomeApp, WelcomeScreen
from tui.screens.admin.hunt_log import HuntLogScreen
from tui.screens.admin.rules import RulesScreen
from tui.screens.admin.sources import SourcesScreen
from tui.screens.admin.suppressions import SuppressionsScreen
from tui.screens.alert.calendar import CalendarScreen
from tui.screens.alert.region_board import BoardScreen
from tui.screens.alert.screen import AlertScreen
from tui.screens.alerts.screen import AlertsScreen
from tui.screens.alerts.timeline import TimelineScreen
from tui.screens.base.input_fields import LineField, TextField
from tui.screens.base.menu import Lettered, LetterMenu, Menu, Options
from tui.screens.base.query_line import QueryInput
from tui.screens.base.screen import HuntScreen
from tui.screens.base.text_pane import Reader
from tui.screens.dialogs.command_output import OutputScreen
from tui.screens.dialogs.help import HelpScreen
from tui.screens.dialogs.palette import Palette
from tui.screens.forms.choice import Choice
from tui.screens.forms.confirm import Confirm
from tui.screens.forms.export import ExportForm
from tui.screens.forms.extend import ExtendForm
from tui.screens.forms.note import EditNoteForm, NoteForm
from tui.screens.forms.pipe import PipeForm
from tui.screens.forms.saved_view_menu import SaveForm, ViewMenu
from tui.screens.forms.suppress import SuppressForm
from tui.screens.pivot.record import RecordScreen
from tui.screens.pivot.screen import PivotScreen
from tui.widgets.charts.calendar import Calendar
from tui.widgets.charts.heat_strip import HeatStrip
from tui.widgets.charts.histogram import Histogram
from tui.widgets.charts.region_board import RegionBoard
from tui.widgets.json_view import JsonView
from tui.widgets.row_list import RowList
from tui.widgets.text_view import TextView


@dataclass(frozen=True)
class ScreenInfo:
    """A screen by its name, and the kinds of widget on it that can have the focus."""

    name: str
    screen: type[Screen[Any]]
    widgets: tuple[type[DOMNode], ...] = ()
    app: type[App[Any]] = HuntApp

    @property
    def modal(self) -> bool:
        """Whether it opens over another screen, whose keys rest while it is there."""
        return issubclass(self.screen, ModalScreen)

    def chains(self) -> Iterator[Sequence[type[DOMNode]]]:
        """Each way in which keys are looked up here: the focused widget, the screen, and the app
        beneath it."""
        outer = (self.screen,) if self.modal else (self.screen, self.app)
        yield outer
        yield from ((widget, *outer) for widget in self.widgets)


SCREENS = (
    ScreenInfo("First start", WelcomeScreen, (RowList,), WelcomeApp),
    ScreenInfo("Opening", OpeningScreen),
    ScreenInfo("Alerts", AlertsScreen, (RowList, QueryInput)),
    ScreenInfo("Alert", AlertScreen, (RowList, HeatStrip, JsonView, Reader, QueryInput)),
    ScreenInfo("Regions", BoardScreen, (RegionBoard,)),
    ScreenInfo("Over time", TimelineScreen, (Histogram, RowList)),
    ScreenInfo("Calendar", CalendarScreen, (Calendar,)),
    ScreenInfo("Pivot", PivotScreen, (RowList, QueryInput)),
    ScreenInfo("Record", RecordScreen, (JsonView,)),
    ScreenInfo("Output", OutputScreen, (TextView,)),
    ScreenInfo("Hunt log", HuntLogScreen, (RowList, Reader, QueryInput)),
    ScreenInfo("Suppressions", SuppressionsScreen, (RowList, Reader, QueryInput)),
    ScreenInfo("Sources", SourcesScreen, (RowList, Reader, QueryInput)),
    ScreenInfo("Rules", RulesScreen, (RowList, Reader, QueryInput)),
    ScreenInfo("Note", NoteForm, (Choice, LineField, TextField)),
    ScreenInfo("Edit note", EditNoteForm, (Choice, LineField, TextField)),
    ScreenInfo("Suppress", SuppressForm, (Choice, LineField)),
    ScreenInfo("Extend", ExtendForm, (LineField,)),
    ScreenInfo("Export", ExportForm, (Choice, LineField)),
    ScreenInfo("Pipe", PipeForm, (Choice, LineField)),
    ScreenInfo("Save view", SaveForm, (LineField,)),
    ScreenInfo("Question", Confirm),
    ScreenInfo("Menu", Menu, (Options,)),
    ScreenInfo("Copy", LetterMenu, (Lettered,)),
    ScreenInfo("Views", ViewMenu, (Options,)),
    ScreenInfo("Help", HelpScreen),
    ScreenInfo("Commands", Palette),
)

TYPED_IN = (Input, TextArea)
"""Widgets that take letters as text, and keys of their own to edit it."""


def bindings_of(kind: type[DOMNode]) -> list[Binding]:
    """What the class and the classes of ours above it bind."""
    return [
        binding
        for above in kind.__mro__
        if above.__module__.startswith("tui.")
        for binding in above.__dict__.get("BINDINGS", [])
    ]


def editing_keys(kind: type[DOMNode]) -> set[str]:
    """The keys with which text is edited in such a widget."""
    return {
        name
        for above in kind.__mro__
        if issubclass(above, TYPED_IN)
        for binding in above.__dict__.get("BINDINGS", [])
        for name in binding.key.split(",")
    }


def every_binding() -> Mapping[str, Binding]:
    """All bindings by their ids, in the order of the places."""
    found: dict[str, Binding] = {}
    for info in SCREENS:
        for binding in _bindings_on(info):
            found.setdefault(binding.id or "", binding)
    return found


def where(binding: Binding) -> str:
    """Where it works, in words."""
    here = [
        info.name for info in SCREENS if any(each.id == binding.id for each in _bindings_on(info))
    ]
    full = [info.name for info in SCREENS if issubclass(info.screen, HuntScreen)]
    missing = [name for name in full if name not in here]
    if not missing:
        return "every screen"
    return f"all but {', '.join(missing)}" if len(missing) <= len(full) // 3 else ", ".join(here)


def _bindings_on(info: ScreenInfo) -> list[Binding]:
    return [binding for chain in info.chains() for kind in chain for binding in bindings_of(kind)]
