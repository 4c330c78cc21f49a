"""Text input fields.

Log text in them is kept unchanged; control characters are only displayed as marks.
"""

from __future__ import annotations

from functools import lru_cache

from rich.text import Text
from textual.widgets import TextArea

from detector.text import visible
from tui.terminal.textual_private import MaskedInput

_masked = lru_cache(64)(visible.masked)


class LineField(MaskedInput):
    """A field of one line.

    ``value`` is kept unchanged; ``placeholder`` is our own text.
    """

    def __init__(self, id: str, value: str = "", placeholder: str = "") -> None:
        super().__init__(value, placeholder=placeholder, id=id, compact=True, select_on_focus=False)

    def drawn_value(self) -> str:
        return _masked(self.value)


class TextField(TextArea):
    """A field of several lines.

    ``text`` is kept unchanged; ``placeholder`` is our own text.
    """

    def __init__(self, id: str, text: str = "", placeholder: str = "") -> None:
        super().__init__(
            text, placeholder=placeholder, id=id, soft_wrap=True, tab_behavior="focus", compact=True
        )

    def on_resize(self) -> None:
        # Textual rewraps the text, but redraws only lines whose number has changed.
        self.refresh()

    def get_line(self, line_index: int) -> Text:
        return Text(_masked(self.document.get_line(line_index)), no_wrap=True, end="")
