"""Read lookup tables from CSV and Parquet files."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from detector.ecs.values import Type
from detector.esql.lookup.table import (
    LookupColumn,
    LookupFileError,
    LookupTable,
    column_of_texts,
)
from detector.text.installation import extra_command
from detector.text.visible import visible

FILE_CAP = 64 << 20
"""The largest accepted file, in bytes."""
ROWS_CAP = 1_000_000
_SEPARATORS = (",", ";", "\t")
_MAGIC = b"PAR1"


class LookupSource(NamedTuple):
    """The file of a table and its key column for ENRICH."""

    path: Path
    key: str


class Lookups:
    """The tables that queries may name; each is read on first use."""

    def __init__(self, sources: Mapping[str, LookupSource]) -> None:
        self.sources = dict(sources)
        self._tables: dict[str, LookupTable] = {}

    def table(self, name: str) -> LookupTable:
        """Return a table, reading it if necessary. Raises LookupFileError."""
        if name not in self._tables:
            source = self.sources.get(name)
            if source is None:
                raise LookupFileError(
                    f"no lookup {name}: name its file in the configuration, "
                    f'as [lookups.{name}] with file = "….csv" and key = "its column"'
                )
            self._tables[name] = read_lookup(source)
        return self._tables[name]


NO_LOOKUPS = Lookups({})


def read_lookup(source: LookupSource) -> LookupTable:
    """Read a table from a file. Raises LookupFileError."""
    content = _content(source.path)
    try:
        if content.startswith(_MAGIC):
            columns = _parquet_columns(content)
        else:
            columns = _csv_columns(content)
    except LookupFileError as error:
        raise LookupFileError(visible(f"{source.path}: {error}", 400)) from None
    if source.key not in columns:
        names = visible(", ".join(columns), 200)
        raise LookupFileError(f"{source.path}: no column {source.key} for its key; it has {names}")
    return LookupTable(columns, source.key, hashlib.sha256(content).hexdigest()[:20])


def _content(path: Path) -> bytes:
    """Read a regular file of at most ``FILE_CAP`` bytes. Raises LookupFileError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise LookupFileError(f"{path}: no plain file; name a CSV or Parquet file")
            content = file.read(FILE_CAP + 1)
    except OSError as error:
        raise LookupFileError(f"{path}: {error.strerror}; correct the configuration") from None
    if len(content) > FILE_CAP:
        raise LookupFileError(
            f"{path}: over {FILE_CAP >> 20} MB; leave out rows and columns that no rule reads"
        )
    return content


def _csv_columns(content: bytes) -> dict[str, LookupColumn]:
    import csv

    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise LookupFileError("no UTF-8 text; save the table as UTF-8") from None
    first_line = text.partition("\n")[0]
    separator = max(_SEPARATORS, key=first_line.count)
    reader = csv.reader(io.StringIO(text), delimiter=separator, strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        _check_names(names)
        texts: list[list[str | None]] = [[] for _ in names]
        for row in reader:
            if not row:
                continue
            if len(row) > len(names):
                raise LookupFileError(f"line {reader.line_num} has more cells than the first")
            if len(texts[0]) == ROWS_CAP:
                raise LookupFileError(f"over {ROWS_CAP:,} rows; leave out what no rule reads")
            row += [""] * (len(names) - len(row))
            for column, cell in zip(texts, row, strict=True):
                column.append(cell or None)
    except csv.Error as error:
        raise LookupFileError(f"line {reader.line_num}: no CSV: {error}") from None
    columns = map(column_of_texts, texts)
    return dict(zip(names, columns, strict=True))


def _check_names(names: Sequence[str]) -> None:
    if not names or "" in names:
        raise LookupFileError("the first line must name each column")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise LookupFileError(f"two columns have the name {twice}")


def _parquet_columns(content: bytes) -> dict[str, LookupColumn]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise LookupFileError(
            f"a Parquet file: {extra_command('parquet')}, or save it as CSV"
        ) from None
    try:
        file = parquet.ParquetFile(io.BytesIO(content))
        if file.metadata.num_rows > ROWS_CAP:
            raise LookupFileError(f"over {ROWS_CAP:,} rows; leave out what no rule reads")
        table = file.read()
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError) as error:
        message = (str(error).splitlines() or [""])[0]
        raise LookupFileError(f"damaged Parquet data ({message})") from None
    _check_names(table.column_names)
    return {
        name: _parquet_column(table.column(name).combine_chunks()) for name in table.column_names
    }


def _parquet_column(array: Any) -> LookupColumn:
    """Make a column of the type in the file; values of unsupported types become text."""
    from pyarrow import types

    kind = array.type
    is_list = types.is_list(kind) or types.is_large_list(kind)
    item = kind.value_type if is_list else kind
    type: Type = "keyword"
    if types.is_boolean(item):
        type = "boolean"
    elif types.is_integer(item) and not types.is_uint64(item):
        type = "long"
    elif types.is_floating(item):
        type = "double"
    elif types.is_timestamp(item):
        type = "date"
    values = [_parquet_value(value, type) for value in array.to_pylist()]
    texts = [None if value is None or is_list else _text(value) for value in values]
    return LookupColumn(type, is_list, values, texts)


def _parquet_value(value: Any, type: Type) -> Any:
    if isinstance(value, list):
        items = [_parquet_value(item, type) for item in value if item is not None]
        if len(items) < 2:
            return items[0] if items else None
        return items
    if value is None or value != value:  # NaN
        return None
    if type == "date":
        return round(value.timestamp() * 1000)
    return _text(value) if type == "keyword" else value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
