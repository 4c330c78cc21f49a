"""Tables in JSON that name their columns once, separately from the values.

They are recognized by their shape: a list of names that are a record's fields, and either rows of
the same length or as many columns of equal length (Athena's ``ResultSet``, BigQuery's ``rows``,
``columns`` and ``values`` of Elasticsearch, data frames, Grafana's frames).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from detector.cloudtrail.record import loads
from detector.formats.json_spans import split_elements, split_members
from detector.formats.record_shape import prefix_of_record
from detector.formats.time_forms import time_text
from detector.formats.values import squash

_DEPTH = 3
"""How deep the names or the rows may be nested in objects."""
_NAME_MEMBERS = ("name", "columnname", "label", "field", "id", "text", "title")
_COLUMNS_CAP = 1024
_NAME_CAP = 1024
"""The greatest size of a column's description in bytes."""
_LEAST_COLUMNS = 4


def rows_of_object(members: Mapping[str, bytes]) -> list[bytes]:
    """Return the rows of a table as objects; an empty list if the object is not a table."""
    with contextlib.suppress(ValueError, RecursionError):
        return _rows_by_column(members) or _rows_beside_names(members)
    return []


def _rows_beside_names(members: Mapping[str, bytes]) -> list[bytes]:
    """Return the rows of an object that lists the column names separately."""
    arrays = list(_arrays_in(members, _DEPTH))
    for index, array in enumerate(arrays):
        names = _names_of(array)
        if names is None:
            continue
        others = arrays[:index] + arrays[index + 1 :]
        for other in others:
            rows = _rows_under(names, split_elements(other))
            if rows:
                return rows
    return _first_of_header(arrays)


def rows_of_array(elements: Sequence[bytes]) -> list[bytes]:
    """Return the rows of an array whose first element is a header; an empty list for others."""
    with contextlib.suppress(ValueError, RecursionError):
        names = _header(elements)
        if names is not None:
            return _rows_under(names, elements[1:])
    return []


def begins_table(elements: Sequence[bytes]) -> bool:
    """Return whether an array that begins with these two elements is a header with rows."""
    return bool(rows_of_array(elements))


def _header(elements: Sequence[bytes]) -> list[str] | None:
    if len(elements) < 2 or elements[0][:1] not in (b"[", b"{"):
        return None
    return _column_names(_cells_of(elements[0]) or [])


def _first_of_header(arrays: Sequence[bytes]) -> list[bytes]:
    """Return the rows of the first array that begins with a header."""
    for array in arrays:
        rows = rows_of_array(split_elements(array))
        if rows:
            return rows
    return []


def _arrays_in(members: Mapping[str, bytes], depth: int) -> Iterator[bytes]:
    """Yield the arrays in an object, up to ``depth`` objects deep."""
    for value in members.values():
        if value[:1] == b"[":
            yield value
        elif value[:1] == b"{" and depth > 1:
            yield from _arrays_in(split_members(value), depth - 1)


def _names_of(array: bytes) -> list[str] | None:
    """Return the column names that an array lists; None for any other array."""
    elements = split_elements(array)
    if not _LEAST_COLUMNS <= len(elements) <= _COLUMNS_CAP:
        return None
    if elements[0][:1] not in (b'"', b"{") or max(map(len, elements)) > _NAME_CAP:
        return None
    return _column_names([loads(element) for element in elements])


def _column_names(cells: Sequence[Any]) -> list[str] | None:
    """Return the cells of a header as names; None if they are not a record's fields."""
    if not _LEAST_COLUMNS <= len(cells) <= _COLUMNS_CAP:
        return None
    names = [_column_name(cell) for cell in cells]
    if None in names:
        return None
    texts = [name for name in names if name is not None]
    return texts if prefix_of_record(set(map(squash, texts))) is not None else None


def _column_name(cell: Any) -> str | None:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, dict):
        by_name = {squash(name): inner for name, inner in cell.items()}
        for name in _NAME_MEMBERS:
            if isinstance(by_name.get(name), str):
                return str(by_name[name])
    return None


def _rows_under(names: Sequence[str], elements: Sequence[bytes]) -> list[bytes]:
    """Return the rows of a table; its elements are the rows or the columns."""
    parts = [_cells_of(element) for element in elements]
    rows = [part for part in parts if part is not None]
    lengths = {len(row) for row in rows}
    if not rows or len(rows) < len(parts) or len(lengths) > 1:
        return []
    if lengths == {len(names)} and (len(rows) != len(names) or not _is_transposed(names, rows)):
        return [_row(names, row) for row in rows if row != names]
    if len(rows) == len(names):
        return [_row(names, cells) for cells in zip(*rows, strict=True)]
    return []


def _is_transposed(names: Sequence[str], rows: Sequence[list[Any]]) -> bool:
    """Return whether the rows of a square table are in fact columns: whether one has the times."""
    index = next((index for index, name in enumerate(names) if "time" in squash(name)), None)
    if index is None:
        return False
    return all(time_text(cell) is not None for cell in rows[index])


def _cells_of(row: bytes) -> list[Any] | None:
    """Return the cells of a row, an array or an object with one (``Data``, ``f``); None for
    others."""
    if row[:1] not in (b"[", b"{"):
        return None
    value = loads(row)
    if isinstance(value, dict):
        arrays = [inner for inner in value.values() if isinstance(inner, list)]
        if len(arrays) != 1:
            return None
        value = arrays[0]
    if value and all(_is_typed(cell) for cell in value):
        return [next(iter(cell.values()), None) for cell in value]
    return list(value)


def _is_typed(cell: Any) -> bool:
    """Return whether a cell is an object with at most one value."""
    return isinstance(cell, dict) and len(cell) <= 1


def _row(names: Sequence[str], cells: Sequence[Any]) -> bytes:
    row = {name: cell for name, cell in zip(names, cells, strict=True) if cell is not None}
    return msgspec.json.encode(row)


def _rows_by_column(members: Mapping[str, bytes]) -> list[bytes]:
    """Return the rows of an object that has a list, or a map by row number, for each field."""
    openings = {value[:1] for value in members.values()}
    if openings not in ({b"["}, {b"{"}):
        return []
    if prefix_of_record(set(map(squash, members))) is None:
        return []
    columns = [_column(loads(value)) for value in members.values()]
    keys = columns[0].keys()
    if len(keys) < 2 or any(column.keys() != keys for column in columns):
        return []
    return [_row(list(members), [column[key] for column in columns]) for key in keys]


def _column(value: Any) -> dict[str, Any]:
    """Return the values of a column by row number; an empty dict for other values."""
    if isinstance(value, list):
        return {str(index): cell for index, cell in enumerate(value)}
    if isinstance(value, dict) and all(str(key).isdecimal() for key in value):
        return value
    return {}
