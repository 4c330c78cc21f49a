"""Reads a Parquet table as JSON Lines; columns may have any type."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import msgspec

from detector.formats.errors import Incomplete, NotALog, Unreadable
from detector.text.installation import extra_command
from detector.text.time import format_time

_ROWS = 1024
_PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def parquet_lines(file: Any) -> Iterator[bytes]:
    """Yield the rows as JSON Lines, in batches.

    Raises NotALog without pyarrow, Incomplete or Unreadable for damaged files."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise NotALog(
            "parquet", f"a Parquet file: to read it, {extra_command('parquet')}"
        ) from None
    try:
        for batch in parquet.ParquetFile(file).iter_batches(_ROWS):
            yield b"".join(msgspec.json.encode(row, enc_hook=str) + b"\n" for row in _rows(batch))
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        message = (str(error).splitlines() or [""])[0][:200]
        if "footer" in message or "magic bytes" in message or "too small" in message.lower():
            raise Incomplete(
                "truncated-parquet", f"the Parquet file ends too early ({message})"
            ) from None
        raise Unreadable("corrupt-parquet", f"damaged Parquet data ({message})") from None


def _rows(batch: Any) -> Iterator[dict[str, Any]]:
    names = batch.schema.names
    for row in zip(*map(_values, batch.columns), strict=True):
        yield dict(zip(names, row, strict=True))


def _values(array: Any) -> list[Any]:
    """Return the values of an array as JSON-compatible objects."""
    from pyarrow import types

    kind = array.type
    if types.is_dictionary(kind):
        return _values(array.dictionary_decode())
    if types.is_timestamp(kind):
        return _times(array.cast("int64").to_pylist(), _PER_SECOND[kind.unit])
    if types.is_struct(kind):
        return _structs(array)
    if types.is_map(kind):
        return [_map(scalar) for scalar in array]
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return [_values(scalar.values) if scalar.is_valid else None for scalar in array]
    if hasattr(array, "storage"):
        return _values(array.storage)
    values: list[Any] = array.to_pylist()
    return [_text(value) if isinstance(value, bytes) else value for value in values]


def _times(counts: list[int | None], per_second: int) -> list[str | int | None]:
    """Convert counts since the epoch to ISO 8601 in whole seconds; keep those out of range."""
    times: list[str | int | None] = []
    for count in counts:
        try:
            times.append(None if count is None else format_time(count // per_second))
        except (OverflowError, ValueError, OSError):
            times.append(count)
    return times


def _structs(array: Any) -> list[dict[str, Any] | None]:
    names = [field.name for field in array.type]
    columns = [_values(column) for column in array.flatten()]
    rows = zip(*columns, strict=True) if columns else ((),) * len(array)
    return [
        dict(zip(names, row, strict=True)) if valid else None
        for row, valid in zip(rows, array.is_valid().to_pylist(), strict=True)
    ]


def _map(scalar: Any) -> dict[str, Any] | None:
    if not scalar.is_valid:
        return None
    names, values = (_values(scalar.values.field(index)) for index in (0, 1))
    return {str(name): value for name, value in zip(names, values, strict=True)}


def _text(value: bytes) -> str:
    """Return bytes as text; in base64 if they are not UTF-8."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()
