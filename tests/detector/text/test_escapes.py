"""Escapes of untrusted text, by example and at their bounds."""

from __future__ import annotations

import pytest

from detector.text.markdown import WHOLE, code, codes, plain
from detector.text.spreadsheet import csv_text, safe_cell
from detector.text.visible import masked, visible

LONG = "é" * 5_000
"""Longer than what a screen shows of one text."""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("aws\u3164", r"aws\u3164"),  # printable to Unicode, and unseen
        ("\u2800", r"\u2800"),
        ("\u0301", r"\u0301"),
        ("o\u20dd\u20dd\u20dd", "o\u20dd\u20dd\u20dd"),
        ("o\u20dd\u20dd\u20dd\u20dd", "o\u20dd\u20dd\u20dd" + r"\u20dd"),  # marks that enclose
        ("\u20ddo", r"\u20ddo"),
        ("e\u0301\u0301\u0301\u0301é\u0301", "e\u0301\u0301\u0301" + r"\u0301" + "é\u0301"),
    ],
)
def test_unseen_character_is_escaped(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize("letter", ["a", "é", "\x1b"])
def test_text_is_cut_over_the_limit_only(letter: str) -> None:
    escaped = visible(letter)
    assert visible(letter * 9, 10) == escaped * 9
    assert visible(letter * 10, 10) == escaped * 10
    assert visible(letter * 11, 10) == escaped * 10 + "…(+1 characters)"


def test_mask_keeps_the_cells() -> None:
    assert masked("a\x1b[b\u3164") == "a\ufffd[b\ufffd"


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("", ""),
        ("a", "`a`"),
        ("ab", "`ab`"),
        ("a|b", r"`a\|b`"),
        ("a`b", "``a`b``"),
        ("a``b`c", "```a``b`c```"),
        ("`a", "`` `a ``"),
        ("a`", "`` a` ``"),
        (" a", "`  a `"),
        ("a ", "` a  `"),
        ("XaX", "`XaX`"),
        ("a `", "`` a ` ``"),
        ("\x1b", r"`\x1b`"),
    ],
)
def test_code_span(text: str, span: str) -> None:
    assert code(text) == span
    assert codes([text, "b"]) == f"{span}, `b`"


def test_exports_have_texts_whole() -> None:
    assert code(LONG) == f"`{LONG}`"
    assert plain(LONG) == LONG
    assert safe_cell(LONG) == LONG
    assert code("é" * (WHOLE + 1)).endswith("…(+1 characters)`")


def test_plain_text_has_no_markup() -> None:
    assert plain("*a* [b](http://c) www.d") == r"\*a\* \[b\](http:\//c) www\.d"


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1", "'=1"),
        ("\uff1d1", "'\uff1d1"),
        ("a;=1", "a;'=1"),
        ("a, @b", "a, '@b"),
        ("a=1", "a=1"),
        (["a", "=1"], "a; '=1"),
        (3, "3"),
        (-3, "'-3"),
    ],
)
def test_no_formula_begins_in_a_cell(value: object, cell: str) -> None:
    assert safe_cell(value) == cell


def test_table_has_a_line_of_names() -> None:
    assert csv_text(["a", "b"], [["=1", 2], ['"', None]]) == ('a,b\r\n\'=1,2\r\n"""",None\r\n')
