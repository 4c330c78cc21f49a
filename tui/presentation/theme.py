"""The themes: each has one accent; severity colors only repeat what words already say."""

from __future__ import annotations

from textual.theme import Theme


def _theme(
    name: str,
    *,
    dark: bool,
    foreground: str,
    background: str,
    surface: str,
    panel: str,
    muted: str,
    border: str,
    primary: str,
    accent: str,
    success: str,
    warning: str,
    error: str,
    scrollbar: tuple[str, str],
    cursor: tuple[str, str],
    blurred_cursor: str,
    **variables: str,
) -> Theme:
    """Build a theme.

    ``muted`` colors less important text, ``border`` the lines between areas. ``scrollbar`` has the
    scrollbar's colors at rest and under the mouse. ``cursor`` has the background and text colors of
    the option under the cursor, ``blurred_cursor`` its background while the focus is elsewhere.
    """
    cursor_background, cursor_foreground = cursor
    scrollbar_color, scrollbar_hover = scrollbar
    return Theme(
        name=f"trailhound-{name}",
        dark=dark,
        primary=primary,
        secondary=primary,
        accent=accent,
        foreground=foreground,
        background=background,
        surface=surface,
        panel=panel,
        success=success,
        warning=warning,
        error=error,
        variables={
            "footer-key-foreground": accent,
            "footer-description-foreground": muted,
            "border-blurred": border,
            "scrollbar": scrollbar_color,
            "scrollbar-background": background,
            "scrollbar-hover": scrollbar_hover,
            "scrollbar-active": accent,
            "input-selection-background": f"{accent} 30%",
            "block-cursor-background": cursor_background,
            "block-cursor-foreground": cursor_foreground,
            "block-cursor-blurred-background": blurred_cursor,
            "block-cursor-blurred-foreground": cursor_foreground,
            **variables,
        },
    )


DARK = _theme(
    "dark",
    dark=True,
    foreground="#d3d7de",
    background="#14171c",
    surface="#1a1e25",
    panel="#232832",
    muted="#8e96a2",
    border="#232832",
    primary="#7aa2c8",
    accent="#e0a458",
    success="#8fb573",
    warning="#d9b45b",
    error="#e06c75",
    scrollbar=("#606a79", "#7a8595"),
    cursor=("#3b3226", "#f0d9b8"),
    blurred_cursor="#2e2a24",
    **{"foreground-muted": "#8e96a2"},
)

LIGHT = _theme(
    "light",
    dark=False,
    foreground="#22272e",
    background="#fbfaf7",
    surface="#f3f1ec",
    panel="#e8e5de",
    muted="#5f6670",
    border="#d8d4cb",
    primary="#2f5f8a",
    accent="#8a5200",
    success="#3f7a2a",
    warning="#8a6200",
    error="#b3261e",
    scrollbar=("#8f8a7e", "#77726a"),
    cursor=("#efe0c6", "#4a2c00"),
    blurred_cursor="#efe6d6",
    **{"foreground-muted": "#5f6670"},
)

CONTRAST = _theme(
    "contrast",
    dark=True,
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#303030",
    muted="#ffffff",
    border="#909090",
    primary="#9fd4ff",
    accent="#ffd75f",
    success="#8fff8f",
    warning="#ffd75f",
    error="#ffa0a0",
    scrollbar=("#b0b0b0", "#ffffff"),
    cursor=("#ffd75f", "#000000"),
    blurred_cursor="#b0b0b0",
    **{
        "foreground-muted": "#dcdcdc",
        "foreground-disabled": "#b0b0b0",
        "text-muted": "#dcdcdc",
        "text-disabled": "#b0b0b0",
    },
)

_DEFAULT = "ansi_default"

ANSI = Theme(
    name="trailhound-ansi",
    ansi=True,
    dark=True,
    primary="ansi_cyan",
    secondary="ansi_cyan",
    accent="ansi_yellow",
    foreground=_DEFAULT,
    background=_DEFAULT,
    surface=_DEFAULT,
    panel=_DEFAULT,
    boost=_DEFAULT,
    success="ansi_green",
    warning="ansi_yellow",
    error="ansi_red",
    variables={
        # Nothing is muted: the terminal's own color cannot be blended, and its bright black may be
        # its background color.
        **dict.fromkeys(
            (
                "foreground-muted",
                "foreground-disabled",
                "text-muted",
                "text-disabled",
                "border-blurred",
                "scrollbar",
                "scrollbar-background",
                "scrollbar-background-hover",
                "scrollbar-background-active",
                "block-cursor-background",
                "block-cursor-foreground",
                "ansi-background",
                "ansi-foreground",
            ),
            _DEFAULT,
        ),
        "footer-key-foreground": "ansi_yellow",
        "block-cursor-text-style": "reverse",
        "block-cursor-blurred-text-style": "underline",
        "input-selection-background": "ansi_yellow",
        "input-selection-foreground": "ansi_black",
    },
)
"""The sixteen colors of the terminal, on its own background."""

THEMES = {"dark": DARK, "light": LIGHT, "contrast": CONTRAST, "ansi": ANSI}
"""The themes by their names in the configuration."""

LABELS = {
    "dark": "dark",
    "light": "light",
    "contrast": "high contrast",
    "ansi": "the terminal's own 16 colours",
}

SEVERITY_STYLE = {
    "critical": "$text-error bold",
    "high": "$text-error",
    "medium": "$text-warning",
    "low": "$foreground-muted",
}
"""Styles by severity word."""
