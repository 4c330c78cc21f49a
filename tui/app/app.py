"""The app: its view model, the parts that fill it, and navigation between areas.

The core is imported only when the store is opened, while the first screen is shown: importing it
takes as long as importing Textual.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from textual import on
from textual.signal import Signal

from tui.app.area_keys import AREA_BINDINGS, TIMES, area_commands
from tui.app.base_app import FrameApp
from tui.app.opening_screen import OpeningScreen
from tui.app.routes import AREAS, ScreenRoutes
from tui.concurrency.worker import work
from tui.keymap import key_of
from tui.model.messages import OpeningFailed, StoreOpened
from tui.model.opened import Opened, Opening
from tui.presentation import time_display

if TYPE_CHECKING:
    from detector.ingest.pipeline import Pipeline, Update
    from detector.rules.ruleset import RuleSet
    from detector.store import Store
    from tui.app.session_restore import SessionKeeper
    from tui.model.decisions import Decisions
    from tui.model.view_model import ViewModel
    from tui.model.workspace import Routes
    from tui.settings.session_file import ListState

_TICK_SECONDS = 1.0

_SESSION_SECONDS = 10.0
"""Interval between writes of the session, so that a lost connection loses little of it."""

_RULES_SECONDS = 3.0
"""Interval between checks of the rule files for changes."""


class HuntApp(FrameApp[None]):
    """The app for the store that ``opening`` opens.

    ``store``, ``rules``, ``view_model``, ``decisions`` and ``session`` exist only once the store is
    open. ``source_label`` names the source in a few words; ``keys`` maps binding ids to the
    analyst's own keys; ``clock`` returns epoch seconds.
    """

    MODES = {"opening": OpeningScreen, **AREAS}
    DEFAULT_MODE = "opening"

    BINDINGS = AREA_BINDINGS
    COMMANDS = FrameApp.COMMANDS | {area_commands}

    store: Store
    rules: RuleSet
    view_model: ViewModel
    decisions: Decisions
    session: SessionKeeper
    routes: Routes

    def __init__(
        self,
        opening: Opening,
        source_label: str,
        *,
        clock: Callable[[], float] = time.time,
        keys: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(keys)
        self.required_fields: Collection[str] = ()
        self.source_label = source_label
        self.now = clock
        time_display.set_mode("UTC", clock)
        self.piped_to = ""
        """The command to which a row was last piped."""
        self.changed: Signal[None] = Signal(self, "changed")
        """Published whenever the view model has changed."""
        self.opening_error: Exception | None = None
        """The error that closed the app before the store was open."""
        self._first_area = "alerts"
        """The area whose key was pressed last before the store was open."""
        self.routes = ScreenRoutes(self, self)
        self._opening = opening
        self._pipeline: Pipeline | None = None
        self.follows = False
        """Whether this process only shows the store: another process ingests, or none does."""
        self._stop = threading.Event()

    # --- opening and closing

    def on_ready(self) -> None:
        """Open the store after the first paint."""
        self._open()

    @work(thread=True, group="opening", exit_on_error=False)
    def _open(self) -> None:
        try:
            opened = self._opening()
            import_module("tui.screens.alerts.screen")
        except Exception as error:  # the command reports it once the app has left the terminal
            self.post_message(OpeningFailed(error))
        else:
            self.post_message(StoreOpened(opened))

    @on(OpeningFailed)
    def _opening_failed(self, event: OpeningFailed) -> None:
        self.opening_error = event.error
        self.exit()

    @on(StoreOpened)
    def _store_opened(self, event: StoreOpened) -> None:
        opened = event.opened
        self._make_parts(opened)
        time_display.set_mode(self.session.former.times)
        self.piped_to = self.session.former.piped_to
        self.switch_mode("alerts")
        if self._first_area != "alerts":
            self.switch_mode(self._first_area)
        self.reload()
        self.set_interval(_TICK_SECONDS, self.tick)
        self.set_interval(_RULES_SECONDS, self.reload_rules)
        self.set_interval(_SESSION_SECONDS, self._write_session)
        warning = self.session.problem or opened.warning
        if warning:
            self.say(warning, severity="warning")
        self.follows = opened.make_pipeline is None
        if opened.make_pipeline is not None:
            make = opened.make_pipeline
            self.ingest.start(self.store, lambda: make(self.rules), self._stop)
        if self.rules.problems:
            self._say_rules_broken()

    def _make_parts(self, opened: Opened) -> None:
        """Create the parts of the app that need an open store."""
        from detector.filter.people import use_my_name
        from tui.app.alert_bell import AlertBell
        from tui.app.ingest_feed import IngestFeed
        from tui.app.rule_reloader import RuleReloader
        from tui.app.session_restore import SessionKeeper
        from tui.app.watch_notice import WatchNotice
        from tui.model.decisions import Decisions
        from tui.model.store_loader import StoreLoader
        from tui.model.view_model import ViewModel

        self.store, self.rules = opened.store, opened.rules
        use_my_name(self.store.author)
        self.required_fields = opened.required_fields
        self._bell = AlertBell(self, opened.bell)
        self.view_model = ViewModel()
        self._watch_notice = WatchNotice(self._say_seen)
        self._loader = StoreLoader(
            self,
            self.store,
            self.view_model,
            changed=self.notify_changed,
            failed=self._loading_failed,
            now=self.now,
        )
        self.ingest = IngestFeed(
            self,
            waiting=self._ingest_waits,
            started=self._ingest_started,
            show=self._show_update,
            stopped=self._ingest_stopped,
        )
        self.rule_reloader = RuleReloader(
            self,
            current=lambda: self.rules,
            loaded=self._rules_loaded,
            failed=lambda reason: self.say(reason, severity="error"),
            names=opened.names,
            renamed=self.notify_changed,
        )
        self.decisions = Decisions(self)
        self.session = SessionKeeper(self, opened.session)

    def _say_rules_broken(self) -> None:
        from tui.presentation import format

        files = format.plural(len(self.rules.problems), "rule file")
        self.say(f"{files} in error; {key_of('area.rules')} shows where", severity="warning")

    @property
    def is_open(self) -> bool:
        """Whether the store is open."""
        return self.current_mode != "opening"

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Until the store is open, allow only quitting and choosing an area."""
        return self.is_open or action in ("quit", "area")

    def on_exit_app(self) -> None:
        self._stop.set()  # first, so that ingest ends while the screens are removed
        if self.is_open:
            self.session.write(self.piped_to)

    def on_unmount(self) -> None:
        self._stop.set()

    @property
    def closing(self) -> threading.Event:
        """Set when the app closes, to tell threads to stop reading."""
        return self._stop

    # --- the session

    def former_list_state(self, area: str) -> ListState | None:
        """Return how an area's list was left in the previous session."""
        return self.session.former.views.get(area)

    def restore_session(self) -> None:
        """Return to the screen on which the app was left; later calls do nothing."""
        self.session.restore(self.at_home, self.view_model.alerts)

    @work(group="session", exclusive=True, exit_on_error=False)
    async def _write_session(self) -> None:
        before = self.session.problem
        await self.session.write_in_thread(self.piped_to)
        if self.session.problem not in ("", before):
            self.say(self.session.problem, severity="warning")

    # --- the view model

    def notify_changed(self) -> None:
        """Tell the current screen that the view model has changed."""
        self._watch_notice.look(self.view_model.watches)
        self.changed.publish(None)

    def _say_seen(self, line: str) -> None:
        self.say(line, severity="warning")
        self._bell.ring_for(line)

    def reload(self) -> None:
        """Read the store again."""
        self._loader.reload()

    def reapply_suppressions(self) -> None:
        """Apply the current suppressions to the alerts shown."""
        self._loader.reapply_suppressions()

    def _loading_failed(self, reason: str) -> None:
        self.say(reason, severity="error")
        if not self.view_model.loaded:
            self.view_model.error = reason  # there is nothing else to show
            self.notify_changed()

    def _show_update(self, update: Update) -> None:
        from tui.presentation import format

        before = self.view_model.unread
        self._bell.ring(update, self.view_model)
        self.view_model.update(update, self.now())
        if self.view_model.unread > before:
            files = format.plural(self.view_model.unread - before, "file")
            self.say(
                f"{files} could not be read; {key_of('area.sources')} shows why",
                severity="warning",
            )
        self.notify_changed()

    def _ingest_waits(self, holder: str) -> None:
        self.follows = True
        self.say(
            f"{holder} ingests into this database; you can still decide, "
            "this app takes over when it ends"
        )
        self.notify_changed()

    def _ingest_started(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        if self.follows:
            self.follows = False
            self.say("The other process is gone: this app ingests now")
        self.notify_changed()

    def _ingest_stopped(self, reason: str) -> None:
        self.view_model.error = reason
        self.say(
            f"Ingest stopped: {reason}. Results so far are kept; restart trailhound to continue.",
            severity="error",
        )
        self.notify_changed()

    def tick(self) -> None:
        """Update what depends on the time, once a second: ingest lag, expiring suppressions."""
        from tui.screens.base.screen import HuntScreen

        if not self.is_running:
            return  # timers may still fire while the screens are being removed
        self._loader.tick()
        if isinstance(self.screen, HuntScreen):
            self.screen.tick()

    # --- rules and the quarantine

    def use_rules(self, rules: RuleSet) -> None:
        """Use these rules from the next sweep on."""
        self.rules = rules
        if self._pipeline is not None:
            self._pipeline.use(rules)
        self.notify_changed()

    def reload_rules(self, requested: bool = False) -> None:
        """Reload the rule files if one has changed or if requested."""
        self.rule_reloader.reload(requested)

    def _rules_loaded(self, rules: RuleSet) -> None:
        from tui.presentation import format

        self.use_rules(rules)
        loaded = f"Loaded {format.plural(len(rules), 'rule')}"
        if not rules.problems:
            self.say(loaded)
            return
        files = format.plural(len(rules.problems), "file")
        hint = f"{key_of('area.rules')} shows where"
        self.say(f"{loaded}, {files} in error; {hint}", severity="warning")

    def rule_seconds(self) -> Mapping[str, float]:
        """Return the seconds that each rule has taken, by rule id."""
        return self._pipeline.rule_seconds() if self._pipeline else {}

    def recheck_quarantine(self) -> None:
        """Recheck the quarantined files. Blocks: call it in a thread."""
        if self._pipeline is not None:
            self._pipeline.recheck_quarantine()

    # --- messages and moving

    def may_write(self) -> bool:
        """Return whether decisions can be stored; if not, show the reason."""
        if self.store.read_only:
            reason = "Read-only: make the database and its folder writable to decide here"
            self.say(reason, severity="warning")
        return not self.store.read_only

    @property
    def at_home(self) -> bool:
        """Whether the list of alerts is in front."""
        return self.current_mode == "alerts" and len(self.screen_stack) == 1

    def leave(self) -> None:
        """Go back one screen, or quit from the list of alerts."""
        if self.at_home:
            self.exit()
        elif len(self.screen_stack) > 1:
            self.pop_screen()
        else:
            self.switch_mode("alerts")

    @property
    def areas(self) -> Collection[str]:
        """The names of all areas."""
        return AREAS.keys()

    def area_counts(self) -> Mapping[str, int | str]:
        """Return row counts by area name, for the areas that show one."""
        view_model = self.view_model
        if not view_model.loaded:
            return {}
        return {
            "alerts": len(view_model.alerts),
            "log": len(view_model.notes),
            "suppressions": len(view_model.active(self.now())),
            "rules": len(self.rules),
            "watches": sum(row.watch.active for row in view_model.watches),
            "hunts": sum(hunt.is_open for hunt in view_model.hunts),
        }

    def action_area(self, name: str) -> None:
        if self.is_open:
            self.go_to_area(name)
        else:
            self._first_area = name

    def go_to_area(self, name: str) -> None:
        """Go to an area; if already in it, go back to its first screen."""
        if name != self.current_mode:
            self.switch_mode(name)
            return
        while len(self.screen_stack) > 1:
            self.pop_screen()

    async def action_quit(self) -> None:
        from tui.screens.forms.base import FormScreen

        if isinstance(self.screen, FormScreen) and self.screen.unsaved:
            self.routes.confirm("Quit and lose what you typed?", "leave", self.exit)
        else:
            self.exit()

    def action_next_times(self) -> None:
        time_display.set_mode(time_display.next_mode())
        self.say(TIMES[time_display.mode])
        self.notify_changed()
