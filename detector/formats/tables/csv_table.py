"""Reads CSV tables, whatever their columns, separator and quotes.

A column with whole records is read, whatever its name. A table without one is read row by row, if
its columns are named like a record's fields.
"""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from detector.formats.errors import NotALog, Unreadable
from detector.formats.packed_text import begins_packed
from detector.formats.record_shape import is_field, prefix_of_record
from detector.formats.text_forms import absent_if_empty, contains_json
from detector.formats.values import RECORD_CAP, squash

_BOM = b"\xef\xbb\xbf"
_SEPARATOR_LINE = re.compile(r'\s*"?sep=(.)"?\s*\r?\n')
_RECORD_CELL = re.compile(
    r'"\s*[\[{]\s*(?:\{\s*)?(""|\\"|\x27)|'
    r'"[^"\r\n]{0,256}[\[{]\s*(?:\{\s*)?""|'
    r'"""[\[{]\s*(?:\{\s*)?\\""'
)
"""The beginning of a cell with JSON: alone, after other text, or as a JSON string."""
_PACKED_LINE = re.compile(r'"?[A-Za-z0-9+/_-]{64,}={0,2}"?\r?(?:\n|$)')
_PACKED_CELL = re.compile(r'(?:^|[,;\t|])"?(?:eyJ|W3s|ewo|H4sI)[A-Za-z0-9+/=_-]{40,}', re.MULTILINE)
_AFTER_CELL = re.compile(r'[\]}]\s*"(?!")\s*(\r?\n|[^\s"\\]|\t)')
_USUAL_SEPARATORS = (",", ";", "\t", "|")
_OF_JSON = re.compile(r'[{:]\s*"|":')
_HEADER_CAP = 1 << 20
_HEADER_ROWS = 20
"""How many first rows are searched for the header; titles may precede it."""
_LEAST_RECORD = 200
"""The least number of characters in a cell that may contain a whole record."""
_BLANK = " \t\r\n\0"
_WHOLE = re.compile(r'^\s*\{(?=.*"eventSource")(?=.*"eventName")(?=.*"eventTime")', re.DOTALL)
"""The beginning of a whole record, as the text of a cell."""
_CALLER_WORDS = ("useridentity", "arn")


class Dialect(NamedTuple):
    """How a table is written."""

    separator: str
    escapes: bool
    """Whether quotes in cells are escaped with a backslash, not doubled."""
    has_separator_line: bool


def is_csv(start: bytes) -> bool:
    """Return whether content that begins with ``start`` is a CSV table of CloudTrail events."""
    return _dialect_of(start) is not None


def _dialect_of(start: bytes) -> Dialect | None:
    text = start.removeprefix(_BOM).decode("utf-8", "replace").lstrip("\r\n \0\ufeff")
    if text[:1] in ("{", "[", "<", ""):
        return None
    if text[:1] == "%" and begins_packed(text[:_LEAST_RECORD].encode()):
        return None
    line = _SEPARATOR_LINE.match(text)
    body = text
    if line:
        body = text[line.end() :]
    cell = _RECORD_CELL.search(body)
    if cell is None and not _names_fields(body, line) and not _has_packed_cell(body):
        return None
    if cell is not None and not cell.start() and cell[1] == '\\"':
        return None  # JSON strings, one per line
    escapes = cell is not None and cell[1] == '\\"'
    if line:
        return Dialect(line[1], escapes, True)
    return Dialect(_separator_of(body, cell), escapes, False)


def _has_packed_cell(body: str) -> bool:
    """Return whether a table has cells with packed records; lines of only these are not a table."""
    return _PACKED_CELL.search(body) is not None and _PACKED_LINE.match(body) is None


def _names_fields(body: str, line: re.Match[str] | None) -> bool:
    """Return whether the header names the fields of a record."""
    for header in _first_lines(body):
        separators = [line[1]] if line else _separators_in(header)
        if any(_is_header(_cells(header, separator)) for separator in separators):
            return True
    return False


def _is_header(cells: Sequence[str]) -> bool:
    """Return whether cells are names of a record's fields, and not parts of JSON."""
    if any(map(_OF_JSON.search, cells)):
        return False
    names = set(map(squash, cells))
    return len(cells) > 1 and (prefix_of_record(names) is not None or _is_event_list(names))


def _is_event_list(names: set[str]) -> bool:
    return {"eventname", "eventtime"} <= names


def _first_lines(body: str) -> list[str]:
    return body[:_HEADER_CAP].split("\n", _HEADER_ROWS)[:_HEADER_ROWS]


def _cells(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line.rstrip("\r")], delimiter=separator), [])
    except csv.Error:
        return []


def _separators_in(header: str) -> list[str]:
    """Return the possible separators of a header's columns, the likeliest first."""
    counts = Counter(character for character in header if not _is_of_name(character))
    usual = [character for character in _USUAL_SEPARATORS if counts[character]]
    return usual + [character for character, _ in counts.most_common(4) if character not in usual]


def _is_of_name(character: str) -> bool:
    return character.isalnum() or character in "\"'_.@-:()[]{} \r\n\\/#"


def _separator_of(body: str, cell: re.Match[str] | None) -> str:
    """Return the separator, judged by the characters around a record's cell, or by the header."""
    if cell is not None:
        before = body[cell.start() - 1 : cell.start()]
        after = _AFTER_CELL.search(body, cell.end())
        if before and before not in "\r\n":
            return before
        if after and after[1] not in "\r\n":
            return after[1]
        return ","
    first, *others = _first_lines(body)
    for header in (first, *others):
        for separator in _separators_in(header):
            if _is_header(_cells(header, separator)):
                return separator
    return (_separators_in(first) or [","])[0]


def csv_lines(content: Any) -> Iterator[bytes]:
    """Yield a line for each row: the record in it, or the row as an object.

    Raises NotALog if the rows have neither whole records nor callers, Unreadable for invalid CSV.
    """
    csv.field_size_limit(RECORD_CAP)
    buffered = io.BufferedReader(content, _HEADER_CAP)
    dialect = _dialect_of(buffered.peek(_HEADER_CAP)) or Dialect(",", False, False)
    text = io.TextIOWrapper(buffered, "utf-8-sig", "surrogateescape", newline="")
    rows = csv.reader(
        text,
        delimiter=dialect.separator,
        escapechar="\\" if dialect.escapes else None,
        doublequote=not dialect.escapes,
        skipinitialspace=not dialect.separator.isspace(),
    )
    try:
        yield from _row_lines(rows, dialect)
    except csv.Error as error:
        raise Unreadable(
            "corrupt-csv", f"invalid CSV after line {rows.line_num}: {error}"
        ) from None


def _row_lines(rows: Any, dialect: Dialect) -> Iterator[bytes]:
    filled = (row for row in rows if any(cell.strip(_BLANK) for cell in row))
    if dialect.has_separator_line:
        next(filled, None)
    start = list(itertools.islice(filled, _HEADER_ROWS))
    index = _header_index(start)
    header = start[index] if 0 <= index < len(start) else []
    names = [name.strip().lstrip("\ufeff") for name in header]
    first = start[index + 1 : index + 2]
    if first or header:
        _refuse_without_callers(names, first[0] if first else [])
    for row in itertools.chain(start[index + 1 :], filled):
        yield _line_of(row, names)
    for row in start[: max(0, index)]:
        yield _comment_of(row)


def _header_index(rows: Sequence[Sequence[str]]) -> int:
    """Return the index of the header among the first rows; -1 if there is none."""
    for index, row in enumerate(rows):
        if any(map(_is_content, row)):
            is_header = index and len(rows[index - 1]) == len(row)
            return index - 1 if is_header else -1
        if _is_header(row):
            return index
    return 0


def _comment_of(row: Sequence[str]) -> bytes:
    """Return a row above the header as a comment line, so that it is counted as such."""
    return f"# {_one_line(_escaped(' '.join(row)))}\n".encode()


def _is_content(cell: str) -> bool:
    """Return whether a cell may contain a record, so that it is not a column's name."""
    if cell.lstrip()[:1] in ("{", "[") or _PACKED_CELL.match(cell) is not None:
        return True
    return len(cell) > _LEAST_RECORD and contains_json(cell.encode("utf-8", "surrogateescape"))


def _refuse_without_callers(names: Sequence[str], row: Sequence[str]) -> None:
    squashed = [squash(name) for name in names]
    has_callers = any(word in name for name in squashed for word in _CALLER_WORDS)
    if has_callers or any(map(_is_content, row)):
        return
    is_event_history = "eventsource" in squashed
    raise NotALog(
        "event-history-csv" if is_event_history else "csv",
        "a CSV without whole records (no eventJson column), so without the callers' "
        "identities: download the event history as JSON, or select eventJson too",
    )


def _line_of(row: Sequence[str], names: Sequence[str]) -> bytes:
    """Return a row's whole record as a line; else the row as a JSON object."""
    for index, cell in enumerate(row):
        is_foreign = index >= len(names) or not is_field(names[index])
        if is_foreign and len(cell) > _LEAST_RECORD and _WHOLE.match(cell):
            return _one_line(cell).encode("utf-8", "surrogateescape") + b"\n"
    cells = {
        names[index] if index < len(names) else f"column {index + 1}": cell
        for index, cell in enumerate(row)
        if absent_if_empty(cell) is not None
    }
    text = {_escaped(name): _escaped(cell) for name, cell in cells.items()}
    return msgspec.json.encode(text) + b"\n"


def _escaped(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _one_line(text: str) -> str:
    """Replace line breaks by spaces.

    JSON keeps its meaning, except for raw line breaks inside strings, which are invalid anyway.
    """
    return text.replace("\r", " ").replace("\n", " ")
