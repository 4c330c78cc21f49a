"""Parts that a screen owns: plain objects with keys of their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from textual import actions
from textual.binding import Binding
from textual.worker import Worker

from tui.model.workspace import Workspace

if TYPE_CHECKING:
    from tui.screens.base.screen import HuntScreen


class ScreenPart:
    """A part of a screen, with its own keys and actions.

    The screen creates its parts, and lists their ``BINDINGS`` among its own in the order of the
    footer. Textual looks an action up on the screen by its name, so the part puts its action
    methods there.
    """

    BINDINGS: ClassVar[list[Binding]] = []

    def __init__(self, screen: HuntScreen) -> None:
        self.screen = screen
        screen.parts.append(self)
        for binding in self.BINDINGS:
            _, name, _ = actions.parse(binding.action)
            setattr(screen, f"action_{name}", getattr(self, f"action_{name}"))

    @property
    def workspace(self) -> Workspace:
        """What the screen may ask of the app."""
        return self.screen.workspace

    @property
    def is_running(self) -> bool:
        """Whether the screen is there; workers end with it."""
        return self.screen.is_running

    @property
    def run_worker(self) -> Callable[..., Worker[Any]]:
        """Begin a worker of the screen."""
        return self.screen.run_worker

    def label_of(self, binding: Binding) -> str | None:  # noqa: ARG002
        """Return a better label for a key, if it has one."""
        return None

    def refresh(self) -> None:
        """Take in that rows, marks or the cursor may have changed."""

    def close(self) -> None:
        """End what is going on, as the screen is removed."""
