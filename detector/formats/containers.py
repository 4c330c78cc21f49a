"""A file's bytes -> chunks of JSON, at most one document or a run of whole lines each.

A trail file is one JSON document; it is held whole, up to ``DOCUMENT_CAP``. JSON Lines are cut at line
ends, so that a file of any size is read in flat memory.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

import msgspec
from isal import igzip, isal_zlib

from detector.record import loads

BLOCK = 1 << 20
SNIFF = 8 << 20
"""How much is read before a large file is judged to be lines or one document."""
LINES_CHUNK = 8 << 20
LINE_CAP = 64 << 20
DOCUMENT_CAP = 1 << 30
"""Decompressed bytes. CloudTrail's own files hold at most 50 MB compressed, some 600 MB as JSON."""

_GZIP = b"\x1f\x8b"
_KNOWN = {
    b"PAR1": ("parquet", "a Parquet file: convert it to JSON Lines"),
    b"PK\x03\x04": ("zip", "a zip archive: unpack it"),
    b"\x28\xb5\x2f\xfd": ("zstd", "zstd-compressed: decompress it with unzstd"),
    b"BZh": ("bzip2", "bzip2-compressed: decompress it with bunzip2"),
    b"\xfd7zXZ": ("xz", "xz-compressed: decompress it with unxz"),
}
_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"


class Reason(NamedTuple):
    """Why something was not read: ``code`` is counted, ``detail`` is for a person."""

    code: str
    detail: str


class Unreadable(Exception):
    """The file is damaged or over a cap: it goes to quarantine."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = Reason(code, detail)


class Incomplete(Unreadable):
    """The file ends too early, as one that is still being written does: it is tried again when it has changed."""


class NotALog(Unreadable):
    """The file is sound but holds no CloudTrail records: it is skipped."""


class Chunk(NamedTuple):
    """Some JSON of one file: a whole document, or whole lines. ``offset`` is in decompressed bytes."""

    offset: int
    data: bytes | bytearray
    lines: bool

    @property
    def end(self) -> int:
        return self.offset + len(self.data)


def chunks(file: BinaryIO, offset: int = 0) -> Iterator[Chunk]:
    """The chunks of a file from ``offset`` on, which is 0 or a line's start.

    A last line without its newline is a chunk of its own: it may be whole, or still being written.
    Raises Unreadable, Incomplete or NotALog.
    """
    blocks = _blocks(file, offset)
    start = bytearray(next(blocks, b""))
    if not offset:
        _refuse_foreign(start)
    more = _fill(start, blocks, SNIFF)
    if offset or _is_lines(start, whole=not more):
        yield from _cut_lines(start, blocks, offset)
    elif start.strip(_BLANK):
        if more and _fill(start, blocks, DOCUMENT_CAP):
            raise Unreadable("too-large", f"one JSON document of over {DOCUMENT_CAP >> 20} MiB; "
                                          "make lines of it with jq -c '.Records[]'")
        yield Chunk(0, start, lines=False)
    else:
        raise NotALog("empty", "empty")


def _blocks(file: BinaryIO, offset: int) -> Iterator[bytes]:
    compressed = file.read(2) == _GZIP
    if not compressed:
        file.seek(offset)
        yield from iter(lambda: file.read(BLOCK), b"")
        return
    file.seek(0)
    content: BinaryIO = igzip.open(file, "rb")  # type: ignore[no-untyped-call]
    try:
        content.seek(offset)
        yield from iter(lambda: content.read(BLOCK), b"")
    except (EOFError, gzip.BadGzipFile, isal_zlib.error) as error:  # type: ignore[misc]
        raise _gzip_problem(file, error) from None


def _gzip_problem(file: BinaryIO, error: Exception) -> Unreadable:
    """Cut short, or damaged? igzip takes garbage after the data for a cut; the standard library tells them apart."""
    file.seek(0)
    try:
        with gzip.GzipFile(fileobj=file) as content:
            while content.read(BLOCK):
                pass
    except EOFError:
        return Incomplete("truncated-gzip", "the gzip data ends too early")
    except (gzip.BadGzipFile, zlib.error) as found:
        error = found
    return Unreadable("corrupt-gzip", f"damaged gzip data ({error})")


def _refuse_foreign(start: bytearray) -> None:
    for magic, (code, detail) in _KNOWN.items():
        if start.startswith(magic):
            raise NotALog(code, detail)
    text = start.removeprefix(_BOM).lstrip(_BLANK)
    if text and text[:1] not in b"{[" and b"\n{" not in text:
        raise NotALog("not-json", "not JSON")


def _fill(buffer: bytearray, blocks: Iterator[bytes], limit: int) -> bool:
    """Read on until ``buffer`` holds more than ``limit`` bytes; False when the file has ended."""
    while len(buffer) <= limit:
        if (block := next(blocks, None)) is None:
            return False
        buffer += block
    return True


def _is_lines(start: bytearray, whole: bool) -> bool:
    """Whether a file that begins so is JSON Lines: an early line is JSON by itself, and the file as one is not."""
    lines = start.strip(_BLANK).split(b"\n", 6)
    if len(lines) == 1 or (whole and _is_json(start)):
        return False
    return any(_is_json(line) for line in lines[:6])


def _is_json(text: bytearray) -> bool:
    """Whether ``text`` is one JSON object or array, and not an empty one."""
    text = text.removeprefix(_BOM).strip(_BLANK)
    if len(text) == 2 or not text.startswith((b"{", b"[")):
        return False
    try:
        loads(text, msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True


def _cut_lines(buffer: bytearray, blocks: Iterator[bytes], offset: int) -> Iterator[Chunk]:
    more = True
    while more:
        more = _fill(buffer, blocks, LINES_CHUNK)
        while more and b"\n" not in buffer:
            if len(buffer) > LINE_CAP:
                raise Unreadable("too-large", f"a line of over {LINE_CAP >> 20} MiB")
            more = _fill(buffer, blocks, len(buffer))
        if cut := buffer.rfind(b"\n") + 1:
            yield Chunk(offset, buffer[:cut], lines=True)
            offset += cut
            del buffer[:cut]
    if buffer.strip(_BLANK):
        yield Chunk(offset, buffer, lines=True)
