"""The table of all containers, and how each is opened."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from detector.formats.decompress import (
    BLOCK,
    Budget,
    Content,
    GeneratedStream,
    Member,
    bunzip,
    gunzip,
    seekable,
    unxz,
    unzstd,
)
from detector.formats.errors import NotALog

MAGIC_BYTES = 4096
"""Bytes that recognize a container: enough for the header of a table with all columns."""


Opener = Callable[[Content, Budget], Iterator[Member]]


class Container(NamedTuple):
    """A kind of compression, archive, encoding or table."""

    name: str
    matches: Callable[[bytes], bool]
    """Returns whether content that begins with these bytes is such a container."""
    open: Opener


def container_of(start: bytes) -> Container | None:
    """Return the container of a content by its start; None for text.

    Raises NotALog for formats that are recognized but not supported."""
    if start[:1] in (b"{", b"["):
        return None
    for magic, kind in _UNSUPPORTED.items():
        if start.startswith(magic):
            raise NotALog(kind.split()[0].lower(), f"{kind}: unpack or convert it to JSON Lines")
    return next((container for container in CONTAINERS if container.matches(start)), None)


def _compressed(decompress: Callable[[Any, Budget], Content]) -> Opener:
    def open_content(content: Content, budget: Budget) -> Iterator[Member]:
        yield Member("", decompress(content, budget))

    return open_content


def _converted(convert: Callable[[Any], Iterator[bytes]], name: str) -> Opener:
    def open_content(content: Content, budget: Budget) -> Iterator[Member]:
        yield Member("", Content(GeneratedStream(convert(content)), name, budget))

    return open_content


def _open_zip(content: Content, budget: Budget) -> Iterator[Member]:
    from detector.formats.archives import open_zip  # rarely needed, as for tar

    return open_zip(content, budget)


def _open_tar(content: Content, budget: Budget) -> Iterator[Member]:
    from detector.formats.archives import open_tar

    return open_tar(content, budget)


def _recoded(encoding: str) -> Callable[[Any], Iterator[bytes]]:
    def lines(content: Content) -> Iterator[bytes]:
        decoder = codecs.getincrementaldecoder(encoding)("replace")
        while block := content.read(BLOCK):
            yield decoder.decode(block).encode()
        yield decoder.decode(b"", True).encode()

    return lines


def _open_parquet(content: Content, budget: Budget) -> Iterator[Member]:
    from detector.formats.tables.parquet_table import parquet_lines

    lines = parquet_lines(seekable(content))
    yield Member("", Content(GeneratedStream(lines), "parquet", budget))


def _is_csv(start: bytes) -> bool:
    from detector.formats.tables.csv_table import is_csv  # rarely needed

    return is_csv(start)


def _csv_lines(content: Content) -> Iterator[bytes]:
    from detector.formats.tables.csv_table import csv_lines

    return csv_lines(content)


def _begins(*magic: bytes) -> Callable[[bytes], bool]:
    return lambda start: start.startswith(magic)


CONTAINERS: tuple[Container, ...] = (
    Container("gzip", _begins(b"\x1f\x8b"), _compressed(gunzip)),
    Container("zstd", _begins(b"\x28\xb5\x2f\xfd"), _compressed(unzstd)),
    Container("bzip2", _begins(b"BZh"), _compressed(bunzip)),
    Container("xz", _begins(b"\xfd7zXZ\0"), _compressed(unxz)),
    Container("zip", _begins(b"PK\x03\x04", b"PK\x05\x06"), _open_zip),
    Container("tar", lambda start: start[257:262] == b"ustar", _open_tar),
    Container("parquet", _begins(b"PAR1"), _open_parquet),
    Container(
        "utf-16", _begins(b"\xff\xfe", b"\xfe\xff"), _converted(_recoded("utf-16"), "utf-16")
    ),
    Container("csv", _is_csv, _converted(_csv_lines, "csv")),
)

_UNSUPPORTED = {
    b"7z\xbc\xaf'\x1c": "7z archive",
    b"Rar!": "rar archive",
    b"\x04\x22\x4d\x18": "lz4-compressed",
    b"\xff\x06\0\0sNaPpY": "snappy-compressed",
    b"Obj\x01": "avro file",
    b"ORC": "orc file",
    b"SQLite format 3": "sqlite database",
}
