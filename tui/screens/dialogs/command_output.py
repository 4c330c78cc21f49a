"""The output of a command to which JSON was piped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.widget import Widget
from textual.widgets import Static

from tui.concurrency.worker import work
from tui.keymap import key_of
from tui.presentation import format, safe
from tui.presentation.copy_formats import CopyFormat
from tui.screens.base.copy_actions import ReadingScreen
from tui.terminal import pipe
from tui.widgets.line import CellContent
from tui.widgets.text_view import TextView

_LINE_CHARACTERS = 10_000
"""Maximum number of characters shown of one line."""


class OutputScreen(ReadingScreen):
    """The output of ``command`` on ``text``; leaving the screen stops it."""

    AUTO_FOCUS = "TextView"

    def __init__(self, command: str, text: str) -> None:
        super().__init__()
        self._command = command
        self._text = text
        self._lines: list[str] = []

    def screen_title(self) -> CellContent:
        return f"| {self._command}"

    def compose_body(self) -> Iterable[Widget]:
        yield Static(safe.text(f"Running … {key_of('back')} stops it."), id="said", classes="line")
        yield TextView()

    def on_mount(self) -> None:
        super().on_mount()
        self._run()

    @work(exclusive=True)
    async def _run(self) -> None:
        try:
            data = self._text.encode("utf-8", "backslashreplace")
            result = await pipe.run_command(self._command, data)
        except OSError as error:
            self._say(f"/bin/sh: {error.strerror}", "$text-warning")
            return
        output = result.output.decode("utf-8", "backslashreplace").rstrip("\n")
        if output:
            lines = (line.expandtabs() for line in output.split("\n"))
            self._lines = [safe.visible(line, _LINE_CHARACTERS) for line in lines]
        self.query_one(TextView).set_lines([[(line, "plain")] for line in self._lines])
        ended = result.why or f"ended with status {result.status}"
        self._say(
            f"{ended} · {format.plural(len(self._lines), 'line')}",
            "" if result.status == 0 else "$text-warning",
        )

    def _say(self, line: str, style: str) -> None:
        self.query_one("#said", Static).update(safe.text(line, style))

    def copy_formats(self) -> Sequence[CopyFormat]:
        return [CopyFormat("y", "output", lambda: "\n".join(self._lines))] if self._lines else []
