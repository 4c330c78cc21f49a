"""Columns are put in order, numbered and known alike in native code and without it."""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.formats.native import columns
from detector.formats.native.columns import (
    IDENTITY,
    MarkTable,
    NumberedRows,
    RowOrder,
    gather,
    identities_in,
    narrowed,
    number_array,
    renumber,
)

identities = st.one_of(
    st.binary(min_size=IDENTITY, max_size=IDENTITY),
    st.integers(0, 3).map(lambda number: bytes(8) + bytes([number]) * 8),
    st.integers(0, 40).map(lambda number: number.to_bytes(IDENTITY, "little")),
)
rows = st.lists(st.tuples(st.sampled_from([-5, 0, 7, 1 << 40]), identities), max_size=60)


def in_both_ways() -> Iterator[Any]:
    """Run once natively, where that was built, and once without."""
    yield None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "LIBRARY", None)
        yield None


@given(rows)
def test_rows_are_in_order_of_time_and_identity(content: list[tuple[int, bytes]]) -> None:
    ordered = sorted(enumerate(content), key=lambda item: item[1])
    numbers = [number for number, _ in ordered]
    times, names = array("q", [time for time, _ in content]), [name for _, name in content]
    for _ in in_both_ways():
        order = RowOrder.by_time(times, b"".join(names))
        assert order.column(times).tolist() == [time for _, (time, _) in ordered]
        assert identities_in(order.identities(b"".join(names))) == [
            name for _, (_, name) in ordered
        ]
        for code in "iq":
            assert order.column(array(code, range(len(content)))) == array(code, numbers)


@given(st.lists(st.integers(-(1 << 31), (1 << 31) - 1)))
def test_number_array_has_the_numbers(numbers: list[int]) -> None:
    assert number_array("i", numbers) == array("i", numbers)
    assert number_array("q", array("q", numbers)) == array("q", numbers)


def test_number_array_refuses_a_number_that_does_not_fit() -> None:
    with pytest.raises(struct.error):
        number_array("B", [256])


@given(st.lists(st.integers(0, 5), max_size=40))
def test_parts_are_numbered_by_the_first_row_of_each(parts: list[int]) -> None:
    expected = list(dict.fromkeys(parts))
    for _ in in_both_ways():
        used, numbers = renumber(array("i", parts), 6)
        assert (list(used), list(numbers)) == (expected, list(map(expected.index, parts)))


@given(st.lists(st.lists(st.integers(0, 99), max_size=4), min_size=1), st.data())
def test_rows_are_chosen_by_their_numbers(rows: list[list[int]], data: st.DataObject) -> None:
    numbers = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=9))
    wanted = [rows[number] for number in numbers]
    for _ in in_both_ways():
        table = NumberedRows(rows)
        widths, items = table.chosen(array("i", numbers))
        assert list(widths) == list(map(len, wanted))
        assert list(items) == list(chain.from_iterable(wanted))
        column = array("q", map(len, rows))
        assert list(gather(column, array("i", numbers))) == list(map(len, wanted))
        assert len(table) == len(rows)


@given(st.sampled_from("iq"), st.lists(st.integers(0, (1 << 31) - 1)), st.integers(0, 31))
def test_numbers_have_the_narrowest_items(code: str, numbers: list[int], shift: int) -> None:
    column = array(code, [number >> shift for number in numbers])
    highest = max(column, default=0)
    wanted = "B" if highest < 1 << 8 else "H" if highest < 1 << 16 else "I"
    for _ in in_both_ways():
        assert narrowed(column) == array(wanted, column)
        assert narrowed(column).typecode == wanted


@pytest.mark.parametrize("highest", [(1 << 8) - 1, 1 << 8, (1 << 32) - 1, 1 << 32, (1 << 63) - 1])
def test_wide_numbers_are_all_there(highest: int) -> None:
    for _ in in_both_ways():
        assert narrowed(array("q", [0, highest, 1])).tolist() == [0, highest, 1]


@given(st.lists(identities, max_size=12), st.lists(identities, max_size=12), st.integers(0))
def test_marks_are_found_that_were_added(
    added: list[bytes], others: list[bytes], factor: int
) -> None:
    """Also where all have one place, as an even factor makes it; all at the same places."""
    marks = set(map(mark_of, added))
    tables = []
    for _ in in_both_ways():
        table = MarkTable.of_size(4, factor % (1 << 64))
        assert table.add(b"".join(added)) == len(marks)
        assert table.add(b"".join(added)) == 0
        copy = MarkTable.of_size(5, 3)
        copy.add_marks_of(table)
        for each in (table, copy):
            found = each.find(b"".join(others))
            known = [n for n, name in enumerate(others) if mark_of(name) in marks]
            assert list(found) == known
        tables.append((table, copy))
    assert tables[0] == tables[1]


def mark_of(name: bytes) -> int:
    """Return the mark of a name, in which 1 stands for 0."""
    return int.from_bytes(name[:8], sys.byteorder) or 1
