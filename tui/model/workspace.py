"""What a screen may ask of the app.

Screens and the view model know the app by these protocols alone, so no module of theirs imports it.
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

    ``title`` and ``noun`` are words of ours, ``file_stem`` the beginning of the file's name;
    ``text`` writes rows in one of ``formats``, the first of which is the usual one.
    """

    title: str
    noun: str
    file_stem: str
    formats: Sequence[str]
    text: Callable[[Sequence[Any], str], str]


class Workspace(Protocol):
    """The app, as its screens see it."""

    store: Store
    rules: RuleSet
    view_model: ViewModel
    decisions: Decisions
    routes: Routes
    changed: Signal[None]
    """Published when the view model has changed."""
    source_label: str
    """What is read, in a few words."""
    piped_to: str
    """The command that a row was last piped to."""
    follows: bool
    """Whether another process ingests, or none, and this one shows what it finds."""
    now: Callable[[], float]
    """The clock, in epoch seconds."""

    required_fields: Collection[str]
    """Fields without which no suppression is made: of ticket, owner and reason."""

    @property
    def closing(self) -> threading.Event:
        """Set when the app is being left: threads stop reading."""

    @property
    def at_home(self) -> bool:
        """Whether the list of alerts is in front."""

    @property
    def areas(self) -> Collection[str]:
        """The names of the areas that there are."""

    def area_counts(self) -> Mapping[str, int | str]:
        """Return the number of rows in each area that is counted, by name."""

    def go_to_area(self, name: str) -> None:
        """Go to an area; from the area itself, to its first screen."""

    def say(self, message: str, *, severity: SeverityLevel = "information") -> None:
        """Show one line, which may quote a log, until the next."""

    def may_write(self) -> bool:
        """Tell whether decisions can be stored; where they cannot, say why."""

    def leave(self) -> None:
        """Go back one screen, or quit from the list of alerts."""

    def reload_rules(self, requested: bool = False) -> None:
        """Load the rule files again if one has changed, or if requested."""

    def rule_seconds(self) -> Mapping[str, float]:
        """Return the seconds that each rule has taken, by rule id."""

    def former_list_state(self, area: str) -> ListState | None:
        """Return the state of an area's list in the former session."""

    def restore_session(self) -> None:
        """Go once to the screen on which the app was left."""

    def run_worker(
        self, work: Coroutine[Any, Any, None], *, group: str, exit_on_error: bool
    ) -> object:
        """Run the coroutine until it ends or the app is left."""


class Routes(Protocol):
    """Routes to other screens: each method opens one over the current screen.

    ``trail`` names the screens behind the new one. A form calls ``saved`` only if it was saved.
    """

    def open_alert(
        self,
        alert_id: str,
        order: Sequence[str],
        moved: Callable[[str], object] | None = None,
        pane: str = "calls",
    ) -> None:
        """Open an alert.

        ``order`` are the ids to step through; ``moved`` gets the id of each step.
        """

    def open_calendar(self, alert: Alert) -> None:
        """Open the calendar of sweeps by the principal of an alert."""

    def open_regions_of_alert(self, alert: Alert, choose: Callable[[str], object]) -> None:
        """Open the regions of one alert; ``choose`` gets the region opened."""

    def open_regions(self, alerts: Sequence[Alert], choose: Callable[[str], object]) -> None:
        """Open the regions of alerts; ``choose`` gets the region opened."""

    def open_timeline(
        self, alerts: Callable[[], Sequence[Alert]], choose: Callable[[int, int], object]
    ) -> None:
        """Open the timeline of ``alerts()``; ``choose`` gets the chosen start and end."""

    def open_pivot(self, trail: Sequence[str], alert: Alert | None, pivot: Pivot) -> None:
        """Open the calls that the pivot asks for, from an alert or from other events."""

    def open_principal(self, row: PrincipalRow) -> None:
        """Open the page of a principal."""

    def open_events(self, filter_text: str = "", since: int = 0, until: int = 0) -> None:
        """Open the events of a filter in ``[since, until)``, epoch seconds; 0: the usual span."""

    def open_indicators(self, indicators: IndicatorList) -> None:
        """Open the events that have one of some indicators."""

    def ask_indicators(
        self, asked: Callable[[IndicatorList], object], heading: str = "Look for indicators"
    ) -> None:
        """Ask for a list of indicators; ``asked`` gets those that were read."""

    def open_comparison(self, comparison: Comparison) -> None:
        """Open two rows side by side."""

    def open_workbench(self, trail: Sequence[str], rule: Rule) -> None:
        """Open the workbench of a rule."""

    def open_explanation(self, trail: Sequence[str], principal: str, rule_id: str = "") -> None:
        """Explain which rules fired for a principal and why; ``rule_id`` comes first."""

    def explain_call(self, trail: Sequence[str], event: Event) -> None:
        """Explain which rules fired for a call, and why."""

    def open_hunt(self, hunt_id: str) -> None:
        """Open a hunt."""

    def open_hunt_query(
        self, hunt_id: str, query: HuntQuery | None, typed: HuntQuery | None = None
    ) -> None:
        """Open a query of a hunt, None: a new one; ``typed`` was typed and not saved."""

    def begin_hunt(self, begun: Callable[[HuntRecord], object]) -> None:
        """Ask for a new hunt; ``begun`` gets it."""

    def edit_hunt(self, hunt: HuntRecord) -> None:
        """Ask for the new texts of a hunt."""

    def conclude_hunt(self, hunt: HuntRecord) -> None:
        """Ask for the conclusion of a hunt."""

    def name_query(self, name: str, named: Callable[[str], object]) -> None:
        """Ask for the name of a query; ``named`` gets it."""

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
        """Ask for a note on each alert, or each caller; ``saved`` gets what was written."""

    def edit_note(self, note: Note) -> None:
        """Ask for the new text of a note."""

    def suppress(
        self,
        alerts: Sequence[Alert],
        filled: Mapping[str, str],
        saved: Callable[[Mapping[str, str]], None],
        callers: Sequence[Caller] = (),
    ) -> None:
        """Ask what to suppress, of alerts or of callers without an alert.

        ``filled`` are the first values of the form, by field; ``saved`` gets the last ones.
        """

    def extend_suppressions(
        self, suppressions: Sequence[Suppression], saved: Callable[[str], None]
    ) -> None:
        """Ask for a later end; ``saved`` gets the span as typed."""

    def offer_case_files(self, alerts: Sequence[Alert]) -> None:
        """Ask whether to write the case file of each alert."""

    def export_rows(self, export: ExportChoice, rows: Mapping[str, Sequence[Any]]) -> None:
        """Ask which rows, by label, to write to which file."""

    def pipe(self, text: str) -> None:
        """Ask for a command, run it on the text, show its output."""

    def choose_view(
        self,
        views: Sequence[SavedView],
        current: SavedView,
        chosen: Callable[[SavedView], None],
    ) -> None:
        """Offer the saved views; ``current`` is one without a name."""

    def choose_facet(
        self, fields: Fields[Any], rows: Sequence[Any], chosen: Callable[[str], object]
    ) -> None:
        """Offer the most frequent values of the rows; ``chosen`` gets the filter of one."""

    def choose_columns(
        self,
        columns: Sequence[Column[Any]],
        current: Collection[str],
        chosen: Callable[[Sequence[str]], object],
    ) -> None:
        """Offer the columns of a list; ``chosen`` gets the keys, none for the usual ones."""

    def confirm(self, question: str, verb: str, confirmed: Callable[[], object]) -> None:
        """Ask a question; ``verb`` names what ``confirmed`` does on yes."""
