"""Labelled facts with hanging indents, and text between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from textual.content import Content
from textual.widget import Widget

from tui.presentation import safe
from tui.presentation.word_parts import part_long_words

_LABEL = 11


class Fact(NamedTuple):
    """A label from our own code, and a value that may quote a log."""

    label: str
    value: str


class Indented(NamedTuple):
    """A text that may quote a log, indented by ``indent`` cells; wrapped lines by two more."""

    indent: int
    text: str


Line = Content | Fact | Indented


def facts(*pairs: tuple[str, str]) -> Iterator[Fact]:
    """Yield the facts whose value is not empty."""
    return (Fact(label, value) for label, value in pairs if value)


class FactList(Widget):
    """A list of facts and lines, wrapped to its width.

    ``label_style`` is in Textual's syntax.
    """

    DEFAULT_CSS = "FactList { height: auto; }"

    def __init__(
        self,
        lines: Sequence[Line] = (),
        *,
        label_style: str = "$foreground-muted",
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._lines = lines
        self._label_style = label_style

    def show(self, lines: Sequence[Line]) -> None:
        self._lines = lines
        self.refresh(layout=True)

    def get_content_height(self, container: object, viewport: object, width: int) -> int:  # noqa: ARG002
        # Compute the height for the given width instead of caching it from the last drawing:
        # Textual lays out a screen behind a dialog only once when the terminal is resized.
        return self._wrapped(width).get_height(self.styles, width)  # type: ignore[arg-type]

    def render(self) -> Content:
        return self._wrapped(self.content_size.width)

    def _wrapped(self, cells: int) -> Content:
        if cells <= _LABEL:
            return Content("")
        return Content("\n").join(self._drawn(line, cells) for line in self._lines)

    def _drawn(self, line: Line, cells: int) -> Content:
        match line:
            case Fact():
                return self._hung(line, cells)
            case Indented():
                return _indented(line, cells)
        return line

    def _hung(self, fact: Fact, cells: int) -> Content:
        first, *rest = _wrapped_value(fact.value, cells - _LABEL)
        label = Content.styled(fact.label.ljust(_LABEL), self._label_style)
        return Content("\n").join(
            [Content.assemble(label, first), *(line.pad_left(_LABEL) for line in rest)]
        )


def _indented(line: Indented, cells: int) -> Content:
    first, *rest = _wrapped_value(line.text, max(1, cells - line.indent - 2))
    return Content("\n").join(
        [first.pad_left(line.indent), *(each.pad_left(line.indent + 2) for each in rest)]
    )


def _wrapped_value(value: str, cells: int) -> list[Content]:
    """Wrap a value that may quote a log; break long words between their parts."""
    return Content(part_long_words(safe.text(value).plain, cells)).wrap(cells)
