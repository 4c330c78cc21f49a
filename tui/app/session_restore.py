"""Restore the app to the state in which it was left, and write the session."""

from __future__ import annotations

import asyncio
from collections.abc import Container
from typing import Any, cast

from textual.app import App

from tui.app.draft_resume import resume_draft
from tui.model.workspace import Workspace
from tui.presentation import time_display
from tui.screens.alert.screen import AlertScreen
from tui.screens.alerts.screen import AlertsScreen
from tui.screens.base.filtered_list import ListScreen
from tui.settings.session_file import SESSION_VERSION, Session, SessionError, SessionFile


class SessionKeeper:
    """Reads the session of ``app`` from ``file`` and writes it there; with None, neither."""

    def __init__(self, app: App[Any], file: SessionFile | None) -> None:
        self._app = app
        self._file = file
        self._restored = False
        self.former = Session()
        """The session as the previous run left it."""
        self.problem = ""
        """One line on why the session was not restored or cannot be written."""
        if file is not None:
            cast(Workspace, app).decisions.draft = file.draft
            try:
                self.former = file.read()
            except SessionError as error:
                self.problem = str(error)

    def restore(self, at_home: bool, alert_ids: Container[str]) -> None:
        """Go to the screen on which the app was left, and reopen a draft; later calls do nothing.

        If ``at_home`` is False, the analyst has already gone elsewhere and stays there.
        ``alert_ids`` are the ids of the alerts that can be opened.
        """
        first, self._restored = not self._restored, True
        if not first:
            return
        if at_home:
            self._go_to_area(alert_ids)
        resume_draft(cast(Workspace, self._app), self._app.push_screen)

    def _go_to_area(self, alert_ids: Container[str]) -> None:
        app, former = self._app, self.former
        alert_id = former.alert
        if alert_id is not None and alert_id in alert_ids and isinstance(app.screen, AlertsScreen):
            app.screen.open_alert(alert_id, former.pane)
        if former.area in app.MODES and former.area != app.current_mode:
            app.switch_mode(former.area)

    def write(self, piped_to: str) -> None:
        """Write the session; ``problem`` describes a failure."""
        if self._file is not None:
            self._write(self._file, self._capture(piped_to))

    async def write_in_thread(self, piped_to: str) -> None:
        """Write the session in a thread; ``problem`` describes a failure."""
        if self._file is not None:
            await asyncio.to_thread(self._write, self._file, self._capture(piped_to))

    def _write(self, file: SessionFile, session: Session) -> None:
        try:
            file.write(session)
            self.problem = ""
        except OSError as error:
            self.problem = f"{file.path}: {error.strerror}: the UI session is not saved"

    def _capture(self, piped_to: str) -> Session:
        """Return the current session; areas not visited keep their previous list state."""
        views = dict(self.former.views)
        for area in self._app.MODES:
            for screen in self._stack(area)[:1]:
                if isinstance(screen, ListScreen):
                    views[area] = screen.list_state
        opened = None
        for screen in self._stack("alerts"):
            if isinstance(screen, AlertScreen):
                opened = screen
                break
        return Session(
            version=SESSION_VERSION,
            area=self._app.current_mode,
            times=time_display.mode,
            piped_to=piped_to,
            views=views,
            alert=opened.alert.alert_id if opened and opened.alert else None,
            pane=opened.pane if opened else "calls",
        )

    def _stack(self, area: str) -> list[object]:
        try:
            return list(self._app.get_screen_stack(area))
        except KeyError:
            return []  # the area has not been visited
