"""A scrollable area for text."""

from __future__ import annotations

from textual.containers import VerticalScroll

from tui.keymap import MOVE, key


class Reader(VerticalScroll, can_focus=True, inherit_bindings=False):
    BINDINGS = [
        key("text.down", "j,down", "scroll_down", "down", "A line down", MOVE),
        key("text.up", "k,up", "scroll_up", "up", "A line up", MOVE),
        key("text.first", "g,home", "scroll_home", "first", "First line", MOVE),
        key("text.last", "G,end", "scroll_end", "last", "Last line", MOVE),
        key("text.page-down", "pagedown,ctrl+d", "page_down", "page down", "A page down", MOVE),
        key("text.page-up", "pageup,ctrl+u", "page_up", "page up", "A page up", MOVE),
    ]
