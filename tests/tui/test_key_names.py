"""Every text that names a key names the key in use, also when remapped."""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from textual.pilot import Pilot

import tui
from detector.investigation.pivot import Progress
from tests.detector.trail import write
from tests.hostile.payloads import screen_text
from tests.tui.stage import FLAGS, RULES, Hunt, aftermath, press, records, said, until
from tests.tui.test_goldens import JOURNEYS, SCREENS
from tui import keymap
from tui.app.app import HuntApp
from tui.app.key_remap import Keymap, parse_keymap
from tui.app.screen_registry import every_binding
from tui.app.welcome_app import WelcomeApp
from tui.keymap import display
from tui.screens.pivot.rows import progress_line

OTHER_CALLS = {
    "escape": "f10",
    "enter": "f3",
    "space": "f4",
    "z": "f5",
    "n": "f8",
    "x": "dollar_sign",
    "c": "number_sign",
    "exclamation_mark": "0",
    "f": "f12",
    "v": "Y",
    "slash": "circumflex_accent",
    "R": "M",
    "o": "Q",
    "H": "U",
    "P": "X",
    "greater_than_sign": "f11",
    "less_than_sign": "B",
    "right_curly_bracket": "percent_sign",
    "y": "ampersand",
}
"""What is pressed in info of these keys, by whatever they do."""

SHOWN = {display(usual): display(other) for usual, other in OTHER_CALLS.items()}


def other_keys() -> Keymap:
    usual = {id: binding.key.split(",") for id, binding in every_binding().items()}
    return parse_keymap(
        {
            id: [OTHER_CALLS.get(name, name) for name in names]
            for id, names in usual.items()
            if not OTHER_CALLS.keys().isdisjoint(names)
        }
    )


@pytest.fixture
def hunt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hunt:
    """Beside the trail of the stage, what a sweep was followed by, and a file that cannot be
    read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))  # a way saves a view
    monkeypatch.setattr("tui.screens.base.store_list._REST", 0)
    write(tmp_path, "trail/cut.json", b'{"Records": [')
    return Hunt(tmp_path, [*records(), *aftermath()], rules=(RULES, FLAGS))


SUPPRESSED = [*SCREENS["suppress-form"], "ctrl+s"]

NAMED: dict[str, tuple[Sequence[str], str]] = {
    "a search": (["slash", "'ben", "enter"], "‹n› next · ‹esc› ends"),
    "no search": (["n"], "No active search: ‹/› starts a search"),
    "a filter": (["f", "'cat", "enter"], "‹esc› clears"),
    "a filter that lets nothing through": (["f", "'nobody", "enter"], "‹esc› clears the filter."),
    "a decision": (["a"], "‹z› undoes"),
    "a suppression": (SUPPRESSED, "‹H› shows the alerts, ‹z› undoes"),
    "what is hidden": (SUPPRESSED, "1 suppressed · ‹H› shows them"),
    "nothing left": (["asterisk", "d"], "‹H› shows them."),
    "folds": (["O"], "‹o› expands a row"),
    "a pause": (["P"], "‹P› goes on"),
    "no notes": (["enter", "tab", "tab", "tab", "tab", "tab"], "‹c› adds one, ‹!› escalates it."),
    "the guide": (["enter", "tab", "tab", "tab"], "‹enter› shows the calls behind it"),
    "a hunt log without notes": (["4"], "‹c› on an alert adds one, ‹!› escalates;"),
    "no suppressions": (["5"], "‹x› on an alert hides similar alerts"),
    "a file in quarantine": (["6", "j"], "‹R› retries it with the next rescan; ‹x› ignores it"),
    "a rule that is off": (["7", "x"], "disabled; ‹x› enables it"),
    "a question": (["c", "'no", "escape"], "‹y› discard   ‹n› go back"),
    "views": (["v", "w"], "to save: ‹f› adds one"),
    "a saved view": (["f", "'cat", "enter", "v", "w", "'cats", "ctrl+s"], "Saved: ‹v› offers cats"),
    "a calendar": (["D", "l", "enter"], "No sweep here: ‹}› goes to the next one"),
    "a pivot": (
        ["p", *["less_than_sign"] * 4, "f", "'nobody", "enter"],
        "‹esc› clears the filter.",
    ),
    "a command": (["vertical_line", "'sleep 60", "ctrl+s"], "Running … ‹esc› stops it."),
    "a screen of lists": (["question_mark"], "‹space›"),
}
"""Ways, by the usual keys, to a text that names keys; those are in ‹ ›."""


NO_KEYS = re.compile(r"[◆▲●○] +\d+ \w+|\d !|! unusual")
"""A severity that a dialog cuts to a letter, and the mark of an unusual region."""


def walk(hunt: Hunt, stops: Iterable[tuple[str, Sequence[str], str]]) -> None:
    """Go from stop to stop by the other keys.

    At each, by its name and the usual keys, something is said, and no key that does nothing any
    more."""
    ways = list(stops)

    async def journey(app: HuntApp, pilot: Pilot[None]) -> None:
        def shown() -> str:
            return f"{screen_text(app)}\n{said(app)}"

        for name, keys, wanted in ways:
            await press(pilot, *(OTHER_CALLS.get(key, key) for key in keys))
            saying = re.sub("‹(.+?)›", lambda usual: SHOWN[usual[1]], wanted)
            await until(pilot, lambda saying=saying: saying in shown())
            words = {word.strip(",;.:()") for word in NO_KEYS.sub("", shown()).split()}
            assert name in LETTERS or words & SHOWN.keys() == set(), shown()

    hunt.play(
        journey,
        size=(160, 50),
        keys=other_keys(),
        by_clock=any("colon" in keys for _, keys, _ in ways),
    )


LETTERS = {"copy-menu", "alert-raw"}
"""Screens with letters and braces of their own."""


@pytest.mark.parametrize("screens", JOURNEYS, ids=" ".join)
def test_screens_name_rebound_keys(screens: dict[str, Sequence[str]], hunt: Hunt) -> None:
    walk(hunt, [(name, keys, "") for name, keys in screens.items()])


@pytest.mark.parametrize("name", NAMED)
def test_texts_name_rebound_keys(name: str, hunt: Hunt) -> None:
    walk(hunt, [(name, *NAMED[name])])


def test_welcome_screen_uses_rebound_keys() -> None:
    app = WelcomeApp([Path("/nowhere")], parse_keymap({"welcome.demo": "x", "list.down": "B"}))

    async def drive() -> None:
        async with app.run_test() as pilot:
            await until(pilot, lambda: "No trail" in screen_text(app))
            assert "x demo" in screen_text(app)
            await press(pilot, "d")
            assert app.is_running
            await press(pilot, "x")

    asyncio.run(drive())
    assert app.return_value == "demo"


@pytest.mark.parametrize(
    ("state", "words"), [("reading", "‹esc› stops"), ("stopped", "‹<› and ‹>› read again")]
)
def test_pivot_progress_names_rebound_keys(
    state: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keymap, "_rebound_keys", other_keys())
    line = progress_line(Progress(1, 2, 10, 20), 3, state, 80).plain
    assert re.sub("‹(.+?)›", lambda usual: SHOWN[usual[1]], words) in line


def named() -> Iterator[str]:
    """The bindings whose keys a text names, by the source."""
    for path in Path(tui.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "key_of"
            ):
                constants = (
                    part.value for part in ast.walk(node) if isinstance(part, ast.Constant)
                )
                yield from filter(None, constants)  # ``binding.id or ""`` names none by itself


def test_texts_name_existing_bindings() -> None:
    names = set(named())
    whole = {id for id in names if not id.endswith(".")}  # the name of an area may follow
    assert whole <= every_binding().keys()
    assert len(names) > 20
