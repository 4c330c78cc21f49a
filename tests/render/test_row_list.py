"""The row list: its drawing, and the cursor that keeps its row."""

from __future__ import annotations

import random
import re
import threading
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from textual.content import Content
from textual.message import Message
from textual.pilot import Pilot

from tests.render.stage import drawn, perform, style_at
from tui.widgets.columns import Column
from tui.widgets.row_list import RowList


@dataclass(frozen=True)
class Row:
    name: str
    calls: int = 1
    severity: str = "low"


GLYPHS = {"low": ("· low", "$foreground-muted"), "high": ("▲ high", "$text-error bold")}

COLUMNS = [
    Column[Row](
        "severity", "sev", 6, lambda row: Content.styled(*GLYPHS[row.severity]), drop_priority=0
    ),
    Column[Row]("name", "principal", 12, lambda row: row.name, drop_priority=1, flex=True),
    Column[Row]("calls", "calls", 6, lambda row: f"{row.calls:,}", "right", drop_priority=2),
    Column[Row]("agent", "agent", 9, lambda row: "aws-cli/2.17.32", drop_priority=3),
]

ROWS = [
    Row("user/ci-deploy", 34, "high"),
    Row("role/日本語/セッション", 1204),
    Row("x\x1b[31m[/]", 7),
]


def rows_list(**options: Any) -> RowList[Row]:
    return RowList(COLUMNS, key=lambda row: row.name, **options)


def numbers_list() -> RowList[int]:
    return RowList([Column[int]("n", "n", 6, str)], key=str)


List = RowList[Any]
Messages = list[Message]


def test_list_draws_titles_cursor_marks_and_cells() -> None:
    async def act(rows: List, pilot: Pilot[None], messages: Messages) -> None:
        rows.show(ROWS)
        rows.show_sort("calls", descending=True)
        await pilot.press("space")
        assert drawn(rows) == [
            "   sev     principal            calls↓  agent",
            " ✓ ▲ high  user/ci-deploy           34  aws-cli/…",
            "▌  · low   role/日本語/セッシ…   1,204  aws-cli/…",
            r"   · low   x\x1b[31m[/]              7  aws-cli/…",
            "",
        ]

    perform(rows_list, act, (50, 5))


def test_columns_drop_by_priority_and_flex_takes_spare() -> None:
    async def act(rows: List, pilot: Pilot[None], messages: Messages) -> None:
        rows.show(ROWS)
        await pilot.pause()
        for width, titles in (
            (60, "   sev     principal                       calls  agent"),
            (40, "   sev     principal              calls"),
            (28, "   sev     principal"),
            (12, "   sev"),
            (6, "   s…"),
        ):
            await pilot.resize_terminal(width, 5)
            await pilot.pause()
            assert drawn(rows)[0] == titles

    perform(rows_list, act, (60, 5))


def test_every_line_fills_width_with_background() -> None:
    async def act(rows: List, pilot: Pilot[None], messages: Messages) -> None:
        rows.show(ROWS)
        await pilot.pause()
        for y in range(rows.size.height):
            line = rows.render_line(y)
            assert line.cell_length == rows.cells
            assert all(segment.style and segment.style.bgcolor for segment in line)
        cursor, other = rows.render_line(1), rows.render_line(2)
        assert {segment.style.bgcolor for segment in cursor if segment.style} != {
            segment.style.bgcolor for segment in other if segment.style
        }
        assert len({segment.style.bgcolor for segment in cursor if segment.style}) == 1

    perform(rows_list, act, (60, 6))


def test_styles_combine_and_misspelt_style_is_ignored() -> None:
    async def act(rows: List, pilot: Pilot[None], messages: Messages) -> None:
        rows.show(ROWS)
        await pilot.pause()
        assert style_at(rows, 1, "high").bold
        assert style_at(rows, 3, "x").italic
        assert not style_at(rows, 2, "role").italic

    styles = {"x\x1b[31m[/]": "italic", "user/ci-deploy": "no-such-style"}
    perform(lambda: rows_list(row_style=lambda row: styles.get(row.name, "")), act, (60, 6))


def test_empty_list_shows_its_text() -> None:
    async def act(rows: List, pilot: Pilot[None], messages: Messages) -> None:
        await pilot.pause()
        assert drawn(rows)[1:] == ["", "   No alerts yet.", "   Files are being", "   read now."]
        rows.empty = "0 of 41 match\x1b"
        assert drawn(rows)[2:4] == ["   0 of 41", r"   match\x1b"]
        await pilot.press("j", "enter", "space")
        assert messages == []

    perform(lambda: rows_list(empty="No alerts yet.\nFiles are being read now."), act, (20, 5))


def test_theme_and_focus_repaint_list() -> None:
    async def act(rows: List, pilot: Pilot[None], messages: Messages) -> None:
        rows.show(ROWS)
        await pilot.pause()
        dark = style_at(rows, 2, "role").bgcolor
        focused = style_at(rows, 1, "▌").color
        rows.blur()
        await pilot.pause()
        assert style_at(rows, 1, "▌").color != focused
        pilot.app.theme = "textual-light"
        await pilot.pause()
        assert style_at(rows, 2, "role").bgcolor != dark

    perform(rows_list, act)


def test_only_rows_in_view_are_drawn() -> None:
    asked: set[int] = set()

    def cell(row: int) -> str:
        asked.add(row)
        return str(row)

    async def act(rows: List, pilot: Pilot[None], messages: Messages) -> None:
        rows.show(range(100_000))
        await pilot.pause()
        await pilot.press("G", "k")
        assert rows.cursor_row == 99_998
        assert drawn(rows)[-2:] == ["▌  99998", "   99999"]
        assert len(asked) <= 3 * rows.size.height

    perform(lambda: RowList([Column[int]("n", "n", 6, cell)], key=str), act)


# --- the cursor


@settings(max_examples=25, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(min_value=1, max_value=40))
def test_cursor_keeps_key_and_screen_line(chance: random.Random, count: int) -> None:
    async def act(rows: List, pilot: Pilot[None], messages: Messages) -> None:
        now, fresh = list(range(count)), count
        rows.show(now)
        for _ in range(30):
            for _ in range(chance.randrange(4)):
                rows.move_to(str(chance.choice(now)))
                rows.action_page(chance.choice([-0.5, 0.5, 1]))
            seen, key, line = rows.cursor_row, rows.cursor_key, (rows.cursor_index or 0) - rows.top
            change = chance.randrange(4)
            if change == 0:
                for _ in range(chance.randrange(1, 12)):
                    now.insert(chance.randrange(len(now) + 1), fresh)
                    fresh += 1
            elif change == 1:
                now = [row for row in now if chance.random() < 0.7] or now[:1]
            elif change == 2:
                chance.shuffle(now)
            else:
                now.sort(reverse=chance.random() < 0.5)
            rows.show(list(now))
            assert rows.keys == [str(row) for row in now]
            if seen in now:
                assert rows.cursor_key == key
                highest = max(0, len(now) - rows.page)
                assert rows.top == max(0, min(highest, now.index(seen) - line))
            assert rows.cursor_key is not None
            under = rows.render_line(1 + (rows.cursor_index or 0) - rows.top).text
            assert under.split() == ["▌", rows.cursor_key]

    perform(numbers_list, act, (20, 9))


def test_cursor_keeps_row_over_many_inserts() -> None:
    chance = random.Random(7)

    async def act(rows: List, pilot: Pilot[None], messages: Messages) -> None:
        now = list(range(50))
        rows.show(now)
        rows.move_to("25")
        rows.action_page(0.5)
        key, line = rows.cursor_key, (rows.cursor_index or 0) - rows.top
        for fresh in range(50, 1050):
            now.insert(chance.randrange(len(now) + 1), fresh)
            rows.show(list(now))
            assert (rows.cursor_key, (rows.cursor_index or 0) - rows.top) == (key, line)
        assert rows.render_line(1 + line).text.split() == ["▌", key]
        await pilot.pause()
        moves = [message for message in messages if isinstance(message, RowList.CursorMoved)]
        assert [message.key for message in moves][-1] == key, (
            "nobody was told that the cursor had gone elsewhere"
        )

    perform(numbers_list, act, (20, 9))


def test_rows_inserted_above_do_not_scroll() -> None:
    async def act(rows: List, pilot: Pilot[None], messages: Messages) -> None:
        rows.show(range(100, 200))
        await pilot.press("ctrl+d", "j", "j")
        before = drawn(rows)
        rows.show([*range(50), *range(100, 200), 300])
        assert drawn(rows) == before
        rows.show(range(90, 200))
        assert drawn(rows) == before

    perform(numbers_list, act)


def test_top_line_stays_when_cursor_is_out_of_view() -> None:
    async def act(rows: List, pilot: Pilot[None], messages: Messages) -> None:
        rows.show(range(100, 200))
        rows.scroll_top(50)
        before = drawn(rows)
        rows.show([*range(7), *range(100, 200)])
        assert drawn(rows) == before
        assert rows.cursor_key == "100"

    perform(numbers_list, act)


def test_cursor_of_removed_row_moves_to_nearest() -> None:
    async def act(rows: List, pilot: Pilot[None], messages: Messages) -> None:
        rows.show(list("abcdef"))
        rows.move_to("c")
        await pilot.pause()
        messages.clear()
        rows.show(list("abdef"))
        assert rows.cursor_key == "d"
        rows.show(list("abf"))
        assert rows.cursor_key == "b"
        rows.show([])
        assert rows.cursor_key is None and rows.cursor_row is None
        rows.show(["z"])
        await pilot.pause()
        moved = [
            (message.key, message.lost)
            for message in messages
            if isinstance(message, RowList.CursorMoved)
        ]
        assert moved == [("d", True), ("b", True), (None, True), ("z", False)]
        shown = [message.row for message in messages if isinstance(message, RowList.Highlighted)]
        assert shown == ["d", "b", None, "z"]

    perform(lambda: RowList([Column[str]("n", "n", 3, str)], key=str), act)


def test_changed_row_is_posted_and_redrawn() -> None:
    async def act(rows: List, pilot: Pilot[None], messages: Messages) -> None:
        rows.show([Row("a", 1), Row("b", 1)])
        await pilot.pause()
        messages.clear()
        changed = Row("a", 2)
        rows.show([changed, rows.rows[1]])
        await pilot.pause()
        assert [type(message) for message in messages] == [RowList.Highlighted]
        assert messages[0].row is changed  # type: ignore[attr-defined]
        assert "2" in drawn(rows)[1]

    perform(rows_list, act)


def test_follow_top_stays_on_first_row_until_moved() -> None:
    async def act(rows: List, pilot: Pilot[None], messages: Messages) -> None:
        rows.show(range(50, 100))
        await pilot.press("G")
        rows.follow_top = True
        assert rows.cursor_key == "50"
        rows.show(range(100))
        assert rows.cursor_key == "0" and rows.top == 0
        await pilot.press("j")
        assert not rows.follow_top
        rows.show([*range(200, 230), *range(100)])
        assert rows.cursor_key == "1"
        await pilot.pause()
        assert not any(
            message.lost for message in messages if isinstance(message, RowList.CursorMoved)
        )

    perform(numbers_list, act)


def test_keys_move_cursor() -> None:
    async def act(rows: List, pilot: Pilot[None], messages: Messages) -> None:
        rows.show(range(100))
        assert rows.page == 9
        for key, index in (
            ("j", 1), ("down", 2), ("k", 1), ("up", 0), ("k", 0), ("G", 99), ("j", 99), ("g", 0),
            ("end", 99),
            ("home", 0), ("ctrl+d", 4), ("ctrl+u", 0), ("pagedown", 9), ("pageup", 0),
        ):  # fmt: skip
            await pilot.press(key)
            assert rows.cursor_index == index, key
            assert rows.in_view(index)

    perform(numbers_list, act)


def test_mouse_selects_and_opens_row() -> None:
    async def act(rows: List, pilot: Pilot[None], messages: Messages) -> None:
        rows.show(range(5))
        await pilot.pause()
        await pilot.click(RowList, offset=(4, 3))
        assert rows.cursor_key == "2"
        assert not [message for message in messages if isinstance(message, RowList.Opened)]
        await pilot.click(RowList, offset=(4, 0))
        await pilot.click(RowList, offset=(4, 8))
        assert rows.cursor_key == "2"
        await pilot.double_click(RowList, offset=(4, 4))
        await pilot.press("enter")
        assert [message.row for message in messages if isinstance(message, RowList.Opened)] == [
            3,
            3,
        ]

    perform(numbers_list, act)


def test_list_filled_while_hidden_shows_its_top() -> None:
    async def act(rows: List, pilot: Pilot[None], messages: Messages) -> None:
        rows.display = False
        await pilot.pause()
        rows.show(range(6))
        rows.move_to("4")
        rows.display = True
        await pilot.pause()
        assert drawn(rows)[1:7] == ["   0", "   1", "   2", "   3", "▌  4", "   5"]

    perform(numbers_list, act)


# --- marks and search


def test_marks_are_limited_to_present_rows() -> None:
    async def act(rows: List, pilot: Pilot[None], messages: Messages) -> None:
        rows.show(range(5))
        await pilot.press("space", "space", "j", "space")
        assert rows.marks == {"0", "1", "3"}
        await pilot.press("g", "space")
        assert rows.marks == {"1", "3"}
        rows.show([3, 4])
        assert rows.marks == {"3"}
        rows.marks = rows.keys
        assert rows.marks == {"3", "4"}
        rows.marks = {"3", "no such row"}
        assert rows.marks == {"3"}
        await pilot.pause()
        changes = [
            message.marks for message in messages if isinstance(message, RowList.MarksChanged)
        ]
        assert changes[-3:] == [{"3"}, {"3", "4"}, {"3"}]

    perform(numbers_list, act)


def test_search_paints_matches_and_moves_between_them() -> None:
    async def act(rows: List, pilot: Pilot[None], messages: Messages) -> None:
        rows.show(
            [
                Row("user/alice"),
                Row("user/bob"),
                Row("role/alice"),
                Row("a-very-long-name-of-alice"),
            ]
        )
        rows.set_highlight(re.compile("alice"))
        await pilot.pause()
        assert style_at(rows, 1, "alice").underline
        assert not style_at(rows, 2, "user").underline
        assert style_at(rows, 4, "…").underline, "a hit beyond the cut shows at the cut"
        rows.next_match(here=True)
        await pilot.app.workers.wait_for_complete()
        assert rows.cursor_key == "user/alice"
        for go, key in (
            (rows.next_match, "role/alice"),
            (rows.next_match, "a-very-long-name-of-alice"),
            (rows.next_match, "user/alice"),
            (rows.previous_match, "a-very-long-name-of-alice"),
        ):
            go()
            await pilot.app.workers.wait_for_complete()
            assert rows.cursor_key == key
        rows.set_highlight(re.compile("nobody"))
        rows.next_match()
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert [type(message) for message in messages][-1] is RowList.NoMatch
        assert rows.cursor_key == "a-very-long-name-of-alice"

    perform(rows_list, act, (30, 10))


def test_long_search_runs_in_thread_reports_and_cancels() -> None:
    go_on, threads = threading.Event(), set[int]()

    def cell(row: int) -> str:
        if threading.get_ident() != loop:
            threads.add(threading.get_ident())
            go_on.wait(30)
        return str(row)

    async def act(rows: List, pilot: Pilot[None], messages: Messages) -> None:
        rows.show(range(3_000))
        rows.set_highlight(re.compile("2999"))
        rows.next_match()
        while not any(isinstance(message, RowList.Searching) for message in messages):
            await pilot.pause(0.05)
        await pilot.press("j")
        assert rows.cursor_key == "1", "keys are answered meanwhile"
        rows.set_highlight(None)
        go_on.set()
        await pilot.pause()
        assert rows.cursor_key == "1"
        assert [message.share for message in messages if isinstance(message, RowList.Searching)][
            -1
        ] is None
        assert not any(isinstance(message, RowList.NoMatch) for message in messages), (
            "it was not at its end"
        )
        rows.set_highlight(re.compile("2999"))
        rows.next_match()
        await pilot.app.workers.wait_for_complete()
        assert rows.cursor_key == "2999"
        assert threads

    loop = threading.get_ident()
    perform(lambda: RowList([Column[int]("n", "n", 6, cell)], key=str), act)


def test_search_matches_visible_text() -> None:
    async def act(rows: List, pilot: Pilot[None], messages: Messages) -> None:
        rows.show(ROWS)
        rows.set_highlight(re.compile(re.escape(r"\x1b")))
        rows.next_match()
        await pilot.app.workers.wait_for_complete()
        assert rows.cursor_key == "x\x1b[31m[/]"
        rows.set_highlight(re.compile("q*"))
        rows.next_match()
        await pilot.app.workers.wait_for_complete()
        await pilot.pause()
        assert isinstance(messages[-1], RowList.NoMatch), "an empty match is no hit"

    perform(rows_list, act)
