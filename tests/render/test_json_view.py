"""The raw record: laid out true to its bytes, long strings cut."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.message import Message
from textual.pilot import Pilot

from tests.render.stage import drawn, perform, style_at
from tui.widgets.json_text import layout
from tui.widgets.json_view import JsonView

Messages = list[Message]

RECORD = (
    b'{"eventName":"DescribeInstances","n":1.50,"big":12345678901234567890123,'
    b'"ok":false,"none":null,"n":2,'
    b'"empty":[{},[]],"agent":"a\\u001b[31m\xe2\x80\xae\\"b\\\\"}'
)


def text_of(raw: bytes) -> list[str]:
    return ["".join(text for text, _ in line) for line in layout(raw)]


def test_layout_keeps_spelling_and_order() -> None:
    assert text_of(RECORD) == [
        "{",
        '  "eventName": "DescribeInstances",',
        '  "n": 1.50,',
        '  "big": 12345678901234567890123,',
        '  "ok": false,',
        '  "none": null,',
        '  "n": 2,',
        '  "empty": [',
        "    {},",
        "    []",
        "  ],",
        '  "agent": "a\\u001b[31m\\u202e\\"b\\\\"',
        "}",
    ]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8"), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(json_values)
def test_layout_makes_every_line_visible(value: object) -> None:
    assert all(
        line.isprintable() for line in text_of(json.dumps(value, ensure_ascii=False).encode())
    )


@given(json_values)
def test_layout_reads_back_as_same_value(value: object) -> None:
    ascii_only = json.loads(json.dumps(value).encode("ascii", "replace").replace(b"\\u", b"/u"))
    assert json.loads("\n".join(text_of(json.dumps(ascii_only).encode()))) == ascii_only


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", "not JSON"),
        (b"\xff\x00\x1b nonsense", "not JSON"),
        (b'{"a":', "not JSON"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deep"),
    ],
)
def test_layout_shows_other_text_as_it_is(raw: bytes, why: str) -> None:
    lines = text_of(raw)
    assert lines[0].startswith(why)
    assert all(line.isprintable() for line in lines) and sum(map(len, lines)) < 100_000


def test_view_cuts_strings_and_wraps_lines() -> None:
    async def act(view: JsonView, pilot: Pilot[None], messages: Messages) -> None:
        view.show(
            json.dumps(
                {"userAgent": "A" * 250_000, "wide": "日本語" * 20}, ensure_ascii=False
            ).encode()
        )
        shown = drawn(view)
        assert shown[:2] == ["{", '  "userAgent": "' + "A" * 43]
        assert shown[2] == " " * 6 + "A" * 53
        note = next(index for index, line in enumerate(shown) if "250,000 characters" in line)
        assert sum(line.count("A") for line in shown[1 : note + 1]) == 1_000 + 1
        assert "".join(shown[note + 1 :]).replace(" ", "") == '"wide":"' + "日本語" * 20 + '"}'
        assert all(view.render_line(y).cell_length == view.cells for y in range(view.size.height))
        assert style_at(view, note, "250,000").italic

    perform(JsonView, act, (60, 30))


def test_keys_scroll_and_new_record_starts_at_top() -> None:
    async def act(view: JsonView, pilot: Pilot[None], messages: Messages) -> None:
        many = json.dumps(list(range(100))).encode()
        view.show(many)
        for key, first in (
            ("j", "  0,"), ("k", "["), ("ctrl+d", "  4,"),
            ("pagedown", "  14,"), ("pageup", "  4,"), ("ctrl+u", "["),
        ):  # fmt: skip
            await pilot.press(key)
            assert drawn(view)[0].startswith(first), key
        await pilot.press("G")
        assert drawn(view)[-1] == "]"
        view.show(RECORD)
        assert drawn(view)[0] == "{"
        view.show(None, "The file is gone: \x1b[31m/logs/x.json.gz")
        assert drawn(view)[0] == r"The file is gone: \x1b[31m/logs/x.json.gz"
        assert view.raw_text == ""

    perform(JsonView, act, (60, 10))


def test_raw_text_escapes_bytes_outside_utf8() -> None:
    async def act(view: JsonView, pilot: Pilot[None], messages: Messages) -> None:
        view.show(b'{"a":"\xff"}')
        assert view.raw_text == '{"a":"\\xff"}'

    perform(JsonView, act)
