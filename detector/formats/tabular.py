"""Converters of tables (CSV, Parquet) to JSON Lines, row by row."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from detector.formats.errors import Incomplete, NotALog, Unreadable

RECORD_CAP = 16 << 20
"""Bytes of one record. CloudTrail's own are at most 1 MB."""
_ROWS = 1024
_HEADER = re.compile(
    rb'\s*(?:\xef\xbb\xbf)?\s*"?(?:[A-Za-z_][\w .-]{0,60})"?(?:,"?[A-Za-z_][\w .-]{0,60}"?)*\r?\n'
)
_RECORD_COLUMNS = ("eventjson", "event_json", "cloudtrailevent", "message", "@message", "_raw")
"""Columns of whole records, as CloudTrail Lake, the console, CloudWatch and Splunk name them."""


def is_csv(start: bytes) -> bool:
    """Tell whether a content is a CSV table of CloudTrail events.

    ``start`` is its beginning; the rows may lack whole records.
    """
    header = _HEADER.match(start)
    if header is None:
        return False
    names = set(_column_names(header[0].decode("utf-8-sig", "replace")))
    return not names.isdisjoint(_RECORD_COLUMNS) or {"eventname", "eventtime"} <= names


def _column_names(header: str) -> list[str]:
    return [name.strip().lower().replace(" ", "") for name in next(csv.reader([header.strip()]))]


def csv_lines(content: Any) -> Iterator[bytes]:
    """Yield the record of each row as a line.

    Raises NotALog where the rows hold no whole records.
    """
    csv.field_size_limit(RECORD_CAP)
    text = io.TextIOWrapper(io.BufferedReader(content), "utf-8-sig", "surrogateescape", newline="")
    rows = csv.reader(text)
    header = next((row for row in rows if any(map(str.strip, row))), [])
    names = _column_names(",".join(f'"{name}"' for name in header))
    column = next((names.index(name) for name in _RECORD_COLUMNS if name in names), None)
    if column is None:
        is_event_history = "eventsource" in names and "useridentity" not in names
        raise NotALog(
            "event-history-csv" if is_event_history else "csv",
            "a CSV without whole records (no eventJson column), so without the callers' "
            "identities: download the event history as JSON, or select eventJson too",
        )
    try:
        for row in rows:
            if row:
                cell = row[column] if column < len(row) else ""
                yield _one_line(cell).encode("utf-8", "surrogateescape") + b"\n"
    except csv.Error as error:
        raise Unreadable("corrupt-csv", f"no CSV after line {rows.line_num}: {error}") from None


def _one_line(text: str) -> str:
    """Replace line breaks by spaces.

    JSON stays the same, but for raw line breaks inside a string, which are invalid anyway.
    """
    return text.replace("\r", " ").replace("\n", " ")


def parquet_lines(file: Any) -> Iterator[bytes]:
    """Yield each row as a JSON object. Raises NotALog without pyarrow."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise NotALog(
            "parquet", "a Parquet file: pip install 'trailhound[parquet]' to read it"
        ) from None
    try:
        for batch in parquet.ParquetFile(file).iter_batches(_ROWS):
            yield b"".join(
                msgspec.json.encode(row, enc_hook=str) + b"\n" for row in batch.to_pylist()
            )
    except (pyarrow.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        message = str(error).splitlines()[0][:200]
        if "footer" in message or "magic bytes" in message or "too small" in message.lower():
            raise Incomplete(
                "truncated-parquet", f"the Parquet file ends too early ({message})"
            ) from None
        raise Unreadable("corrupt-parquet", f"damaged Parquet data ({message})") from None
