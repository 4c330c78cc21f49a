"""What is under the cursor, or marked, taken out: copied by ``y``, piped to a command by ``|``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import replace

from textual.binding import Binding

from detector.investigation.raw_record import EvidenceGone
from tui.concurrency.worker import work
from tui.keymap import OUT, key
from tui.presentation.copy_formats import CopyFormat
from tui.screens.base.menu import LetterMenu
from tui.screens.base.screen import HuntScreen
from tui.terminal import clipboard


class TakingScreen(HuntScreen):
    BINDINGS = [
        key("copy", "y", "copy", "copy", "Copy the row, its JSON, or one of its values", OUT),
        key("pipe", "vertical_line", "pipe", "pipe", "Pipe the row's JSON to a command", OUT),
    ]

    def copy_formats(self) -> Sequence[CopyFormat]:
        """What the row under the cursor, or the marked rows, can give; the first is what is wanted
        most."""
        return []

    def action_copy(self) -> None:
        found = {each.letter: each for each in self.copy_formats()}
        if not found:
            self.workspace.say("There is nothing here to copy")
            return

        def copy(letter: str | None) -> None:
            if letter is not None:
                self._copy(found[letter])

        options = [(letter, each.name) for letter, each in found.items()]
        self.app.push_screen(LetterMenu("Copy", options), copy)

    @work(exclusive=True, group="copy")
    async def _copy(self, wanted: CopyFormat) -> None:
        try:
            text = await asyncio.to_thread(wanted.read)
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
            self.app.copy_to_clipboard(text)
            trouble += "".join(
                f"; {advice}" for advice in (clipboard.size_warning(text), method.advice) if advice
            )
        self.workspace.say(
            f"Copied {wanted.name} by {method.name}{trouble}",
            severity="warning" if failed else "information",
        )

    def action_pipe(self) -> None:
        found = next((each for each in self.copy_formats() if each.letter == "j"), None)
        if found is None:
            self.workspace.say("There is nothing here to pipe")
        else:
            self._read_and_ask(found)

    @work(exclusive=True, group="pipe")
    async def _read_and_ask(self, wanted: CopyFormat) -> None:
        try:
            text = await asyncio.to_thread(wanted.read)
        except EvidenceGone as error:
            self.workspace.say(f"Not piped: {error}", severity="error")
        else:
            self.workspace.routes.pipe(text + "\n")


class ReadingScreen(TakingScreen):
    """One text, to be read: what else there is to do, the last line says."""

    BINDINGS = [
        replace(binding, show=True)
        for screen in (HuntScreen, TakingScreen)
        for binding in screen.BINDINGS
        if isinstance(binding, Binding) and binding.id in ("back", "copy")
    ]
