"""The saved views of a list: choose, save and delete them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import cast

from msgspec.structs import replace
from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList, Static

from tui.concurrency.worker import work
from tui.keymap import FORM, key, key_of
from tui.model.workspace import Workspace
from tui.presentation import safe
from tui.screens.base.input_fields import LineField
from tui.screens.base.menu import Menu
from tui.screens.forms.base import FormScreen, labelled
from tui.settings import saved_views
from tui.settings.saved_views import SavedView, ViewError

_LABEL_CELLS = 48


class ViewMenu(Menu):
    """A menu of ``views``, dismissed with the index of one, as text.

    ``current`` is the current view, still unnamed, for saving.
    """

    BINDINGS = [
        key(
            "views.save",
            "w",
            "save",
            "save this",
            "Save the current filter and sort order",
            FORM,
            show=True,
        ),
        key(
            "views.delete",
            "d",
            "delete",
            "delete",
            "Delete this view",
            FORM,
            show=True,
        ),
    ]

    def __init__(self, views: Sequence[SavedView], current: SavedView) -> None:
        labels = [
            safe.clip(safe.visible(f"@{view.name}  {view.filter}"), _LABEL_CELLS) for view in views
        ]
        super().__init__("Views", [(str(index), label) for index, label in enumerate(labels)], "0")
        self._views = views
        self._current = current

    @property
    def workspace(self) -> Workspace:
        return cast(Workspace, self.app)

    def action_save(self) -> None:
        if self._current.filter:
            self.app.push_screen(SaveForm(self._current), self._saved)
        else:
            self.workspace.say(f"No filter to save: {key_of('filter')} adds one")

    def _saved(self, saved: bool | None) -> None:
        if saved:
            self.dismiss(None)

    def action_delete(self) -> None:
        view = self._views[self.query_one(OptionList).highlighted or 0]
        question = f"Delete the view {view.name}, {view.filter}?"
        self.workspace.routes.confirm(question, "delete", lambda: self._delete(view))

    @work()
    async def _delete(self, view: SavedView) -> None:
        try:
            await asyncio.to_thread(saved_views.delete, view)
        except ViewError as error:
            self.workspace.say(str(error), severity="warning")
            return
        self.workspace.say(f"Deleted the view {view.name}: {view.filter}")
        self.dismiss(None)


class SaveForm(FormScreen):
    """A form for the name of ``view``."""

    def __init__(self, view: SavedView) -> None:
        super().__init__()
        self._view = view
        self.heading = f"Save a view of {view.rows}"

    def fields(self) -> Iterable[Widget]:
        yield Static(safe.text(self._view.filter))
        if self._view.order:
            direction = ", reversed" if self._view.reversed else ""
            yield Static(
                Content.styled(f"sorted by {self._view.order}{direction}", "$foreground-muted")
            )
        yield labelled(
            "name", LineField("name", "", "letters, digits, - and _; @name stands for it")
        )

    async def save(self) -> str:
        named = replace(self._view, name=self.value("name"))
        try:
            await asyncio.to_thread(saved_views.save, named)
        except ViewError as error:
            raise ValueError(str(error)) from None
        return f"Saved: {key_of('views')} offers {named.name}, and @{named.name} stands for it"
