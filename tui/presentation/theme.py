"""The looks: a quiet ground, one accent, severity colours that only repeat what glyph and word say."""

from __future__ import annotations

from textual.theme import Theme


def _theme(
    name: str,
    *,
    dark: bool,
    text: str,
    ground: str,
    surface: str,
    panel: str,
    quiet: str,
    rule: str,
    primary: str,
    accent: str,
    good: str,
    doubtful: str,
    bad: str,
    bars: tuple[str, str],
    cursor: tuple[str, str],
    left: str,
    **more: str,
) -> Theme:
    """``quiet`` is the text of what matters less, ``rule`` the lines between areas, ``bars`` the
    scrollbar's and under the mouse. ``cursor`` is the ground and text of a chosen option, ``left``
    its ground when the focus is elsewhere."""
    chosen, on_chosen = cursor
    return Theme(
        name=f"trailhound-{name}",
        dark=dark,
        primary=primary,
        secondary=primary,
        accent=accent,
        foreground=text,
        background=ground,
        surface=surface,
        panel=panel,
        success=good,
        warning=doubtful,
        error=bad,
        variables={
            "footer-key-foreground": accent,
            "footer-description-foreground": quiet,
            "border-blurred": rule,
            "scrollbar": bars[0],
            "scrollbar-background": ground,
            "scrollbar-hover": bars[1],
            "scrollbar-active": accent,
            "input-selection-background": f"{accent} 30%",
            "block-cursor-background": chosen,
            "block-cursor-foreground": on_chosen,
            "block-cursor-blurred-background": left,
            "block-cursor-blurred-foreground": on_chosen,
            **more,
        },
    )


DARK = _theme(
    "dark",
    dark=True,
    text="#d3d7de",
    ground="#14171c",
    surface="#1a1e25",
    panel="#232832",
    quiet="#8a929e",
    rule="#232832",
    primary="#7aa2c8",
    accent="#e0a458",
    good="#8fb573",
    doubtful="#d9b45b",
    bad="#e06c75",
    bars=("#2a303b", "#3a4250"),
    cursor=("#3b3226", "#f0d9b8"),
    left="#2e2a24",
)

LIGHT = _theme(
    "light",
    dark=False,
    text="#22272e",
    ground="#fbfaf7",
    surface="#f3f1ec",
    panel="#e8e5de",
    quiet="#5f6670",
    rule="#d8d4cb",
    primary="#2f5f8a",
    accent="#8a5200",
    good="#3f7a2a",
    doubtful="#8a6200",
    bad="#b3261e",
    bars=("#d8d4cb", "#c5c0b5"),
    cursor=("#efe0c6", "#4a2c00"),
    left="#efe6d6",
    **{"foreground-muted": "#5f6670"},
)

CONTRAST = _theme(
    "contrast",
    dark=True,
    text="#ffffff",
    ground="#000000",
    surface="#000000",
    panel="#303030",
    quiet="#ffffff",
    rule="#909090",
    primary="#9fd4ff",
    accent="#ffd75f",
    good="#8fff8f",
    doubtful="#ffd75f",
    bad="#ffa0a0",
    bars=("#b0b0b0", "#ffffff"),
    cursor=("#ffd75f", "#000000"),
    left="#b0b0b0",
    **{
        "foreground-muted": "#dcdcdc",
        "foreground-disabled": "#b0b0b0",
        "text-muted": "#dcdcdc",
        "text-disabled": "#b0b0b0",
    },
)

_OWN = "ansi_default"

ANSI = Theme(
    name="trailhound-ansi",
    ansi=True,
    dark=True,
    primary="ansi_cyan",
    secondary="ansi_cyan",
    accent="ansi_yellow",
    foreground=_OWN,
    background=_OWN,
    surface=_OWN,
    panel=_OWN,
    boost=_OWN,
    success="ansi_green",
    warning="ansi_yellow",
    error="ansi_red",
    variables={
        # Nothing is muted: a share of the terminal's own colour is that colour, its bright black
        # may be its ground.
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
            _OWN,
        ),
        "footer-key-foreground": "ansi_yellow",
        "block-cursor-text-style": "reverse",
        "block-cursor-blurred-text-style": "underline",
        "input-selection-background": "ansi_yellow",
        "input-selection-foreground": "ansi_black",
    },
)
"""The sixteen colours as the terminal has them, on its own ground."""

THEMES = {"dark": DARK, "light": LIGHT, "contrast": CONTRAST, "ansi": ANSI}
"""By the names that the configuration knows."""

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
"""Styles by severity word; ``""`` for a word that is not known."""
