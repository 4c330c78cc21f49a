"""Keys that copy rows, or pipe them to a command."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import replace

from textual.binding import Binding

from detector.investigation.raw_record import EvidenceGone
from tui.concurrency.worker import work
from tui.keymap import OUT, key
from tui.presentation.copy_formats import CopyFormat
from tui.screens.base.menu import LetterMenu
from tui.screens.base.screen import HuntScreen, ScreenPart
from tui.terminal import clipboard


class CopyActions(ScreenPart):
    """Copies or pipes rows in one of several formats.

    ``formats`` returns the formats, the most useful first.
    """

    BINDINGS = [
        key("copy", "y", "copy", "copy", "Copy the row, its JSON or a value", OUT),
        key("pipe", "vertical_line", "pipe", "pipe", "Pipe the row's JSON to a command", OUT),
    ]

    def __init__(self, screen: HuntScreen, formats: Callable[[], Sequence[CopyFormat]]) -> None:
        super().__init__(screen)
        self._formats = formats

    def action_copy(self) -> None:
        """Offer the formats in a menu, and copy the rows in the chosen one."""
        formats = {each.letter: each for each in self._formats()}
        if not formats:
            self.workspace.say("Nothing to copy")
            return

        def copy(letter: str | None) -> None:
            if letter is not None:
                self._copy(formats[letter])

        options = [(letter, each.name) for letter, each in formats.items()]
        self.screen.app.push_screen(LetterMenu("Copy", options), copy)

    @work(exclusive=True, group="copy")
    async def _copy(self, copy_format: CopyFormat) -> None:
        try:
            text = await asyncio.to_thread(copy_format.read)
        except EvidenceGone as error:
            self.workspace.say(f"Not copied: {error}", severity="error")
            return
        method = clipboard.find_method(os.environ)
        trouble, failed = "", False
        if method.command:
            try:
                await asyncio.to_thread(clipboard.copy_by_command, method, text)
            except clipboard.ClipboardError as error:
                trouble, failed, method = f"; {error}", True, clipboard.TERMINAL
        if not method.command:
            self.screen.app.copy_to_clipboard(text)
            trouble += "".join(
                f"; {advice}" for advice in (clipboard.size_warning(text), method.advice) if advice
            )
        self.workspace.say(
            f"Copied {copy_format.name} by {method.name}{trouble}",
            severity="warning" if failed else "information",
        )

    def action_pipe(self) -> None:
        """Ask for a command, and pipe the rows' JSON to it."""
        json_format = next((each for each in self._formats() if each.letter == "j"), None)
        if json_format is None:
            self.workspace.say("Nothing to pipe")
        else:
            self._pipe(json_format)

    @work(exclusive=True, group="pipe")
    async def _pipe(self, copy_format: CopyFormat) -> None:
        try:
            text = await asyncio.to_thread(copy_format.read)
        except EvidenceGone as error:
            self.workspace.say(f"Not piped: {error}", severity="error")
        else:
            self.workspace.routes.pipe(text + "\n")


class ReadingScreen(HuntScreen):
    """A screen that shows one text to read and copy."""

    BINDINGS = [
        replace(binding, show=binding.id in ("back", "copy"))
        for binding in (*HuntScreen.BINDINGS, *CopyActions.BINDINGS)
        if isinstance(binding, Binding)
    ]

    def __init__(self) -> None:
        super().__init__()
        self.copying = CopyActions(self, self.copy_formats)

    def copy_formats(self) -> Sequence[CopyFormat]:
        """Return the formats in which the text can be copied."""
        raise NotImplementedError
