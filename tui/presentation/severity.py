"""Severity as a word, a glyph and a color."""

from __future__ import annotations

from textual.content import Content

from tui.presentation import format, safe
from tui.presentation.theme import SEVERITY_STYLE


def severity_content(word: str) -> Content:
    return safe.text(format.severity_label(word), SEVERITY_STYLE.get(word, ""))
