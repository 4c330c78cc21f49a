"""Every screen, with its widgets that take keys.

This module imports all screens, so import it only where all keys are needed: for
``trailhound keys`` and for the check of configured keys.
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
from tui.keymap import declared_bindings
from tui.screens.admin.hunt_log import HuntLogScreen
from tui.screens.admin.rules import RulesScreen
from tui.screens.admin.sources import SourcesScreen
from tui.screens.admin.suppressions import SuppressionsScreen
from tui.screens.admin.watches import WatchesScreen
from tui.screens.alert.calendar import CalendarScreen
from tui.screens.alert.region_board import RegionBoardScreen
from tui.screens.alert.screen import AlertScreen
from tui.screens.alerts.screen import AlertsScreen
from tui.screens.alerts.timeline import TimelineScreen
from tui.screens.base.alert_actions import AlertActions
from tui.screens.base.compare_actions import CompareActions
from tui.screens.base.copy_actions import CopyActions
from tui.screens.base.filter_bar import FilterBar
from tui.screens.base.hunts.attach_action import AttachAction
from tui.screens.base.input_fields import LineField, TextField
from tui.screens.base.menu import Lettered, LetterMenu, Menu, Options
from tui.screens.base.query_line import QueryInput
from tui.screens.base.row_actions import RowActions
from tui.screens.base.screen import HuntScreen, ScreenPart
from tui.screens.base.search import Search
from tui.screens.base.text_pane import Reader
from tui.screens.base.watch_action import WatchAction
from tui.screens.dialogs.column_chooser import ColumnChooser
from tui.screens.dialogs.command_output import OutputScreen
from tui.screens.dialogs.facets import FacetScreen
from tui.screens.dialogs.help import HelpScreen
from tui.screens.dialogs.palette import Palette
from tui.screens.forms.choice import ChoiceField
from tui.screens.forms.confirm import Confirm
from tui.screens.forms.export import ExportForm
from tui.screens.forms.extend import ExtendForm
from tui.screens.forms.hunt import (
    BeginHuntForm,
    ConcludeHuntForm,
    EditHuntForm,
    NameQueryForm,
)
from tui.screens.forms.indicators import IndicatorsForm
from tui.screens.forms.note import EditNoteForm, NoteForm
from tui.screens.forms.pipe import PipeForm
from tui.screens.forms.save_variant import SaveVariantForm
from tui.screens.forms.saved_view_menu import SaveForm, ViewMenu
from tui.screens.forms.suppress import SuppressForm
from tui.screens.hunts.editor import QueryEditor
from tui.screens.hunts.query import HuntQueryScreen
from tui.screens.hunts.record import HuntRecordScreen
from tui.screens.hunts.screen import HuntsScreen
from tui.screens.pivot.comparison import ComparisonScreen
from tui.screens.pivot.events import EventsScreen
from tui.screens.pivot.record import RecordScreen
from tui.screens.pivot.screen import PivotScreen
from tui.screens.principals.page import PrincipalScreen
from tui.screens.principals.screen import PrincipalsScreen
from tui.screens.workbench.explanation import ExplanationScreen
from tui.screens.workbench.screen import WorkbenchScreen
from tui.widgets.charts.calendar import Calendar
from tui.widgets.charts.heat_strip import HeatStrip
from tui.widgets.charts.histogram import Histogram
from tui.widgets.charts.region_board import RegionBoard
from tui.widgets.json_view import JsonView
from tui.widgets.row_list import RowList
from tui.widgets.text_view import TextView


@dataclass(frozen=True)
class ScreenInfo:
    """A screen, its name, and its widgets that can have the focus."""

    name: str
    screen: type[Screen[Any]]
    widgets: tuple[type[DOMNode], ...] = ()
    app: type[App[Any]] = HuntApp

    @property
    def modal(self) -> bool:
        """Whether the screen is modal: the keys of the screen beneath it do nothing."""
        return issubclass(self.screen, ModalScreen)

    def chains(self) -> Iterator[Sequence[type[DOMNode]]]:
        """Yield each key look-up chain: focused widget, screen, app."""
        outer = (self.screen,) if self.modal else (self.screen, self.app)
        yield outer
        for widget in self.widgets:
            yield widget, *outer


SCREENS = (
    ScreenInfo("Welcome", WelcomeScreen, (RowList,), WelcomeApp),
    ScreenInfo("Opening", OpeningScreen),
    ScreenInfo("Alerts", AlertsScreen, (RowList, QueryInput)),
    ScreenInfo("Alert", AlertScreen, (RowList, HeatStrip, JsonView, Reader, QueryInput)),
    ScreenInfo("Regions", RegionBoardScreen, (RegionBoard,)),
    ScreenInfo("Over time", TimelineScreen, (Histogram, RowList)),
    ScreenInfo("Calendar", CalendarScreen, (Calendar,)),
    ScreenInfo("Pivot", PivotScreen, (RowList, QueryInput)),
    ScreenInfo("Compare", ComparisonScreen, (RowList, QueryInput)),
    ScreenInfo("Record", RecordScreen, (JsonView,)),
    ScreenInfo("Output", OutputScreen, (TextView,)),
    ScreenInfo("Principals", PrincipalsScreen, (RowList, Reader, QueryInput)),
    ScreenInfo("Principal", PrincipalScreen, (Reader,)),
    ScreenInfo("Events", EventsScreen, (RowList, QueryInput)),
    ScreenInfo("Hunt log", HuntLogScreen, (RowList, Reader, QueryInput)),
    ScreenInfo("Suppressions", SuppressionsScreen, (RowList, Reader, QueryInput)),
    ScreenInfo("Sources", SourcesScreen, (RowList, Reader, QueryInput)),
    ScreenInfo("Rules", RulesScreen, (RowList, Reader, QueryInput)),
    ScreenInfo("Watches", WatchesScreen, (RowList, Reader, QueryInput)),
    ScreenInfo("Hunts", HuntsScreen, (RowList, Reader, QueryInput)),
    ScreenInfo("Hunt", HuntRecordScreen, (RowList, Reader)),
    ScreenInfo("Query", HuntQueryScreen, (RowList, QueryEditor)),
    ScreenInfo("Workbench", WorkbenchScreen, (RowList,)),
    ScreenInfo("Explain", ExplanationScreen, (RowList, Reader)),
    ScreenInfo("Save variant", SaveVariantForm, (LineField,)),
    ScreenInfo("Note", NoteForm, (ChoiceField, LineField, TextField)),
    ScreenInfo("Edit note", EditNoteForm, (ChoiceField, LineField, TextField)),
    ScreenInfo("Suppress", SuppressForm, (ChoiceField, LineField)),
    ScreenInfo("Extend", ExtendForm, (LineField,)),
    ScreenInfo("Export", ExportForm, (ChoiceField, LineField)),
    ScreenInfo("Pipe", PipeForm, (ChoiceField, LineField)),
    ScreenInfo("Save view", SaveForm, (LineField,)),
    ScreenInfo("Indicators", IndicatorsForm, (LineField, TextField)),
    ScreenInfo("Begin hunt", BeginHuntForm, (LineField, TextField)),
    ScreenInfo("Edit hunt", EditHuntForm, (LineField, TextField)),
    ScreenInfo("Conclude hunt", ConcludeHuntForm, (TextField,)),
    ScreenInfo("Name query", NameQueryForm, (LineField,)),
    ScreenInfo("Question", Confirm),
    ScreenInfo("Menu", Menu, (Options,)),
    ScreenInfo("Copy", LetterMenu, (Lettered,)),
    ScreenInfo("Views", ViewMenu, (Options,)),
    ScreenInfo("Facets", FacetScreen, (RowList,)),
    ScreenInfo("Columns", ColumnChooser, (RowList,)),
    ScreenInfo("Help", HelpScreen),
    ScreenInfo("Commands", Palette),
)

TYPED_IN = (Input, TextArea)
"""Widgets in which text is typed and edited."""


_SHARED_PARTS: tuple[type[ScreenPart], ...] = (
    AlertActions,
    RowActions,
    WatchAction,
    AttachAction,
    FilterBar,
    Search,
    CompareActions,
    CopyActions,
)
_RANKS = {
    binding.id: rank for rank, part in enumerate(_SHARED_PARTS, 1) for binding in part.BINDINGS
}


def bindings_of(kind: type[DOMNode]) -> list[Binding]:
    """Return the bindings that trailhound's own classes declare, those of shared parts last."""
    bindings_of_classes: list[Binding] = []
    for bindings in declared_bindings(kind):
        bindings_of_classes += sorted(bindings, key=lambda binding: _RANKS.get(binding.id, 0))
    return bindings_of_classes


def editing_keys(kind: type[DOMNode]) -> set[str]:
    """Return the keys with which a widget edits text."""
    return {
        name
        for above in kind.__mro__
        if issubclass(above, TYPED_IN)
        for binding in above.__dict__.get("BINDINGS", [])
        for name in binding.key.split(",")
    }


def every_binding() -> Mapping[str, Binding]:
    """Return all bindings by id, in the order of the screens."""
    bindings: dict[str, Binding] = {}
    for info in SCREENS:
        for binding in _bindings_on(info):
            bindings.setdefault(binding.id or "", binding)
    return bindings


def describe_screens(binding: Binding) -> str:
    """Describe in words the screens on which a binding works."""
    names = [
        info.name for info in SCREENS if any(other.id == binding.id for other in _bindings_on(info))
    ]
    full_screens = [info.name for info in SCREENS if issubclass(info.screen, HuntScreen)]
    missing = [name for name in full_screens if name not in names]
    if not missing:
        return "every screen"
    if len(missing) <= len(full_screens) // 3:
        return f"all but {', '.join(missing)}"
    return ", ".join(names)


def _bindings_on(info: ScreenInfo) -> list[Binding]:
    return [binding for chain in info.chains() for kind in chain for binding in bindings_of(kind)]
