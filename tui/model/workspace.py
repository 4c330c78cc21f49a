"""The operations that a screen may request from the app.

Screens and the view model know the app only by these protocols, so none of them imports the app.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel
    from textual.signal import Signal

    from detector.detection.alert import Alert
    from detector.detection.event import Event
    from detector.detection.indicator import IndicatorList
    from detector.filter import Fields
    from detector.investigation.pivot import EventRow, Pivot
    from detector.investigation.principals import PrincipalRow
    from detector.rules.rule import Rule
    from detector.rules.ruleset import RuleSet
    from detector.store import Store
    from detector.triage.caller import Caller
    from detector.triage.hunt_record import HuntQuery, HuntRecord
    from detector.triage.note import Note, NoteBody, Verdict
    from detector.triage.suppression import Suppression
    from detector.workbench.variant import ParameterValues, VariantMaker
    from tui.model.comparison import Comparison
    from tui.model.decisions import Decisions
    from tui.model.view_model import ViewModel
    from tui.settings.saved_views import SavedView
    from tui.settings.session_file import ListState
    from tui.widgets.columns import Column


@dataclass(frozen=True)
class ExportChoice:
    """How the rows of a list are exported.

    ``title`` and ``noun`` never quote a log. ``file_stem`` begins the file's name. ``text`` formats
    rows in one of ``formats``, the first of which is the default.
    """

    title: str
    noun: str
    file_stem: str
    formats: Sequence[str]
    text: Callable[[Sequence[Any], str], str]


class Workspace(Protocol):
    """The app as its screens see it."""

    store: Store
    rules: RuleSet
    view_model: ViewModel
    decisions: Decisions
    routes: Routes
    changed: Signal[None]
    """Published whenever the view model has changed."""
    source_label: str
    """The name of the source, in a few words."""
    piped_to: str
    """The command to which a row was last piped."""
    follows: bool
    """Whether this process only shows the store: another process ingests, or none does."""
    now: Callable[[], float]
    """The clock, in epoch seconds."""

    required_fields: Collection[str]
    """The fields, of ticket, owner and reason, that every suppression must have."""

    @property
    def closing(self) -> threading.Event:
        """Set when the app closes, to tell threads to stop reading."""

    @property
    def at_home(self) -> bool:
        """Whether the list of alerts is in front."""

    @property
    def areas(self) -> Collection[str]:
        """The names of all areas."""

    def area_counts(self) -> Mapping[str, int | str]:
        """Return row counts by area name, for the areas that show one."""

    def go_to_area(self, name: str) -> None:
        """Go to an area; if already in it, go back to its first screen."""

    def say(self, message: str, *, severity: SeverityLevel = "information") -> None:
        """Show a one-line message, which may quote a log, until the next message."""

    def may_write(self) -> bool:
        """Return whether decisions can be stored; if not, show the reason."""

    def leave(self) -> None:
        """Go back one screen, or quit from the list of alerts."""

    def reload_rules(self, requested: bool = False) -> None:
        """Reload the rule files if one has changed or if requested."""

    def rule_seconds(self) -> Mapping[str, float]:
        """Return the seconds that each rule has taken, by rule id."""

    def former_list_state(self, area: str) -> ListState | None:
        """Return how an area's list was left in the previous session."""

    def restore_session(self) -> None:
        """Return to the screen on which the app was left; later calls do nothing."""

    def run_worker(
        self, work: Coroutine[Any, Any, None], *, group: str, exit_on_error: bool
    ) -> object:
        """Run the coroutine until it ends or the app is left."""


class Routes(Protocol):
    """Routes to other screens: each method opens one over the current screen.

    ``trail`` names the screens behind the new one. A form calls its callback only if it was saved.
    """

    def open_alert(
        self,
        alert_id: str,
        order: Sequence[str],
        moved: Callable[[str], object] | None = None,
        pane: str = "calls",
    ) -> None:
        """Open an alert.

        ``order`` lists the alert ids to step through; ``moved`` receives the id at each step.
        """

    def open_calendar(self, alert: Alert) -> None:
        """Open the calendar of sweeps by the principal of an alert."""

    def open_regions_of_alert(self, alert: Alert, choose: Callable[[str], object]) -> None:
        """Open the regions of one alert; ``choose`` receives the region opened."""

    def open_regions(self, alerts: Sequence[Alert], choose: Callable[[str], object]) -> None:
        """Open the regions of alerts; ``choose`` receives the region opened."""

    def open_timeline(
        self, alerts: Callable[[], Sequence[Alert]], choose: Callable[[int, int], object]
    ) -> None:
        """Open the timeline of ``alerts()``; ``choose`` receives the chosen start and end."""

    def open_pivot(self, trail: Sequence[str], alert: Alert | None, pivot: Pivot) -> None:
        """Open the calls that the pivot selects; ``alert`` is None if it began elsewhere."""

    def open_principal(self, row: PrincipalRow) -> None:
        """Open the page of a principal."""

    def open_events(self, filter_text: str = "", since: int = 0, until: int = 0) -> None:
        """Open the events that match a filter.

        They lie in ``[since, until)``, in epoch seconds; 0 stands for the default span.
        """

    def open_indicators(self, indicators: IndicatorList) -> None:
        """Open the events that contain any of the indicators."""

    def ask_indicators(
        self, asked: Callable[[IndicatorList], object], heading: str = "Look for indicators"
    ) -> None:
        """Ask for a list of indicators; ``asked`` receives the indicators entered."""

    def open_comparison(self, comparison: Comparison) -> None:
        """Open two rows side by side."""

    def open_workbench(self, trail: Sequence[str], rule: Rule) -> None:
        """Open the workbench of a rule."""

    def open_explanation(self, trail: Sequence[str], principal: str, rule_id: str = "") -> None:
        """Explain which rules fired for a principal and why; list rule ``rule_id`` first."""

    def explain_call(self, trail: Sequence[str], event: Event) -> None:
        """Explain which rules fired for a call, and why."""

    def open_hunt(self, hunt_id: str) -> None:
        """Open a hunt."""

    def open_hunt_query(
        self, hunt_id: str, query: HuntQuery | None, typed: HuntQuery | None = None
    ) -> None:
        """Open a query of a hunt, or a new one for None; ``typed`` is unsaved text to restore."""

    def begin_hunt(self, begun: Callable[[HuntRecord], object]) -> None:
        """Ask for a new hunt; ``begun`` receives the hunt."""

    def edit_hunt(self, hunt: HuntRecord) -> None:
        """Ask for the new texts of a hunt."""

    def conclude_hunt(self, hunt: HuntRecord) -> None:
        """Ask for the conclusion of a hunt."""

    def name_query(self, name: str, named: Callable[[str], object]) -> None:
        """Ask for the name of a query; ``named`` receives the name."""

    def save_variant(self, maker: VariantMaker, values: ParameterValues) -> None:
        """Ask for the name, the reason and the file of a variant, and save it."""

    def open_record(self, trail: Sequence[str], row: EventRow) -> None:
        """Open the raw record of a pivot's row."""

    def write_note(
        self,
        alerts: Sequence[Alert],
        verdict: Verdict,
        saved: Callable[[NoteBody], None],
        callers: Sequence[Caller] = (),
    ) -> None:
        """Ask for a note on each alert or caller; ``saved`` receives the note's body."""

    def edit_note(self, note: Note) -> None:
        """Ask for the new text of a note."""

    def suppress(
        self,
        alerts: Sequence[Alert],
        filled: Mapping[str, str],
        saved: Callable[[Mapping[str, str]], None],
        callers: Sequence[Caller] = (),
    ) -> None:
        """Ask what to suppress for alerts, or for callers without an alert.

        ``filled`` has the form's initial values by field; ``saved`` receives the final ones.
        """

    def extend_suppressions(
        self, suppressions: Sequence[Suppression], saved: Callable[[str], None]
    ) -> None:
        """Ask for a later expiry; ``saved`` receives the span as typed."""

    def offer_case_files(self, alerts: Sequence[Alert]) -> None:
        """Ask whether to write the case file of each alert."""

    def export_rows(self, export: ExportChoice, rows: Mapping[str, Sequence[Any]]) -> None:
        """Ask which rows to export, and to which file; ``rows`` has the choices by label."""

    def pipe(self, text: str) -> None:
        """Ask for a command, run it with the text as input, and show its output."""

    def choose_view(
        self,
        views: Sequence[SavedView],
        current: SavedView,
        chosen: Callable[[SavedView], None],
    ) -> None:
        """Offer the saved views; ``current`` is the list's present state, without a name."""

    def choose_facet(
        self, fields: Fields[Any], rows: Sequence[Any], chosen: Callable[[str], object]
    ) -> None:
        """Offer the rows' most frequent values; ``chosen`` receives a filter for the choice."""

    def choose_columns(
        self,
        columns: Sequence[Column[Any]],
        current: Collection[str],
        chosen: Callable[[Sequence[str]], object],
    ) -> None:
        """Offer the columns of a list; ``chosen`` receives keys, empty for the default columns."""

    def confirm(self, question: str, verb: str, confirmed: Callable[[], object]) -> None:
        """Ask a question; on yes, call ``confirmed``, whose effect ``verb`` names."""
