"""The app: it owns the reading thread and the picture, and moves between the areas. Screens draw themselves.

What the core is made of is imported when it is opened, behind the first screen: importing it takes as long as Textual.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from textual import on
from textual.signal import Signal

from tui.app.base_app import FrameApp
from tui.app.opening_screen import OpeningScreen
from tui.app.routes import AREAS, ScreenRoutes
from tui.concurrency.worker import work
from tui.keymap import APP, OPEN, key, key_of
from tui.model.messages import Arrived, IngestStopped, IsOpen, NotOpened
from tui.model.opened import Opening
from tui.presentation import safe, time_display

if TYPE_CHECKING:
    from detector.ingest.pipeline import Pipeline, Update
    from detector.rules.ruleset import RuleSet
    from detector.store import Store
    from tui.app.session_restore import SessionKeeper
    from tui.model.decisions import Decisions
    from tui.model.view_model import ViewModel
    from tui.model.workspace import Routes
    from tui.settings.session_file import ListState

_BATCH_SECONDS = 0.25
"""The least time between two batches on screen."""

_TICK_SECONDS = 1.0

_SESSION_SECONDS = 10.0
"""How often it is kept how the app is, so that a lost connection loses little of it."""

_RULES_SECONDS = 3.0
"""How often the rule files are looked at."""


def run(
    opening: Opening, where: str, keys: Mapping[str, str], clock: Callable[[], float] = time.time
) -> int:
    """Open the app until the analyst leaves it; the exit status. Raises what ``opening`` raised."""
    app = HuntApp(opening, where, clock=clock, keys=keys)
    app.run()
    if app.not_opened is not None:
        raise app.not_opened
    if app.is_open and app.session.problem:
        print(f"trailhound: {safe.visible(app.session.problem)}", file=sys.stderr)
    return app.return_code or 0


class HuntApp(FrameApp[None]):
    """The app over what ``opening`` opens: ``store``, ``rules``, ``picture`` and ``decisions`` are
    there from then on.

    ``where`` says in a few words what is read, ``keys`` the keys of bindings (by id) that have
    others than usual. ``clock`` gives epoch seconds."""

    MODES = {"opening": OpeningScreen, **AREAS}
    DEFAULT_MODE = "opening"

    BINDINGS = [
        key("area.alerts", "1", "area('alerts')", "alerts", "Go to the alerts", OPEN),
        key("area.log", "3", "area('log')", "hunt log", "Go to the hunt log", OPEN),
        key(
            "area.suppressions",
            "4",
            "area('suppressions')",
            "suppressions",
            "Go to the suppressions",
            OPEN,
        ),
        key(
            "area.sources",
            "5",
            "area('sources')",
            "sources",
            "Go to what was read and what could not be",
            OPEN,
        ),
        key(
            "area.rules",
            "6",
            "area('rules')",
            "rules",
            "Go to the rules: on or off, and what they found",
            OPEN,
        ),
        key(
            "times",
            "t",
            "next_times",
            "times",
            "Say times in UTC, in local time, or as how long ago",
            APP,
        ),
    ]

    store: Store
    rules: RuleSet
    view_model: ViewModel
    decisions: Decisions
    session: SessionKeeper
    routes: Routes

    def __init__(
        self,
        opening: Opening,
        where: str,
        *,
        clock: Callable[[], float] = time.time,
        keys: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        super().__init__(keys)
        self.where = where
        self.now = clock
        time_display.set_mode("UTC", clock)
        self.piped_to = ""
        """The command that a row was last piped to."""
        self.changed: Signal[None] = Signal(self, "changed")
        """The picture is different now."""
        self.not_opened: Exception | None = None
        """Why the app closed before it was open."""
        self.routes = ScreenRoutes(self, self)
        self._opening = opening
        self._pipeline: Pipeline | None = None
        self._stop = threading.Event()
        self._taken_at = float("-inf")
        self._loading_rules = False

    # --- opening

    def on_ready(self) -> None:
        """After the first paint."""
        self._open()

    @work(thread=True, group="opening", exit_on_error=False)
    def _open(self) -> None:
        try:
            opened = self._opening()
            import_module("tui.screens.alerts.screen")
        except (
            Exception
        ) as error:  # whatever it was, the command says it once the terminal is its own again
            self.post_message(NotOpened(error))
        else:
            self.post_message(IsOpen(opened))

    @on(NotOpened)
    def _not_opened(self, event: NotOpened) -> None:
        self.not_opened = event.error
        self.exit()

    @on(IsOpen)
    def _is_open(self, event: IsOpen) -> None:
        """Start to read."""
        from tui.app.session_restore import SessionKeeper
        from tui.model.decisions import Decisions
        from tui.model.store_loader import StateReader
        from tui.model.view_model import Inbox, ViewModel
        from tui.presentation import format

        self.store, self.rules, self._pipeline = (
            event.opened.store,
            event.opened.rules,
            event.opened.pipeline,
        )
        self.view_model, self._inbox = ViewModel(), Inbox()
        self._reader = StateReader(
            self,
            self.store,
            self.view_model,
            changed=self.publish,
            failed=self._unreadable,
            now=self.now,
        )
        self.decisions = Decisions(self)
        self.session = SessionKeeper(self, event.opened.session)
        time_display.set_mode(self.session.former.times)
        self.piped_to = self.session.former.piped_to
        self.switch_mode("alerts")
        self.reload()
        self.set_interval(_TICK_SECONDS, self.tick)
        self.set_interval(_RULES_SECONDS, self.reload_rules)
        self.set_interval(_SESSION_SECONDS, self._keep_session)
        if self.session.problem:
            self.say(self.session.problem, severity="warning")
        if self._pipeline is not None:
            self._ingest(self._pipeline)
        if self.rules.problems:
            self.say(
                f"{format.plural(len(self.rules.problems), 'rule file')} in error; "
                f"{key_of('area.rules')} shows where",
                severity="warning",
            )

    @property
    def is_open(self) -> bool:
        """Whether there is a state to look at."""
        return self.current_mode != "opening"

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Until it is open, there is nothing to do but to leave."""
        return self.is_open or action == "quit"

    # --- reading

    def on_exit_app(self) -> None:
        self._stop.set()  # at once, so that the reading ends while the screens are taken down
        if self.is_open:
            self.session.write(self.piped_to)

    def on_unmount(self) -> None:
        self._stop.set()

    @property
    def closing(self) -> threading.Event:
        """Set when trailhound is being left: what reads in a thread stops."""
        return self._stop

    @work(group="session", exclusive=True, exit_on_error=False)
    async def _keep_session(self) -> None:
        before = self.session.problem
        await self.session.write_in_thread(self.piped_to)
        if self.session.problem not in ("", before):
            self.say(self.session.problem, severity="warning")

    @work(thread=True, group="ingest", exit_on_error=False)
    def _ingest(self, pipeline: Pipeline) -> None:
        from detector.store import StateError

        try:
            pipeline.run(self._stop, self._publish_update)
        except StateError as error:
            self.post_message(IngestStopped(str(error)))
        except Exception as error:  # whatever went wrong, the analyst keeps the screen, and is told
            self.post_message(IngestStopped(f"{type(error).__name__}: {error}".splitlines()[0]))

    def _publish_update(self, update: Update) -> None:
        if self._inbox.put(update):
            self.post_message(Arrived())

    @on(Arrived)
    def _arrived(self) -> None:
        wait = self._taken_at + _BATCH_SECONDS - time.monotonic()
        if wait > 0:
            self.set_timer(wait, self.take_batch)
        else:
            self.take_batch()

    def take_batch(self) -> None:
        """Put on screen what the pipeline has found since the last batch."""
        from tui.presentation import format

        self._taken_at = time.monotonic()
        update, more = self._inbox.take()
        if update is None:
            return
        if more:
            self.post_message(Arrived())
        before = self.view_model.unread
        self.view_model.update(update, self.now())
        if self.view_model.unread > before:
            self.say(
                f"{format.plural(self.view_model.unread - before, 'file')} could not be read; "
                f"{key_of('area.sources')} shows why",
                severity="warning",
            )
        self.publish()

    @on(IngestStopped)
    def _ingest_stopped(self, event: IngestStopped) -> None:
        self.view_model.error = event.reason
        self.say(
            f"Reading stopped: {event.reason}. What was found stays; leave and start again to go on.",
            severity="error",
        )
        self.publish()

    def reload(self) -> None:
        """Read the store again."""
        self._reader.reload()

    def rejudge(self) -> None:
        """Judge every alert by the suppressions as they are now."""
        self._reader.rejudge()

    def _unreadable(self, reason: str) -> None:
        self.say(reason, severity="error")
        if not self.view_model.loaded:
            self.view_model.error = reason  # there is nothing to show but this
            self.publish()

    def tick(self) -> None:
        """Once a second: the lag grows, suppressions expire, another trailhound may have
        written."""
        from tui.screens.base.screen import HuntScreen

        if not self.is_running:
            return  # the last timers still fire while the screens are being taken down
        self._reader.tick()
        if isinstance(self.screen, HuntScreen):
            self.screen.tick()

    def publish(self) -> None:
        """The picture is different now: the screen in front draws itself."""
        self.changed.publish(None)

    # --- rules and the quarantine

    def use_rules(self, rules: RuleSet) -> None:
        """Search by these rules, but those that are off in the store, from the next sweep on."""
        self.rules = rules
        if self._pipeline is not None:
            self._pipeline.use(rules)
        self.publish()

    def reload_rules(self, asked: bool = False) -> None:
        """Load the rule files again where one has changed, or because the analyst ``asked``; in a
        thread."""
        if asked or not self._loading_rules:
            self._loading_rules = True
            self._load_rules(asked)

    @work(group="rules", exit_on_error=False)
    async def _load_rules(self, asked: bool) -> None:
        from detector.ecs.asn import AsnError
        from tui.presentation import format

        try:
            rules = await asyncio.to_thread(
                lambda: self.rules.reloaded() if asked or self.rules.changed else None
            )
        except AsnError as error:
            self.say(str(error), severity="error")
            return
        finally:
            self._loading_rules = False
        if rules is not None:
            self.use_rules(rules)
            broken = (
                format.plural(len(rules.problems), "file")
                + f" in error; {key_of('area.rules')} shows where"
            )
            self.say(
                f"Loaded {format.plural(len(rules), 'rule')}"
                + (f", {broken}" if rules.problems else ""),
                severity="warning" if rules.problems else "information",
            )

    def rule_seconds(self) -> dict[str, float]:
        """What each rule has taken since it was loaded; nothing where another trailhound reads."""
        return self._pipeline.rule_seconds() if self._pipeline is not None else {}

    def reconsider(self) -> None:
        """The analyst has decided on files of the quarantine. Blocks: call it in a thread."""
        if self._pipeline is not None:
            self._pipeline.recheck_quarantine()

    # --- the session

    def left_view(self, area: str) -> ListState | None:
        """Return how the list of an area was left in the session before."""
        return self.session.former.views.get(area)

    def restore_session(self) -> None:
        """Go once to the screen on which the app was left."""
        self.session.restore(self.at_home, self.view_model.alerts)

    # --- talking and moving

    def may_write(self) -> bool:
        """Whether decisions can be kept; where they cannot, say why."""
        if self.store.read_only:
            self.say(
                f"read-only: {self.store.holder} is using this state; close it there to decide here",
                severity="warning",
            )
        return not self.store.read_only

    @property
    def at_home(self) -> bool:
        """Whether the list of alerts is in front, behind which there is nothing."""
        return self.current_mode == "alerts" and len(self.screen_stack) == 1

    def leave(self) -> None:
        """Go back one screen; from the first screen of an area to the alerts; from there, out."""
        if self.at_home:
            self.exit()
        elif len(self.screen_stack) > 1:
            self.pop_screen()
        else:
            self.switch_mode("alerts")

    def action_area(self, name: str) -> None:
        """Go to an area as it was left; where it is in front already, back to its first screen."""
        if name != self.current_mode:
            self.switch_mode(name)
        else:
            while len(self.screen_stack) > 1:
                self.pop_screen()

    async def action_quit(self) -> None:
        from tui.screens.forms.base import Form
        from tui.screens.forms.confirm import Confirm

        if isinstance(self.screen, Form) and self.screen.unsaved:
            self.push_screen(
                Confirm("Leave trailhound and lose what you typed?", "leave"), self._quit_answered
            )
        else:
            self.exit()

    def _quit_answered(self, leave: bool | None) -> None:
        if leave:
            self.exit()

    def action_next_times(self) -> None:
        time_display.set_mode(time_display.next_mode())
        self.say(
            {
                "UTC": "Times are UTC",
                "local": "Times are those of your own zone",
                "relative": "Times are how long ago; among an alert's calls, how long after the first",
            }[time_display.mode]
        )
        self.publish()
