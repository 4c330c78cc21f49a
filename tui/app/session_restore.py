"""The app goes on as it was left: the session is read at the start, taken up when the state is on screen, and kept."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tui.presentation import time_display
from tui.screens.alerts.screen import AlertsScreen
from tui.screens.base.filtered_list import ListScreen
from tui.settings.session_file import VERSION, NoSession, Session, SessionFile, View

if TYPE_CHECKING:
    from tui.app.app import HuntApp


class Desk:
    """What was left, and what will be. ``file`` None: nothing is taken up or kept."""

    def __init__(self, file: SessionFile | None) -> None:
        self._file = file
        self.left = Session()
        self._first = True
        self.problem = ""
        """Why the session was not taken up, or is not kept; one line."""
        if file is not None:
            try:
                self.left = file.read()
            except NoSession as error:
                self.problem = str(error)

    def view(self, area: str) -> View | None:
        """How the list of an area was left."""
        return self.left.views.get(area)

    def take_up(self, app: HuntApp) -> None:
        """Go to where the analyst was, once, unless they have gone somewhere already."""
        left, first, self._first = self.left, self._first, False
        if not (first and app.at_home):
            return
        if left.alert in app.picture.alerts and isinstance(app.screen, AlertsScreen):
            app.screen.open_alert(left.alert, left.pane)
        if left.area in app.MODES and left.area != app.current_mode:
            app.switch_mode(left.area)

    def keep(self, app: HuntApp) -> None:
        """Keep how the app is now. What cannot be kept is said in ``problem``."""
        if self._file is not None:
            self._write(self._file, captured(app))

    async def keep_beside(self, app: HuntApp) -> None:
        """As ``keep``, but for the writing, which goes on beside the event loop."""
        if self._file is not None:
            await asyncio.to_thread(self._write, self._file, captured(app))

    def _write(self, file: SessionFile, session: Session) -> None:
        try:
            file.write(session)
            self.problem = ""
        except OSError as error:
            self.problem = f"{file.path}: {error.strerror}: how trailhound was left is not kept"


def captured(app: HuntApp) -> Session:
    """How the app is now; areas that were not gone to are as they were left before."""
    from tui.screens.alert.screen import AlertScreen

    views = dict(app.desk.left.views)
    stacks = {area: _stack(app, area) for area in app.MODES}
    for area, stack in stacks.items():
        if stack and isinstance(stack[0], ListScreen):
            views[area] = stack[0].view
    opened = next((screen for screen in stacks["alerts"] if isinstance(screen, AlertScreen)), None)
    return Session(
        version=VERSION,
        area=app.current_mode,
        times=time_display.mode,
        piped_to=app.piped_to,
        views=views,
        alert=opened.alert.alert_id if opened and opened.alert else None,
        pane=opened.pane if opened else "calls",
    )


def _stack(app: HuntApp, area: str) -> list[object]:
    try:
        return list(app.get_screen_stack(area))
    except KeyError:
        return []  # nobody has been there
