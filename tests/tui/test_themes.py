"""The themes: readable, no meaning by color alone, chosen and configured."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from textual.color import Color
from textual.pilot import Pilot

from detector.detection.alert import STATUSES
from tests.commandline.cli import Cli
from tests.hostile.payloads import screen_text
from tests.tui.build import alert
from tests.tui.stage import Hunt, press, said
from tui.app.app import HuntApp
from tui.presentation import format, theme
from tui.presentation.theme import LABELS, SEVERITY_STYLE, THEMES
from tui.screens.alerts.columns import note_cell
from tui.settings import config, theme_choice
from tui.widgets.status import _STATES, live_items


def test_configuration_knows_every_theme() -> None:
    assert tuple(THEMES) == tuple(LABELS) == config.THEME_NAMES


def luminance(color: Color) -> float:
    """Relative luminance (WCAG 2.1)."""
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in color.normalized
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Color, other: Color) -> float:
    darker, lighter = sorted(map(luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


GROUNDS = {
    "background": ("background", 1.0),
    "surface": ("surface", 1.0),
    "panel": ("panel", 1.0),
    "cursor row": ("accent", 0.14),
    "cursor row without focus": ("foreground", 0.06),
    "scrolled area": ("foreground", 0.04),
    "match of a search": ("warning", 0.14),
}
"""What text stands on: a colour of the theme, laid over the background with an opacity."""


@pytest.mark.parametrize("ground", GROUNDS)
@pytest.mark.parametrize(("name", "least"), [("dark", 4.5), ("light", 4.5), ("contrast", 7)])
def test_text_contrasts_with_what_it_stands_on(name: str, least: float, ground: str) -> None:
    """At WCAG's level AA; AAA on the plain background where high contrast is asked for."""
    variables = colours(name)
    over, opacity = GROUNDS[ground]
    back = Color.parse(variables["background"])
    back += Color.parse(variables[over]).with_alpha(opacity)
    least = least if ground == "background" else 4.5
    for style in TEXTS:
        color = Color.parse(variables[style.split()[0].removeprefix("$")])
        assert contrast(back + color, back) >= least, style


@pytest.mark.parametrize("name", ["dark", "light", "contrast"])
def test_pairs_of_a_theme_contrast(name: str) -> None:
    """What is chosen has its own pair of colours; a scrollbar is no text, so 3 is enough."""
    variables = colours(name)
    for text, back, least in (
        ("block-cursor-foreground", "block-cursor-background", 4.5),
        ("block-cursor-blurred-foreground", "block-cursor-blurred-background", 4.5),
        ("background", "accent", 4.5),
        ("scrollbar", "scrollbar-background", 3),
        ("scrollbar-hover", "scrollbar-background", 3),
        ("scrollbar-active", "scrollbar-background", 3),
    ):
        pair = Color.parse(variables[text]), Color.parse(variables[back])
        assert contrast(*pair) >= least, text
    back = Color.parse(variables["background"])
    scrolled = back + Color.parse(variables["foreground"]).with_alpha(0.04)
    for bar in ("scrollbar", "scrollbar-hover", "scrollbar-active"):
        assert contrast(Color.parse(variables[bar]), scrolled) >= 3, bar
    for share in HEAT:
        glyph = back + Color.parse(variables["accent"]).with_alpha(share / 100)
        assert contrast(glyph, back) >= 3, share


HEAT = (70, 76, 84, 92)
"""How much of the accent the glyphs of the heat strip have, in percent."""

USED = re.compile(r'(?:\bcolor: |")(\$[a-z]+(?:-[a-z]+)*(?: \d+%)?)[;"\s]')
"""A colour of a theme, as styles and style sheets name it for text."""


def test_every_colour_of_text_is_measured() -> None:
    """Also of what will be written: a style that is in no test may be read by nobody."""
    root = Path(theme.__file__).parents[1]
    sources = [*root.rglob("*.py"), *root.rglob("*.tcss")]
    used = {found for path in sources for found in USED.findall(path.read_text("utf-8"))}
    measured = {*TEXTS, *(f"$accent {share}%" for share in HEAT)}
    assert used - measured - SHELL == {"$background", "$foreground-disabled", "$scrollbar"}
    assert {"$foreground-muted", "$text-warning", "$text-error", "$accent 70%"} <= used


SHELL = {"$at", "$cur", "$funcstack", "$path", "$words"}
"""Variables of the shells' completion. The three colours before are measured in pairs, but for the
empty part of a sparkline, which says nothing."""


def colours(name: str) -> dict[str, str]:
    """Return the colours of a theme by their names."""
    theme = THEMES[name]
    return {**theme.to_color_system().generate(), **theme.variables}


TEXTS = (
    *SEVERITY_STYLE.values(),
    "$foreground",
    "$foreground-muted",
    "$text-accent",
    "$text-success",
    "$text-warning",
    "$text-error",
    "$accent",
    "$footer-description-foreground",
    "$footer-key-foreground",
)


def states() -> Iterator[tuple[str, list[str]]]:
    """Yield what differs on screen, and how each value is written."""
    yield "severity", [format.severity_label(word) for word in SEVERITY_STYLE]
    yield "status", [note_cell(alert(status=status, settled=True)) for status in STATUSES]
    yield "settled", [note_cell(alert(settled=settled)) for settled in (True, False)]
    yield "suppressed", [note_cell(alert(suppressed_by=by)) for by in (None, "s")]
    yield "live", [live_items(state, None, 0)[0].plain for state in _STATES]


@pytest.mark.parametrize(
    ("name", "written"), list(states()), ids=lambda value: value if isinstance(value, str) else ""
)
def test_states_differ_in_text(name: str, written: list[str]) -> None:
    assert len(set(written)) == len(written)


def test_no_color_draws_no_color_and_keeps_meaning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With NO_COLOR no cell has a color.

    Cursor, front pane and severity are shown by letters.
    """
    monkeypatch.setenv("NO_COLOR", "1")

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        await press(pilot, "T")
        assert "unset it" in said(app)
        for keys in ([], ["j"], ["enter"], ["tab"]):
            await press(pilot, *keys)
            for row in app.screen._compositor.render_strips():
                for segment in row.apply_filter(app._filters[-1], Color(0, 0, 0)):
                    assert segment.style is None or {
                        segment.style.color and segment.style.color.name,
                        segment.style.bgcolor and segment.style.bgcolor.name,
                    } <= {None, "default"}
        assert "[fields]" in screen_text(app)

    Hunt(tmp_path).play(journey)


def test_theme_is_previewed_chosen_and_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        before = app.theme
        await press(pilot, "T", "j")
        assert app.theme == THEMES["light"].name, "the theme under the cursor is on"
        await press(pilot, "escape")
        assert app.theme == before
        assert theme_choice.startup_theme("truecolor") == "dark"
        await press(pilot, "T", "j", "j", "enter")
        assert app.theme == THEMES["contrast"].name
        assert "Theme saved" in said(app)

    Hunt(tmp_path).play(journey)
    assert theme_choice.startup_theme("truecolor") == "contrast"
    assert theme_choice.startup_theme("standard") == theme_choice.startup_theme(None) == "ansi", (
        "what the terminal cannot show"
    )
    theme_file = tmp_path / "state" / "trailhound" / "theme"
    assert theme_file.stat().st_mode & 0o777 == 0o600
    for broken in ("no such theme", "\x00"):
        theme_file.write_text(broken)
        assert theme_choice.startup_theme("256") == "dark"


def test_configured_theme_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "trailhound").mkdir()
    (tmp_path / "trailhound" / "config.toml").write_text('theme = "light"')
    assert (
        theme_choice.startup_theme("truecolor") == theme_choice.startup_theme("standard") == "light"
    )
    (tmp_path / "trailhound" / "config.toml").write_text('theme = "drak"')
    ran = cli("status")
    assert ran.status == 1
    assert "no theme 'drak', there are dark, light, contrast, ansi" in ran.err
