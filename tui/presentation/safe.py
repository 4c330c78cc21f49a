"""Make log text safe to show.

Anyone whose calls reach a trail controls user agents, session names and error messages. In a
terminal, such a string can move the cursor, rename the window or reorder text. Textual parses a
plain ``str`` as markup, which can crash the app or plant a clickable action. So every string from a
log passes through ``visible`` and reaches a widget as ``Content``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.cells import cell_len, set_cell_size

from detector.text.visible import LIMIT, visible

if TYPE_CHECKING:
    from textual.app import App
    from textual.content import Content
    from textual.notifications import SeverityLevel

__all__ = ["LIMIT", "clip", "notify", "text", "title", "visible"]


def clip(text: str, cells: int) -> str:
    """Cut a text to at most ``cells`` terminal cells, ending in ``…``.

    Wide characters count as two cells.
    """
    if cell_len(text) <= cells:
        return text
    if cells > 0:
        return set_cell_size(text, cells - 1) + "…"
    return ""


def text(value: str, style: str = "", *, limit: int = LIMIT, lines: bool = False) -> Content:
    """Make a value's control characters visible, and return it as content for a widget.

    ``style`` is in Textual's syntax, like ``$foreground-muted bold``, and never comes from a log.
    """
    from textual.content import Content

    return Content.styled(visible(value, limit, lines=lines), style)


def title(value: str, cells: int = 60) -> Content:
    """Make a value's control characters visible and shorten it, for a title or tooltip."""
    from textual.content import Content

    return Content(clip(visible(value), cells))


def notify(
    app: App[Any],
    message: str,
    *,
    title: str = "",
    severity: SeverityLevel = "information",
    timeout: float | None = None,
) -> None:
    """Show a notification that may quote a log, without control characters or markup."""
    app.notify(
        visible(message, 400, lines=True),
        title=clip(visible(title), 60),
        severity=severity,
        timeout=timeout,
        markup=False,
    )
