"""The one table of containers, and how each is opened."""

from __future__ import annotations

import codecs
import io
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from detector.formats.decompress import (
    BLOCK,
    DAMAGE_ERRORS,
    Budget,
    Content,
    GeneratedStream,
    bunzip,
    gunzip,
    unxz,
    unzstd,
)
from detector.formats.errors import NotALog, Unreadable
from detector.formats.tables.csv_table import csv_lines, is_csv
from detector.formats.tables.parquet_table import parquet_lines

MAGIC_BYTES = 4096
"""Enough for the header of a table of all columns."""
MEMBERS_CAP = 1_000_000
_HEADER_CAP = 1 << 20
_SPOOL = 32 << 20


class Member(NamedTuple):
    """A content inside a container.

    ``name`` is its name in an archive; ``""`` where the container holds just one.
    """

    name: str
    content: Content


Opener = Callable[[Content, Budget], Iterator[Member]]


class Container(NamedTuple):
    """A kind of compression, archive, encoding or table."""

    name: str
    matches: Callable[[bytes], bool]
    """Tells whether a content that begins so is one."""
    open: Opener


def container_of(start: bytes) -> Container | None:
    """Tell a content's container by its start; None for text. Raises NotALog."""
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
    try:
        with zipfile.ZipFile(_seekable(content)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(entries) > MEMBERS_CAP:
                raise Unreadable("too-many-members", f"over {MEMBERS_CAP:,} members: unpack it")
            for entry in entries:
                stream = _LazyStream(partial(archive.open, entry))
                yield Member(entry.filename, Content(stream, "zip", budget))
    except DAMAGE_ERRORS as error:
        content.failed = True
        raise Unreadable(
            "corrupt-zip", f"a damaged zip archive, or one cut short ({error})"
        ) from None


class _LazyStream(io.RawIOBase):
    """A stream that is opened when it is first read.

    So a member that cannot be opened costs itself only.
    """

    def __init__(self, opener: Callable[[], Any]) -> None:
        self._open = opener
        self._stream: Any = None

    def readinto(self, view: Any) -> int:
        if self._stream is None:
            self._stream = self._open()
        return int(self._stream.readinto(view))


class _CheckedTarInfo(tarfile.TarInfo):
    """A tar entry that refuses huge extended headers.

    tarfile reads extended headers whole into memory.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _CheckedTarInfo:
        entry = super().frombuf(buf, encoding, errors)
        if entry.type in (b"x", b"g", b"X", b"L", b"K") and entry.size > _HEADER_CAP:
            raise Unreadable("corrupt-tar", "a tar archive with a header of absurd size")
        return entry


def _open_tar(content: Content, budget: Budget) -> Iterator[Member]:
    try:
        with tarfile.open(
            fileobj=content, mode="r|", tarinfo=_CheckedTarInfo, errorlevel=2
        ) as archive:
            for count, entry in enumerate(archive):
                if count >= MEMBERS_CAP:
                    raise Unreadable("too-many-members", f"over {MEMBERS_CAP:,} members: unpack it")
                stream = archive.extractfile(entry) if entry.isfile() else None
                if stream is not None:
                    # Only a sparse file unpacks to more than its bytes in the archive.
                    member_budget = budget if entry.sparse else None
                    yield Member(entry.name, Content(stream, "tar", member_budget))
    except DAMAGE_ERRORS as error:
        content.failed = True
        raise Content(None, "tar").problem(error) from None


def _seekable(content: Content) -> Any:
    """Return a content as a seekable file, or a copy."""
    if not content.container:
        return content.stream
    # It is removed when nothing reads it any more.
    spool = tempfile.SpooledTemporaryFile(_SPOOL)  # noqa: SIM115
    while block := content.read(BLOCK):
        spool.write(block)
    spool.seek(0)
    return spool


def _recoded(encoding: str) -> Callable[[Any], Iterator[bytes]]:
    def lines(content: Content) -> Iterator[bytes]:
        decoder = codecs.getincrementaldecoder(encoding)("replace")
        while block := content.read(BLOCK):
            yield decoder.decode(block).encode()
        yield decoder.decode(b"", True).encode()

    return lines


def _open_parquet(content: Content, budget: Budget) -> Iterator[Member]:
    lines = parquet_lines(_seekable(content))
    yield Member("", Content(GeneratedStream(lines), "parquet", budget))


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
    Container("csv", is_csv, _converted(csv_lines, "csv")),
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
