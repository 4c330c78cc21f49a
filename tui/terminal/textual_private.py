"""Every private name of Textual that the app uses.

Textual may rename these in any release; then only this file must change.
"""

from __future__ import annotations

import sys
from typing import Any, ClassVar, TypeVar

from rich.console import RenderableType
from rich.text import Text
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.app import App
from textual.command import CommandPalette
from textual.driver import Driver
from textual.drivers.linux_driver import LinuxDriver
from textual.screen import Screen
from textual.strip import Strip
from textual.widgets import Input, OptionList

from tui.terminal.output import is_error_redirected

__all__ = [
    "ChopsUpdate",
    "CompositorUpdate",
    "FilteredApp",
    "GutterOptionList",
    "LayoutUpdate",
    "MaskedInput",
    "OutputDriver",
    "palette_placeholder",
    "screen_lines",
    "write_escape",
]

T = TypeVar("T")


class OutputDriver(LinuxDriver):
    """Draws on standard output; Textual's own driver draws on standard error."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        assert sys.__stdout__ is not None
        self._file = sys.__stdout__


class FilteredApp(App[T]):
    """An app whose screen updates pass through ``filter_update``.

    It draws on standard output if standard error is redirected."""

    def get_driver_class(self) -> type[Driver]:
        driver = super().get_driver_class()
        if driver is LinuxDriver and is_error_redirected():
            return OutputDriver
        return driver

    def filter_update(self, update: CompositorUpdate) -> CompositorUpdate:
        """Return the update to write in place of ``update``."""
        raise NotImplementedError

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        if isinstance(renderable, CompositorUpdate):
            renderable = self.filter_update(renderable)
        super()._display(screen, renderable)


def write_escape(app: App[Any], sequence: str) -> None:
    """Write an escape sequence to the terminal, if there is one."""
    driver = app._driver
    if driver is not None and not app.is_headless:
        driver.write(sequence)


class GutterOptionList(OptionList):
    """A list of options with ``GUTTER`` blank cells before each."""

    GUTTER: ClassVar[int] = 0

    def _get_left_gutter_width(self) -> int:
        return self.GUTTER


class MaskedInput(Input):
    """An input that shows ``drawn_value()`` in place of its value."""

    def drawn_value(self) -> str:
        """Return the text to show, one character for each character of the value."""
        raise NotImplementedError

    @property
    def _value(self) -> Text:
        return Text(self.drawn_value(), no_wrap=True, overflow="ignore", end="")


def screen_lines(screen: Screen[Any]) -> list[Strip]:
    """Return the lines of the screen as they are drawn."""
    return screen._compositor.render_strips()


def palette_placeholder(palette: CommandPalette) -> str:
    """Return the placeholder that the command palette shows while nothing is typed."""
    return palette._placeholder
