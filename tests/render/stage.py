"""One widget on an otherwise empty screen, and what it draws."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot
from textual.widget import Widget

W = TypeVar("W", bound=Widget)


class Stage(App[None]):
    """An app with one widget."""

    def __init__(self, widget: Widget) -> None:
        super().__init__()
        self.widget = widget

    def compose(self) -> ComposeResult:
        yield self.widget


def perform(
    make: Callable[[], W],
    act: Callable[[W, Pilot[None], list[Message]], Awaitable[None]],
    size: tuple[int, int] = (80, 10),
) -> None:
    """Run ``act`` on a mounted, focused widget.

    The list passed to it fills with the messages that the widget posts.
    """

    async def drive() -> None:
        widget = make()
        app = Stage(widget)
        messages: list[Message] = []

        def note(message: Message) -> None:
            """Record a message once, though every pump that it passes reports it."""
            of_widget = type(message).__qualname__.startswith(f"{type(widget).__name__}.")
            if of_widget and not any(known is message for known in messages):
                messages.append(message)

        async with app.run_test(size=size, message_hook=note) as pilot:
            if widget.can_focus:
                widget.focus()
            await pilot.pause()
            await act(widget, pilot, messages)

    asyncio.run(drive())


def drawn(widget: Widget) -> list[str]:
    """Return the widget's lines without trailing blanks."""
    return [widget.render_line(y).text.rstrip() for y in range(widget.size.height)]


def style_at(widget: Widget, y: int, letters: str) -> Any:
    """Return the Rich style of ``letters`` in line ``y``."""
    return next(segment.style for segment in widget.render_line(y) if letters in segment.text)
