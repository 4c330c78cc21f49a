"""Palette commands for the actions of other areas."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import cast

from textual.binding import Binding
from textual.command import Hit, Hits, Provider

from tui.app.routes import AREAS, area_screen_class
from tui.keymap import declared_bindings, key_of, screen_entries
from tui.model.areas import title_of
from tui.model.workspace import Workspace


class AreaCommands(Provider):
    """Finds key actions of other areas; choosing one goes to its area and names its key.

    The action does not run: the analyst has not yet seen what it would apply to.
    """

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for area, binding in self._bindings():
            score = max(matcher.match(binding.description), matcher.match(binding.tooltip) / 2)
            if score > 0:
                keys = f"{key_of(f'area.{area}')} {key_of(binding.id or '')}"
                title = f"{title_of(area)}: {binding.description}  {keys}"
                yield Hit(
                    score / 2,  # actions of the current screen come first
                    matcher.highlight(title),
                    lambda area=area, binding=binding: self._go(area, binding),
                    text=title,
                    help=binding.tooltip,
                )

    def _bindings(self) -> Iterator[tuple[str, Binding]]:
        """Yield (area, binding) for first screens of other areas, unless it works here too."""
        here = {entry.label for entry in screen_entries(self.screen)}
        for area in AREAS:
            if area != self.app.current_mode:
                for binding in chain.from_iterable(declared_bindings(area_screen_class(area))):
                    if binding.description not in here:
                        yield area, binding

    def _go(self, area: str, binding: Binding) -> None:
        workspace = cast(Workspace, self.app)
        workspace.go_to_area(area)
        workspace.say(f"{key_of(binding.id or '')}: {binding.tooltip}")
