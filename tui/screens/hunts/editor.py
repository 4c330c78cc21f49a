"""The editor of a query, with its error and suggestions for what to type next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from textual.content import Content
from textual.message import Message
from textual.widgets import Static
from textual.widgets.text_area import Document

from detector.esql.errors import EsqlError
from detector.investigation.hunts.completion import WordOffer
from detector.text.excerpt import caret_excerpt
from tui.keymap import FIND, LIVE, OUT, key
from tui.presentation import safe
from tui.screens.base.input_fields import TextField

_OPTION_CELLS = 40
_LEAST_CELLS = 40
_MOST_BEFORE = 60
"""Maximum number of characters of a line shown before the position of an error."""


class QueryEditor(TextField):
    """A text area with keys to complete, run and save the query."""

    BINDINGS = [
        key(
            "editor.run",
            "ctrl+r",
            "screen.run",
            "run",
            "Run the query as it is typed",
            LIVE,
            show=True,
        ),
        key(
            "editor.save",
            "ctrl+s",
            "screen.save",
            "save",
            "Save the query in the hunt",
            OUT,
            show=True,
        ),
        key(
            "editor.complete",
            "tab",
            "complete(1)",
            "complete",
            "Complete, then the next suggestion",
            FIND,
            show=True,
        ),
        key(
            "editor.complete-back",
            "shift+tab",
            "complete(-1)",
            "complete back",
            "Previous suggestion",
            FIND,
        ),
        key(
            "editor.language",
            "f3",
            "screen.language",
            "language",
            "Next query language",
            FIND,
            show=True,
        ),
        key(
            "editor.leave",
            "escape",
            "screen.leave_editor",
            "to the rows",
            "Leave the editor, to the rows",
            FIND,
            show=True,
        ),
    ]

    class Completed(Message):
        """A suggestion was taken."""

    def __init__(self, id: str, text: str, offers: Callable[[str, int], WordOffer]) -> None:
        super().__init__(id, text, "Write a query")
        self._offers = offers
        self.offer = WordOffer(0)
        self.chosen = -1
        """The index of the suggestion that was taken, -1 for none."""
        self._taken = ""

    @property
    def cursor_offset(self) -> int:
        """The cursor's offset in the text, in characters."""
        return self._plain.get_index_from_location(self.cursor_location)

    @property
    def _plain(self) -> Document:
        """The document, which is a plain one without a syntax tree."""
        assert isinstance(self.document, Document)
        return self.document

    def renew_offer(self) -> None:
        """Renew the suggestions, unless the text is unchanged since one was taken."""
        if self.chosen < 0 or self.text != self._taken:
            self.offer = self._offers(self.text, self.cursor_offset)
            self.chosen = -1

    def action_complete(self, step: int) -> None:
        """Replace the typed beginning by the next suggestion."""
        options = self.offer.options
        if not options:
            return
        if self.chosen < 0:
            self.chosen = 0 if step > 0 else len(options) - 1
        else:
            self.chosen = (self.chosen + step) % len(options)
        start = self._plain.get_location_from_index(self.offer.start)
        result = self.replace(options[self.chosen], start, self.cursor_location)
        self.move_cursor(result.end_location)
        self._taken = self.text
        self.post_message(self.Completed())


class Refusal(NamedTuple):
    """The reason why a query cannot be run, and its position."""

    line: int
    column: int
    message: str

    @classmethod
    def of(cls, error: EsqlError) -> Refusal:
        return cls(error.line, error.column, error.message)

    def lines(self, text: str, cells: int) -> Sequence[Content]:
        """Return the line of the text in ``cells``, a caret under the position, and the reason.

        The text may have changed since and no longer have the line.
        """
        lines, column = text.split("\n"), self.column
        if column > _MOST_BEFORE and self.line <= len(lines):
            # Cut the beginning of a long line, so that the position is visible.
            cut = column - _MOST_BEFORE // 2
            lines[self.line - 1] = f"…{lines[self.line - 1][cut:]}"
            column -= cut - 1
        excerpt = caret_excerpt("\n".join(lines), self.line, column).split("\n")
        return [
            *(
                safe.text(safe.clip(line, cells), "$foreground-muted")
                for line in excerpt
                if line.strip()
            ),
            safe.text(f"{self.line}:{self.column}: {self.message}", "$text-warning"),
        ]


class EditorMessages(Static):
    """The suggestions while the analyst types, and beneath them the error."""

    def show(self, editor: QueryEditor, refusal: Refusal | None) -> None:
        """Show the suggestions of an editor and the refusal of its text."""
        parts = [Content.styled("tab", "$foreground-muted")]
        for index, option in enumerate(editor.offer.options):
            style = "$accent bold" if index == editor.chosen else "$foreground-muted"
            parts.append(safe.text(safe.clip(option, _OPTION_CELLS), style))
        cells, lines = max(_LEAST_CELLS, self.content_size.width), list[Content]()
        if len(parts) > 1:
            lines.append(Content("  ").join(parts).truncate(cells, ellipsis=True))
        if refusal is not None:
            lines += refusal.lines(editor.text, cells)
        self.update(Content("\n").join(lines))
