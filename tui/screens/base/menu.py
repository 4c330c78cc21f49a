"""Menus, for choosing one of a few options."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.strip import Strip
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from tui.keymap import MOVE, OPEN, key
from tui.screens.base.key_footer import KeyLine
from tui.terminal.textual_private import GutterOptionList


class Signed(GutterOptionList):
    """An option list with the same cursor sign as a row list."""

    GUTTER = 2

    def render_line(self, y: int) -> Strip:
        line = super().render_line(y)
        style = next((segment.style for segment in line), None) or Style.null()
        here = self.highlighted is not None and style.meta.get("option") == self.highlighted
        return Strip([Segment(("▌" if here else "").ljust(self.GUTTER), style), *line])


def _keys(down: str, up: str) -> list[Binding]:
    return [
        key("menu.choose", "enter", "select", "choose", "Choose the entry", OPEN, show=True),
        key("menu.down", down, "cursor_down", "down", "Next", MOVE),
        key("menu.up", up, "cursor_up", "up", "Previous", MOVE),
    ]


class Options(Signed):
    BINDINGS = [*_keys("j,down", "k,up")]


class Lettered(Signed):
    """Options that are chosen by letters; so letters do not move the cursor."""

    BINDINGS = [*_keys("down", "up")]


class Menu(ModalScreen[str | None]):
    """A menu, dismissed with the id of the chosen option.

    ``options`` are pairs of id and label, never log text. ``preview`` is called with the id of each
    option that the cursor reaches.
    """

    LIST: ClassVar[type[OptionList]] = Options

    BINDINGS = [
        key(
            "menu.close",
            "escape,q",
            "dismiss",
            "close",
            "Cancel",
            OPEN,
            show=True,
        )
    ]

    def __init__(
        self,
        heading: str,
        options: Sequence[tuple[str, str]],
        chosen: str,
        preview: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__()
        self._heading = heading
        self._options = options
        self._chosen = chosen
        self._preview = preview

    def compose(self) -> ComposeResult:
        with Vertical(id="form", classes="small"):
            yield Static(Content(self._heading), id="form-heading")
            yield self.LIST(
                *(Option(Content(label), id=name) for name, label in self._options), compact=True
            )
        yield KeyLine()

    def on_mount(self) -> None:
        menu = self.query_one(OptionList)
        menu.highlighted = menu.get_option_index(self._chosen)

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(event.option_id)

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        if self._preview is not None and event.option_id is not None:
            self._preview(event.option_id)


class LetterMenu(Menu):
    """A menu whose ids are letters; typing a letter chooses its option at once."""

    LIST = Lettered

    def __init__(self, heading: str, options: Sequence[tuple[str, str]]) -> None:
        super().__init__(
            heading, [(letter, f"{letter}  {label}") for letter, label in options], options[0][0]
        )

    def on_key(self, event: events.Key) -> None:
        if any(event.character == letter for letter, _ in self._options):
            event.stop()
            self.dismiss(event.character)
