"""Tables (CSV, Parquet) as JSON Lines, row by row."""

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
"""Columns that hold whole records, as CloudTrail Lake, the console, CloudWatch and Splunk name
them."""


def is_csv(start: bytes) -> bool:
    """Whether a content that begins so is a table of CloudTrail events, of whatever use."""
    found = _HEADER.match(start)
    if found is None:
        return False
    names = set(_names(found[0].decode("utf-8-sig", "replace")))
    return not names.isdisjoint(_RECORD_COLUMNS) or {"eventname", "eventtime"} <= names


def _names(header: str) -> list[str]:
    return [name.strip().lower().replace(" ", "") for name in next(csv.reader([header.strip()]))]


def csv_lines(content: Any) -> Iterator[bytes]:
    """The record of each row, a line each. Raises NotALog where the rows hold no whole records."""
    csv.field_size_limit(RECORD_CAP)
    text = io.TextIOWrapper(io.BufferedReader(content), "utf-8-sig", "surrogateescape", newline="")
    rows = csv.reader(text)
    header = next((row for row in rows if any(map(str.strip, row))), [])
    names = _names(",".join(f'"{name}"' for name in header))
    column = next((names.index(name) for name in _RECORD_COLUMNS if name in names), None)
    if column is None:
        raise NotALog(
            "event-history-csv"
            if "eventsource" in names and "useridentity" not in names
            else "csv",
            "a CSV without whole records (no eventJson column), so without the callers' identities: "
            "download the event history as JSON, or select eventJson too",
        )
    try:
        for row in rows:
            if row:
                cell = row[column] if column < len(row) else ""
                yield _one_line(cell).encode("utf-8", "surrogateescape") + b"\n"
    except csv.Error as error:
        raise Unreadable("corrupt-csv", f"no CSV after line {rows.line_num}: {error}") from None


def _one_line(text: str) -> str:
    """JSON stays the same without its line breaks; raw ones inside a string become escapes' next
    kin, spaces."""
    return text.replace("\r", " ").replace("\n", " ")


def parquet_lines(file: Any) -> Iterator[bytes]:
    """Each row as a JSON object. Raises NotALog where pyarrow is not installed."""
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
        said = str(error).splitlines()[0][:200]
        if "footer" in said or "magic bytes" in said or "too small" in said.lower():
            raise Incomplete(
                "truncated-parquet", f"the Parquet file ends too early ({said})"
            ) from None
        raise Unreadable("corrupt-parquet", f"damaged Parquet data ({said})") from None
