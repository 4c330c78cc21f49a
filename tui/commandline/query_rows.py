"""Print the rows of a query."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from itertools import chain, islice

from detector.ecs.values import Value
from detector.esql.plan.query import Query
from detector.text.json_output import json_line
from detector.text.spreadsheet import safe_cell
from detector.text.visible import visible

_Row = dict[str, Value]

_WIDTH_ROWS = 50
"""Number of first rows that set a table's column widths; later rows are printed as they come."""


def print_rows(query: Query, result: Iterator[_Row], format: str) -> int:
    """Print each row as soon as it is available; return the number of rows."""
    if format == "jsonl":
        return _print_jsonl(result)
    if format == "csv":
        return _print_csv(query, result)
    return _print_table(query, result)


def _print_jsonl(result: Iterator[_Row]) -> int:
    count = 0
    for row in result:
        print(json_line(row), flush=True)
        count += 1
    return count


def _print_csv(query: Query, result: Iterator[_Row]) -> int:
    columns = list(query.columns)
    writer = csv.writer(sys.stdout, lineterminator="\r\n")
    writer.writerow([safe_cell(column) for column in columns])
    count = 0
    for row in result:
        writer.writerow([_csv_cell(row.get(column)) for column in columns])
        count += 1
    return count


def _csv_cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return safe_cell([_text(item) for item in value])
    return safe_cell(_text(value))


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _print_table(query: Query, result: Iterator[_Row]) -> int:
    first_rows = list(islice(result, _WIDTH_ROWS))
    if not first_rows:
        return 0
    columns = list(query.columns)
    if query.sparse:
        columns = [column for column in columns if any(column in row for row in first_rows)]
    first_lines = [[_table_cell(row.get(column)) for column in columns] for row in first_rows]
    titles = [_table_cell(column) for column in columns]
    widths = [max(map(len, cells)) for cells in zip(titles, *first_lines, strict=True)]
    later_lines = ([_table_cell(row.get(column)) for column in columns] for row in result)
    count = -1  # the titles do not count
    for line in chain([titles], first_lines, later_lines):
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        print("  ".join(cells).rstrip(), flush=True)
        count += 1
    return count


def _table_cell(value: Value) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return visible(", ".join(_text(item) for item in value), 120)
    return visible(_text(value), 120)
