"""A raw record, laid out for reading; copying yields the original bytes."""

from __future__ import annotations

from textual.style import Style

from tui.presentation import safe
from tui.widgets.json_text import layout
from tui.widgets.text_view import TextView


class JsonView(TextView):
    """A JSON value, colored by kind and wrapped to the width.

    Long strings are cut; ``raw_text`` has them whole.
    """

    COMPONENT_CLASSES = {
        "json-view--plain",
        "json-view--key",
        "json-view--string",
        "json-view--number",
        "json-view--word",
        "json-view--note",
    }

    DEFAULT_CSS = """
    JsonView {
        & > .json-view--plain { color: $foreground-muted; }
        & > .json-view--key { color: $foreground-muted; }
        & > .json-view--string { color: $foreground; }
        & > .json-view--number { color: $text-accent; }
        & > .json-view--word { color: $text-accent; }
        & > .json-view--note { color: $text-warning; text-style: italic; }
    }
    """

    def __init__(
        self, *, name: str | None = None, id: str | None = None, classes: str | None = None
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._raw: bytes | None = None

    def show(self, raw: bytes | None, empty: str = "No record.") -> None:
        """Show a JSON value from its first line on; for None, show ``empty``."""
        self._raw = raw
        if raw is None:
            self.set_lines([[(safe.visible(empty), "plain")]])
        else:
            self.set_lines(layout(raw))

    @property
    def raw_text(self) -> str:
        """The record as in the file; bytes outside UTF-8 as ``\\xff``."""
        return (self._raw or b"").decode("utf-8", "backslashreplace")

    def kind_style(self, kind: str) -> Style:
        return self.get_visual_style(f"json-view--{kind}")
