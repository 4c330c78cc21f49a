"""What a content is packed in, told by its first bytes, and how each container is opened. One table."""

from __future__ import annotations

import codecs
import io
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

from detector.formats import tabular
from detector.formats.decompress import (
    BLOCK,
    DAMAGE,
    Budget,
    Content,
    Made,
    bunzip,
    gunzip,
    unxz,
    unzstd,
)
from detector.formats.errors import NotALog, Unreadable

MAGIC_BYTES = 4096
"""Enough for the header of a table of all columns."""
MEMBERS_CAP = 1_000_000
_HEADER_CAP = 1 << 20
_SPOOL = 32 << 20


class Member(NamedTuple):
    """One content inside another. ``name`` is its name in an archive, ``""`` where the container
    holds just one."""

    name: str
    content: Content


Opener = Callable[[Content, Budget], Iterator[Member]]


class Container(NamedTuple):
    name: str
    marks: Callable[[bytes], bool]
    """Whether a content that begins so is one."""
    open: Opener


def container_of(start: bytes) -> Container | None:
    """The container of a content that begins with ``start``; None for plain text. Raises
    NotALog."""
    if start[:1] in (b"{", b"["):
        return None
    for magic, what in _FOREIGN.items():
        if start.startswith(magic):
            raise NotALog(what.split()[0].lower(), f"{what}: unpack or convert it to JSON Lines")
    return next((container for container in CONTAINERS if container.marks(start)), None)


def _layer(undo: Callable[[Any, Budget], Content]) -> Opener:
    def opened(content: Content, budget: Budget) -> Iterator[Member]:
        yield Member("", undo(content, budget))

    return opened


def _made(lines: Callable[[Any], Iterator[bytes]], what: str) -> Opener:
    def opened(content: Content, budget: Budget) -> Iterator[Member]:
        yield Member("", Content(Made(lines(content)), what, budget))

    return opened


def _zip(content: Content, budget: Budget) -> Iterator[Member]:
    try:
        with zipfile.ZipFile(_seekable(content)) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            if len(entries) > MEMBERS_CAP:
                raise Unreadable("too-many-members", f"over {MEMBERS_CAP:,} members: unpack it")
            for entry in entries:
                yield Member(
                    entry.filename, Content(_Late(partial(archive.open, entry)), "zip", budget)
                )
    except DAMAGE as error:
        content.failed = True
        raise Unreadable(
            "corrupt-zip", f"a damaged zip archive, or one cut short ({error})"
        ) from None


class _Late(io.RawIOBase):
    """A stream that is opened when it is first read, so that one that cannot be opened costs itself
    only."""

    def __init__(self, open_it: Callable[[], Any]) -> None:
        self._open = open_it
        self._stream: Any = None

    def readinto(self, view: Any) -> int:
        if self._stream is None:
            self._stream = self._open()
        return int(self._stream.readinto(view))


class _Entry(tarfile.TarInfo):
    """Refuses extended headers that are read whole into memory and are not of any real size."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Entry:
        entry = super().frombuf(buf, encoding, errors)
        if entry.type in (b"x", b"g", b"X", b"L", b"K") and entry.size > _HEADER_CAP:
            raise Unreadable("corrupt-tar", "a tar archive with a header of absurd size")
        return entry


def _tar(content: Content, budget: Budget) -> Iterator[Member]:
    try:
        with tarfile.open(fileobj=content, mode="r|", tarinfo=_Entry, errorlevel=2) as archive:
            for count, entry in enumerate(archive):
                if count >= MEMBERS_CAP:
                    raise Unreadable("too-many-members", f"over {MEMBERS_CAP:,} members: unpack it")
                if entry.isfile() and (stream := archive.extractfile(entry)) is not None:
                    yield Member(
                        entry.name, Content(stream, "tar", budget if entry.sparse else None)
                    )
    except DAMAGE as error:
        content.failed = True
        raise Content(None, "tar").problem(error) from None


def _seekable(content: Content) -> Any:
    """The content as a file that can be read anywhere: itself where it is one, or else a temporary
    copy."""
    if not content.what:
        return content.stream
    spool = tempfile.SpooledTemporaryFile(_SPOOL)  # noqa: SIM115 - it goes when nothing reads it any more
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


def _parquet(content: Content, budget: Budget) -> Iterator[Member]:
    yield Member("", Content(Made(tabular.parquet_lines(_seekable(content))), "parquet", budget))


def _begins(*magic: bytes) -> Callable[[bytes], bool]:
    return lambda start: start.startswith(magic)


CONTAINERS: tuple[Container, ...] = (
    Container("gzip", _begins(b"\x1f\x8b"), _layer(gunzip)),
    Container("zstd", _begins(b"\x28\xb5\x2f\xfd"), _layer(unzstd)),
    Container("bzip2", _begins(b"BZh"), _layer(bunzip)),
    Container("xz", _begins(b"\xfd7zXZ\0"), _layer(unxz)),
    Container("zip", _begins(b"PK\x03\x04", b"PK\x05\x06"), _zip),
    Container("tar", lambda start: start[257:262] == b"ustar", _tar),
    Container("parquet", _begins(b"PAR1"), _parquet),
    Container("utf-16", _begins(b"\xff\xfe", b"\xfe\xff"), _made(_recoded("utf-16"), "utf-16")),
    Container("csv", tabular.is_csv, _made(tabular.csv_lines, "csv")),
)

_FOREIGN = {
    b"7z\xbc\xaf'\x1c": "7z archive",
    b"Rar!": "rar archive",
    b"\x04\x22\x4d\x18": "lz4-compressed",
    b"\xff\x06\0\0sNaPpY": "snappy-compressed",
    b"Obj\x01": "avro file",
    b"ORC": "orc file",
    b"SQLite format 3": "sqlite database",
}
