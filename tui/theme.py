"""The look: a quiet ground, one accent, severity colours that only repeat what glyph and word say."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="trailhound-dark",
    dark=True,
    primary="#7aa2c8",
    secondary="#7aa2c8",
    accent="#e0a458",
    foreground="#d3d7de",
    background="#14171c",
    surface="#1a1e25",
    panel="#232832",
    success="#8fb573",
    warning="#d9b45b",
    error="#e06c75",
    variables={
        "footer-background": "#14171c",
        "footer-item-background": "#14171c",
        "footer-key-background": "#14171c",
        "footer-key-foreground": "#e0a458",
        "footer-description-background": "#14171c",
        "footer-description-foreground": "#8a929e",
        "border-blurred": "#232832",
        "scrollbar": "#2a303b",
        "scrollbar-background": "#14171c",
        "scrollbar-hover": "#3a4250",
        "scrollbar-active": "#e0a458",
        "input-selection-background": "#e0a458 30%",
        "block-cursor-background": "#3b3226",
        "block-cursor-foreground": "#f0d9b8",
        "block-cursor-blurred-background": "#2e2a24",
        "block-cursor-blurred-foreground": "#f0d9b8",
    },
)

LIGHT = Theme(
    name="trailhound-light",
    dark=False,
    primary="#2f5f8a",
    secondary="#2f5f8a",
    accent="#9a5b00",
    foreground="#22272e",
    background="#fbfaf7",
    surface="#f3f1ec",
    panel="#e8e5de",
    success="#3f7a2a",
    warning="#8a6200",
    error="#b3261e",
    variables={
        "footer-background": "#fbfaf7",
        "footer-item-background": "#fbfaf7",
        "footer-key-background": "#fbfaf7",
        "footer-key-foreground": "#9a5b00",
        "footer-description-background": "#fbfaf7",
        "footer-description-foreground": "#666d77",
        "border-blurred": "#e8e5de",
        "scrollbar": "#d8d4cb",
        "scrollbar-background": "#fbfaf7",
        "scrollbar-hover": "#c5c0b5",
        "scrollbar-active": "#9a5b00",
        "input-selection-background": "#9a5b00 25%",
        "block-cursor-background": "#efe0c6",
        "block-cursor-foreground": "#4a2c00",
        "block-cursor-blurred-background": "#efe6d6",
        "block-cursor-blurred-foreground": "#4a2c00",
    },
)

SEVERITY_STYLE = {
    "critical": "$text-error bold", "high": "$text-error", "medium": "$text-warning", "low": "$foreground-muted",
}
"""Styles by severity word; ``""`` for a word that is not known."""
