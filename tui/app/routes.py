"""Open the screen that each navigation request asks for.

Screens are imported when they are first opened, so that the first paint does not wait for them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from textual.app import App
from textual.screen import Screen

if TYPE_CHECKING:
    from detector.detection.alert import Alert
    from detector.detection.event import Event
    from detector.detection.indicator import IndicatorList
    from detector.filter import Fields
    from detector.investigation.pivot import EventRow, Pivot
    from detector.investigation.principals import PrincipalRow
    from detector.rules.rule import Rule
    from detector.triage.caller import Caller
    from detector.triage.hunt_record import HuntQuery, HuntRecord
    from detector.triage.note import Note, NoteBody, Verdict
    from detector.triage.suppression import Suppression
    from detector.workbench.variant import ParameterValues, VariantMaker
    from tui.model.comparison import Comparison
    from tui.model.workspace import ExportChoice, Workspace
    from tui.settings.saved_views import SavedView
    from tui.widgets.columns import Column


_AREA_SCREENS = {
    "alerts": ("alerts.screen", "AlertsScreen"),
    "principals": ("principals.screen", "PrincipalsScreen"),
    "events": ("pivot.events", "EventsScreen"),
    "log": ("admin.hunt_log", "HuntLogScreen"),
    "suppressions": ("admin.suppressions", "SuppressionsScreen"),
    "sources": ("admin.sources", "SourcesScreen"),
    "rules": ("admin.rules", "RulesScreen"),
    "watches": ("admin.watches", "WatchesScreen"),
    "hunts": ("hunts.screen", "HuntsScreen"),
}
"""Module and class name of each area's first screen."""


def area_screen_class(area: str) -> type[Screen[None]]:
    """Import the class of an area's first screen."""
    module, name = _AREA_SCREENS[area]
    found: type[Screen[None]] = getattr(import_module(f"tui.screens.{module}"), name)
    return found


def _make_area_screen(area: str) -> Screen[None]:
    return area_screen_class(area)()


AREAS: Mapping[str, Callable[[], Screen[None]]] = {
    area: partial(_make_area_screen, area) for area in _AREA_SCREENS
}
"""Functions that create each area's first screen, by area."""


class ScreenRoutes:
    """The routes of ``workspace``; screens are pushed on ``app``.

    ``tui.model.workspace.Routes`` documents the methods.
    """

    def __init__(self, app: App[Any], workspace: Workspace) -> None:
        self._app = app
        self._workspace = workspace

    # --- screens

    def open_alert(
        self,
        alert_id: str,
        order: Sequence[str],
        moved: Callable[[str], object] | None = None,
        pane: str = "calls",
    ) -> None:
        from tui.screens.alert.screen import AlertScreen

        self._app.push_screen(AlertScreen(alert_id, order, moved, pane))

    def open_calendar(self, alert: Alert) -> None:
        from tui.screens.alert.calendar import CalendarScreen

        view_model = self._workspace.view_model
        self._app.push_screen(CalendarScreen(alert, lambda: view_model.alerts.copy().values()))

    def open_regions_of_alert(self, alert: Alert, choose: Callable[[str], object]) -> None:
        from tui.presentation import format
        from tui.screens.alert.region_board import RegionBoardScreen, count_calls

        store = self._workspace.store
        trail = ("Alerts", format.principal(alert))
        self._app.push_screen(RegionBoardScreen(trail, lambda: count_calls(store, alert), choose))

    def open_regions(self, alerts: Sequence[Alert], choose: Callable[[str], object]) -> None:
        from tui.screens.alert.region_board import RegionBoardScreen, count_alerts

        store = self._workspace.store
        self._app.push_screen(
            RegionBoardScreen(("Alerts",), lambda: count_alerts(store, alerts), choose)
        )

    def open_timeline(
        self, alerts: Callable[[], Sequence[Alert]], choose: Callable[[int, int], object]
    ) -> None:
        from tui.screens.alerts.timeline import TimelineScreen

        self._app.push_screen(TimelineScreen(alerts, choose))

    def open_principal(self, row: PrincipalRow) -> None:
        from tui.screens.principals.page import PrincipalScreen

        self._app.push_screen(PrincipalScreen(row))

    def open_events(self, filter_text: str = "", since: int = 0, until: int = 0) -> None:
        from tui.screens.pivot.events import EventsScreen

        self._app.push_screen(EventsScreen(filter_text, since, until))

    def open_indicators(self, indicators: IndicatorList) -> None:
        from tui.screens.pivot.events import EventsScreen

        self._app.push_screen(EventsScreen(indicators=indicators))

    def ask_indicators(
        self, asked: Callable[[IndicatorList], object], heading: str = "Look for indicators"
    ) -> None:
        from tui.screens.forms.indicators import IndicatorsForm

        form = IndicatorsForm(heading)
        self._ask(form, lambda: asked(form.indicators))

    def open_pivot(self, trail: Sequence[str], alert: Alert | None, pivot: Pivot) -> None:
        from tui.screens.pivot.screen import PivotScreen

        self._app.push_screen(PivotScreen(trail, alert, pivot))

    def open_comparison(self, comparison: Comparison) -> None:
        from tui.screens.pivot.comparison import ComparisonScreen

        self._app.push_screen(ComparisonScreen(comparison))

    def open_workbench(self, trail: Sequence[str], rule: Rule) -> None:
        from tui.screens.workbench.screen import WorkbenchScreen

        self._app.push_screen(WorkbenchScreen(trail, rule))

    def open_explanation(self, trail: Sequence[str], principal: str, rule_id: str = "") -> None:
        from tui.screens.workbench.answers import ExplainedPrincipal
        from tui.screens.workbench.explanation import ExplanationScreen

        explained = ExplainedPrincipal(principal, self._workspace.store)
        self._app.push_screen(ExplanationScreen(trail, explained, rule_id))

    def explain_call(self, trail: Sequence[str], event: Event) -> None:
        from tui.screens.workbench.answers import ExplainedCall
        from tui.screens.workbench.explanation import ExplanationScreen

        self._app.push_screen(ExplanationScreen(trail, ExplainedCall(event)))

    def open_hunt(self, hunt_id: str) -> None:
        from tui.screens.hunts.record import HuntRecordScreen

        self._app.push_screen(HuntRecordScreen(hunt_id))

    def open_hunt_query(
        self, hunt_id: str, query: HuntQuery | None, typed: HuntQuery | None = None
    ) -> None:
        from tui.screens.hunts.query import HuntQueryScreen

        self._app.push_screen(HuntQueryScreen(hunt_id, query, typed))

    def begin_hunt(self, begun: Callable[[HuntRecord], object]) -> None:
        from tui.screens.forms.hunt import BeginHuntForm

        form = BeginHuntForm()
        self._ask(form, lambda: begun(form.begun))

    def edit_hunt(self, hunt: HuntRecord) -> None:
        from tui.screens.forms.hunt import EditHuntForm

        self._app.push_screen(EditHuntForm(hunt))

    def conclude_hunt(self, hunt: HuntRecord) -> None:
        from tui.screens.forms.hunt import ConcludeHuntForm

        self._app.push_screen(ConcludeHuntForm(hunt))

    def name_query(self, name: str, named: Callable[[str], object]) -> None:
        from tui.screens.forms.hunt import NameQueryForm

        form = NameQueryForm(name)
        self._ask(form, lambda: named(form.name_given))

    def save_variant(self, maker: VariantMaker, values: ParameterValues) -> None:
        from tui.screens.forms.save_variant import SaveVariantForm
        from tui.settings.config import config_path

        folders = [path for path in self._workspace.rules.spec().paths if path.is_dir()]
        folder = folders[0] if folders else config_path().parent / "rules"
        self._app.push_screen(SaveVariantForm(maker, values, folder))

    def open_record(self, trail: Sequence[str], row: EventRow) -> None:
        from tui.screens.pivot.record import RecordScreen

        self._app.push_screen(RecordScreen(trail, row))

    # --- forms and questions

    def write_note(
        self,
        alerts: Sequence[Alert],
        verdict: Verdict,
        saved: Callable[[NoteBody], None],
        callers: Sequence[Caller] = (),
    ) -> None:
        from tui.screens.forms.note import NoteForm

        form = NoteForm(alerts, verdict, callers=callers)
        self._ask(form, lambda: saved(form.written))

    def edit_note(self, note: Note) -> None:
        from tui.screens.forms.note import EditNoteForm

        self._app.push_screen(EditNoteForm(note))

    def suppress(
        self,
        alerts: Sequence[Alert],
        filled: Mapping[str, str],
        saved: Callable[[Mapping[str, str]], None],
        callers: Sequence[Caller] = (),
    ) -> None:
        from tui.screens.forms.suppress import SuppressForm

        form = SuppressForm(alerts, filled, callers=callers)
        self._ask(form, lambda: saved(form.filled))

    def extend_suppressions(
        self, suppressions: Sequence[Suppression], saved: Callable[[str], None]
    ) -> None:
        from tui.screens.forms.extend import ExtendForm

        form = ExtendForm(suppressions)
        self._ask(form, lambda: saved(form.span))

    def offer_case_files(self, alerts: Sequence[Alert]) -> None:
        from tui.screens.alert import escalation

        escalation.offer(self._workspace, alerts)

    def export_rows(self, export: ExportChoice, rows: Mapping[str, Sequence[Any]]) -> None:
        from tui.screens.forms.export import ExportForm

        self._app.push_screen(ExportForm(export, rows))

    def pipe(self, text: str) -> None:
        from tui.screens.forms.pipe import PipeForm

        form = PipeForm(text)

        def show_output() -> None:
            from tui.screens.dialogs.command_output import OutputScreen

            if form.command is not None:
                self._app.push_screen(OutputScreen(form.command, text))

        self._ask(form, show_output)

    def choose_view(
        self,
        views: Sequence[SavedView],
        current: SavedView,
        chosen: Callable[[SavedView], None],
    ) -> None:
        from tui.screens.forms.saved_view_menu import ViewMenu

        def answered(option: str | None) -> None:
            if option is not None:
                chosen(views[int(option)])

        self._app.push_screen(ViewMenu(views, current), answered)

    def choose_facet(
        self, fields: Fields[Any], rows: Sequence[Any], chosen: Callable[[str], object]
    ) -> None:
        from tui.screens.dialogs.facets import FacetScreen

        def answered(term: str | None) -> None:
            if term is not None:
                chosen(term)

        self._app.push_screen(FacetScreen(fields, rows), answered)

    def choose_columns(
        self,
        columns: Sequence[Column[Any]],
        current: Collection[str],
        chosen: Callable[[Sequence[str]], object],
    ) -> None:
        from tui.screens.dialogs.column_chooser import ColumnChooser

        def answered(keys: list[str] | None) -> None:
            if keys is not None:
                chosen(keys)

        self._app.push_screen(ColumnChooser(columns, current), answered)

    def confirm(self, question: str, verb: str, confirmed: Callable[[], object]) -> None:
        from tui.screens.forms.confirm import Confirm

        self._ask(Confirm(question, verb), confirmed)

    def _ask(self, form: Screen[bool], confirmed: Callable[[], object]) -> None:
        """Push a form, and call ``confirmed`` if it is dismissed with True."""

        def answered(yes: bool | None) -> None:
            if yes:
                confirmed()

        self._app.push_screen(form, answered)
