"""The base of both apps: theme, messages, help and screenshots."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import TypeVar

from textual import events
from textual.notifications import SeverityLevel

from tui import keymap
from tui.concurrency.worker import work
from tui.keymap import APP, OUT, KeysProvider, key
from tui.presentation import safe
from tui.presentation.theme import LABELS, THEMES
from tui.settings import theme_choice
from tui.terminal.diff_renderer import DiffRenderer
from tui.terminal.textual_private import CompositorUpdate, FilteredApp

T = TypeVar("T")


class FrameApp(FilteredApp[T]):
    """The base of an app; ``keys`` maps binding ids to the analyst's own keys."""

    CSS_PATH = "../trailhound.tcss"
    TITLE = "trailhound"
    ENABLE_COMMAND_PALETTE = True
    COMMANDS = {KeysProvider}

    BINDINGS = [
        key(
            "palette",
            "colon,ctrl+p",
            "command_palette",
            "commands",
            "Command palette",
            APP,
        ),
        key("theme", "T", "choose_theme", "theme", "Choose a theme: dark, light, …", APP),
        key(
            "screenshot",
            "f9",
            "keep_screen",
            "screenshot",
            "Save a screenshot as SVG and text",
            OUT,
            everywhere=True,
        ),
        key(
            "repaint",
            "ctrl+l",
            "repaint",
            "redraw",
            "Redraw the screen",
            APP,
            everywhere=True,
        ),
        key("quit", "ctrl+q", "quit", "quit", "Quit trailhound", APP, everywhere=True),
        key(
            "help",
            "question_mark,f1",
            "help",
            "keys",
            "Show all keys of this screen",
            APP,
            show=True,
        ),
    ]

    def __init__(self, keys: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(ansi_color=True if theme_choice.no_color() else None)
        self._keys = keys
        keymap.rebind(keys)
        self._renderer = DiffRenderer()
        for theme in THEMES.values():
            self.register_theme(theme)
        self.theme = THEMES[
            "ansi" if self.no_color else theme_choice.startup_theme(self.console.color_system)
        ].name

    def on_load(self) -> None:
        self.set_keymap(dict(self._keys))

    def say(self, message: str, *, severity: SeverityLevel = "information") -> None:
        """Show a one-line message, which may quote a log, until the next message."""
        safe.notify(self, message, severity=severity)

    def on_notify(self) -> None:
        """Remove the previous message, even if one burst of keys caused both."""
        self.clear_notifications()

    def filter_update(self, update: CompositorUpdate) -> CompositorUpdate:
        return self._renderer.reduce(update)

    def on_mount(self) -> None:
        self.app_resume_signal.subscribe(self, lambda _: self.action_repaint())

    def on_resize(self, event: events.Resize) -> None:
        """Redraw everything, because a terminal moves its text when resized."""
        if event.size != self._renderer.size:
            self._renderer.forget()

    def action_repaint(self) -> None:
        self._renderer.forget()
        self.screen.refresh()

    def action_choose_theme(self) -> None:
        from tui.screens.base.menu import Menu

        if self.no_color:
            self.say("NO_COLOR is set: unset it to choose a theme")
            return
        before = next(name for name, theme in THEMES.items() if theme.name == self.theme)
        self.push_screen(
            Menu("Theme", list(LABELS.items()), before, self._use_theme),
            partial(self._theme_chosen, before),
        )

    def _use_theme(self, name: str) -> None:
        self.theme = THEMES[name].name

    def _theme_chosen(self, before: str, name: str | None) -> None:
        self._use_theme(name or before)
        if name is not None:
            self.say(theme_choice.remember_theme(name))

    @work(group="screenshot")
    async def action_keep_screen(self) -> None:
        from tui.terminal import screenshot

        svg, text = screenshot.screen_svg(self), screenshot.screen_text(self)
        try:
            path = await asyncio.to_thread(screenshot.write_screenshot, svg, text)
        except OSError as error:
            self.say(
                f"No screenshot: {error.filename or screenshot.folder()}: {error.strerror}",
                severity="error",
            )
        else:
            self.say(f"Screenshot saved to {path}.svg/.txt (private)")

    def action_command_palette(self) -> None:
        from tui.screens.dialogs.palette import Palette

        if not isinstance(self.screen, Palette):
            self.push_screen(Palette())

    def action_help(self) -> None:
        from tui.screens.dialogs.help import HelpScreen

        self.push_screen(HelpScreen(self.screen))
