"""A terminal emulator: pyte with support for dim text and for what is visible on a blank."""

from __future__ import annotations

from typing import Any

import pyte
from pyte.modes import DECAWM
from pyte.screens import Char

_COLOUR_CODES = {5: 3, 2: 5}
"""Number of codes that make up a colour, by the code after 38 or 48."""

_DIM_AS_BLINK = {2: (5,), 22: (22, 25)}
"""pyte does not support dim text, so blinking, which the app never uses, stands in for it."""


class _Screen(pyte.Screen):
    def select_graphic_rendition(self, *codes: int, **options: Any) -> None:
        rest = list(codes) or [0]
        while rest:
            size = _COLOUR_CODES[rest[1]] if rest[0] in (38, 48) else 1
            part = _DIM_AS_BLINK.get(rest[0], rest[:size])
            super().select_graphic_rendition(*part, **options)
            del rest[:size]

    def index(self) -> None:
        """Move down a line without scrolling: a full-screen app never scrolls."""
        if self.cursor.y < self.lines - 1:
            super().index()


class Emulator:
    """A screen of ``width`` by ``height`` cells that shows the effect of everything fed to it."""

    def __init__(self, width: int, height: int) -> None:
        self._screen = _Screen(width, height)
        self._screen.reset_mode(DECAWM)  # pyte would wrap a combining mark in the last column
        self._stream = pyte.Stream(self._screen)

    def feed(self, written: str) -> None:
        self._stream.feed(written)

    @property
    def seen(self) -> list[list[Char]]:
        """The cells as an analyst sees them: a blank has only a background colour."""
        screen = self._screen
        return [
            [_seen(screen.buffer[y][x]) for x in range(screen.columns)] for y in range(screen.lines)
        ]

    @property
    def text(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display]


def _seen(cell: Char) -> Char:
    if cell.data != " " or cell.underscore or cell.reverse or cell.strikethrough:
        return cell
    return Char(" ", bg=cell.bg)
