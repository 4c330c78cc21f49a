"""Labelled facts with hanging indents, and text between them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from textual.content import Content
from textual.widget import Widget

from tui.presentation import safe

_LABEL = 11


class Fact(NamedTuple):
    """A label of ours, and a value that may quote a log."""

    label: str
    value: str


Line = Content | Fact


def facts(*pairs: tuple[str, str]) -> Iterator[Fact]:
    """Yield the facts that have a value."""
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
        # Reckoned for any width, not kept from the last drawing: a screen that a dialog covers is
        # laid out only once when the terminal changes its size.
        return self._wrapped(width).get_height(self.styles, width)  # type: ignore[arg-type]

    def render(self) -> Content:
        return self._wrapped(self.content_size.width)

    def _wrapped(self, cells: int) -> Content:
        if cells <= _LABEL:
            return Content("")
        return Content("\n").join(
            self._hung(line, cells) if isinstance(line, Fact) else line for line in self._lines
        )

    def _hung(self, fact: Fact, cells: int) -> Content:
        first, *rest = safe.text(fact.value).wrap(cells - _LABEL)
        label = Content.styled(fact.label.ljust(_LABEL), self._label_style)
        return Content("\n").join(
            [Content.assemble(label, first), *(line.pad_left(_LABEL) for line in rest)]
        )
