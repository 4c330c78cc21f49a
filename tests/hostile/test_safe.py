"""Log text does nothing to the screen, in any widget."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import unicodedata
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.text import Text
from textual.app import App, ComposeResult
from textual.content import Content
from textual.widget import Widget
from textual.widgets import Static

from detector.sources.accounting import Accounting
from tests.hostile.payloads import PAYLOADS, harm, screen_text
from tui.presentation import safe
from tui.widgets.areas_bar import AreasBar
from tui.widgets.charts.heat_strip import HeatStrip
from tui.widgets.charts.sparkline import TimeSparkline
from tui.widgets.columns import Column
from tui.widgets.json_view import JsonView
from tui.widgets.labelled_lines import LabelledLine, LabelledLines
from tui.widgets.row_list import RowList
from tui.widgets.status import AccountingLine
from tui.widgets.top_line import TopLine


def test_visible_keeps_plain_text() -> None:
    for plain in (
        "arn:aws:iam::111122223333:user/ci-deploy",
        "Zoë 日本語 роль",
        "C:\\x1b",
        "",
        "cafe\u0301",
    ):
        assert safe.visible(plain) == plain


def test_visible_spells_out_invisible_characters() -> None:
    assert safe.visible("\x1b[31m\x9b") == r"\x1b[31m\x9b"
    assert safe.visible("a\u202eb\u200bc\ud800") == r"a\u202eb\u200bc\ud800"
    assert safe.visible("\U000e0061\ufe0f\u3164\u00a0") == r"\U000e0061\ufe0f\u3164\xa0"
    assert safe.visible("one\ntwo\tthree") == r"one\ntwo\tthree"


def test_visible_limits_combining_marks() -> None:
    assert safe.visible("e\u0301\u0302\u0303") == "e\u0301\u0302\u0303"
    assert safe.visible("e" + "\u0301" * 5) == "e" + "\u0301" * 3 + r"\u0301\u0301"
    assert safe.visible("\u0301x") == r"\u0301x"


def test_visible_keeps_lines_on_request() -> None:
    assert safe.visible("one\r\ntwo\n\x1bthree\r", lines=True) == "one\ntwo\n\\x1bthree\\r"


def test_visible_truncates_long_text() -> None:
    assert safe.visible("A" * 250_000, 10) == "A" * 10 + "…(+249,990 characters)"


@given(st.text(st.characters(codec=None)))
def test_visible_yields_visible_characters_only(text: str) -> None:
    shown = safe.visible(text)
    assert shown.isprintable()
    assert not any(0xD800 <= ord(character) <= 0xDFFF for character in shown)
    assert not shown or unicodedata.category(shown[0]) not in ("Mn", "Me")
    assert safe.visible(shown) == shown


@given(st.text(max_size=60), st.integers(min_value=0, max_value=40))
def test_clip_fits_its_cells(text: str, cells: int) -> None:
    shown = safe.visible(text)
    clipped = safe.clip(shown, cells)
    assert cell_len(clipped) <= cells
    assert clipped == shown if cell_len(shown) <= cells else clipped.endswith("…") or not cells


def test_clip_counts_wide_characters_twice() -> None:
    assert safe.clip("日本語語", 8) == "日本語語"
    assert safe.clip("日本語語", 7) == "日本語…"
    assert [safe.clip("abc", cells) for cells in (3, 2, 1, 0)] == ["abc", "a…", "…", ""]


def test_content_has_the_style_that_is_given() -> None:
    assert safe.text("[b]\x1b").plain == r"[b]\x1b"
    assert safe.text("x", "bold").spans == Content.styled("x", "bold").spans != []
    assert safe.text("x").spans == Content.styled("x", "").spans
    assert safe.text("a\nb", lines=True).plain == "a\nb"
    assert safe.text("a\nb").plain == r"a\nb"
    assert safe.text("abcd", limit=2).plain == "ab…(+2 characters)"
    assert safe.title("a" * 60).plain == "a" * 60
    assert safe.title("[b]" + "a" * 60).plain == "[b]" + "a" * 56 + "…"
    assert safe.title("abc", 2).plain == "a…"


def test_notification_is_visible_text() -> None:
    told: list[tuple[str, dict[str, object]]] = []

    class Told:
        def notify(self, message: str, **options: object) -> None:
            told.append((message, options))

    safe.notify(cast(App[None], Told()), "[b]\n\x1b", title="\x1b" + "a" * 70)
    safe.notify(cast(App[None], Told()), "a" * 401, severity="error", timeout=3)
    plain = {"severity": "information", "timeout": None, "markup": False}
    assert told == [
        ("[b]\n\\x1b", {**plain, "title": r"\x1b" + "a" * 55 + "…"}),
        ("a" * 400 + "…(+1 characters)", {**plain, "title": "", "severity": "error", "timeout": 3}),
    ]


def test_safe_needs_no_textual() -> None:
    program = (
        "import sys, tui.presentation.safe; tui.presentation.safe.visible('\\x1b'); "
        "print([m for m in sys.modules if 'textual' in m])"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        ).stdout
        == "[]\n"
    )


class Everything(App[None]):
    """Every widget, with a payload wherever text goes in."""

    CSS = (
        "HeatStrip { height: 4; } RowList { height: 9; } JsonView { height: 1fr; } "
        "Static { height: auto; }"
    )

    payload = ""
    bells = 0

    def compose(self) -> ComposeResult:
        yield TopLine()
        yield TimeSparkline()
        yield LabelledLines(("why", "new"))
        yield AreasBar()
        yield HeatStrip()
        yield RowList[str](
            [
                Column("text", "text", 70, lambda row: self.payload),
                Column("rich", "rich", 50, lambda row: Text(self.payload, "bold")),
                Column(
                    "content",
                    "content",
                    50,
                    lambda row: Content.styled(self.payload, "$accent"),
                    "right",
                ),
            ],
            key=str,
        )
        yield RowList[str]([Column("x", "x", 3, str)], key=str, id="nothing")
        yield Static(id="text")
        yield JsonView()
        yield AccountingLine()

    def feed(self, payload: str) -> None:
        self.payload = payload
        self.query_one(TopLine).show(payload[:40], safe.text(payload), payload)
        self.query_one(TimeSparkline).load([1.0], 0, 10, payload)
        self.query_one(LabelledLines).show(LabelledLine("why", payload, payload[:9]))
        self.query_one(AreasBar).show((), "", [safe.text(payload)])
        self.query_one(HeatStrip).load([payload], [(payload, 3)], 0, 30, {payload})
        self.query_one(RowList).show(["a", "b"])
        self.query_one("#nothing", RowList).empty = payload
        self.query_one(JsonView).show(
            json.dumps({payload[:300]: payload, "again": [payload]}).encode()
        )
        self.query_one(AccountingLine).show(
            Accounting(files_read=1, files_quarantined={payload: 1})
        )
        text = self.query_one("#text", Static)
        text.update(safe.text(payload, "bold", lines=True, limit=100))
        text.border_title = safe.title(payload)
        text.tooltip = safe.title(payload)
        safe.notify(self, payload, title=payload, timeout=0.1)

    def bell(self) -> None:
        self.bells += 1


def test_widgets_show_payloads_harmlessly() -> None:
    async def drive() -> None:
        app = Everything()
        async with app.run_test(size=(200, 60), notifications=True, tooltips=True) as pilot:
            for name, payload in PAYLOADS.items():
                app.feed(payload)
                await pilot.pause()
                assert harm(app) == [], name
                shown = screen_text(app)
                assert safe.visible(payload)[:30] in shown, name
                assert safe.visible(json.dumps(payload, ensure_ascii=False))[1:20] in shown, name
                await pilot.click(RowList, offset=(6, 1))
                assert app.bells == 0, name

    asyncio.run(drive())


@pytest.mark.parametrize(
    "widget", [HeatStrip, RowList, JsonView, TopLine, LabelledLines, TimeSparkline]
)
@pytest.mark.parametrize("name", ["action", "closing-tag", "hyperlink"])
def test_keys_and_clicks_trigger_nothing(name: str, widget: type[Widget]) -> None:
    async def drive() -> None:
        app = Everything()
        async with app.run_test(size=(200, 60)) as pilot:
            app.feed(PAYLOADS[name])
            await pilot.pause()
            for x in (2, 6, 10):
                await pilot.click(widget, offset=(x, widget is RowList or widget is HeatStrip))
            await pilot.press("j", "enter", "space")
            assert harm(app) == []
            assert app.bells == 0

    asyncio.run(drive())


def test_copied_evidence_is_byte_true() -> None:
    raw = json.dumps({"userAgent": "\x1b[31m" * 60_000, "x": "\u202e"}, ensure_ascii=False).encode()

    async def drive() -> None:
        app = Everything()
        async with app.run_test():
            view = app.query_one(JsonView)
            view.show(raw)
            assert view.raw_text.encode() == raw

    asyncio.run(drive())
