"""A file's bytes -> chunks of JSON, at most one document or a run of whole lines each.

A trail file is one JSON document; it is held whole, up to ``DOCUMENT_CAP``. JSON Lines are cut at line ends, so that
a file of any size is read in flat memory. What is packed in containers is unpacked layer by layer, member by member;
offsets then count the bytes of all that was unpacked, in order.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator
from typing import BinaryIO, NamedTuple

import msgspec

from detector.cloudtrail.record import loads
from detector.formats.containers import MAGIC_BYTES, Container, container_of
from detector.formats.decompress import BLOCK, Budget, Content, gunzip_file
from detector.formats.errors import NotALog, Unreadable
from detector.formats.wrappers import strip_timestamp

SNIFF = 8 << 20
"""How much is read before a large file is judged to be lines or one document."""
LINES_CHUNK = 8 << 20
LINE_CAP = 64 << 20
DOCUMENT_CAP = 1 << 30
"""Decompressed bytes. CloudTrail's own files hold at most 50 MB compressed, some 600 MB as JSON."""
LAYERS_CAP = 5
"""How many containers may be in each other."""

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_BLANK = b" \t\r\n"


class Chunk(NamedTuple):
    """Some JSON of one file: a whole document, or whole lines. ``offset`` is in decompressed bytes.

    ``data`` lies in memory that the next chunk is read into: it holds until then. ``member`` is the
    name in an archive; ``problem`` is why that member could not be read, and ``data`` is empty
    then. ``packed``: the offset is not one of the file itself."""

    offset: int
    data: memoryview
    lines: bool
    member: str = ""
    problem: Unreadable | None = None
    decompressed: bool = False

    @property
    def end(self) -> int:
        return self.offset + len(self.data)


def read_chunks(file: BinaryIO, offset: int = 0) -> Generator[Chunk, None, None]:
    """The chunks of a file from ``offset`` on, which is 0, or where a chunk or a line starts.

    A last line without its newline is a chunk of its own: it may be whole, or still being written.
    Raises Unreadable, Incomplete or NotALog.
    """
    size = _size(file)
    budget = Budget.of_file(size)
    gzipped = file.read(2) == _GZIP
    file.seek(0)
    content = gunzip_file(file, size, budget) if gzipped else Content(file)
    with _buffer() as held:
        more = held.fill(content, BLOCK)
        if container := container_of(bytes(held.view(MAGIC_BYTES))):
            for chunk in _unpacked(held, content, container, budget, 0, int(gzipped), ""):
                if chunk.offset >= offset:
                    yield chunk._replace(decompressed=True)
            return
        if offset:
            content.stream.seek(offset)
            held.size = 0
            cut = _cut_lines(held, content, offset, "")
        else:
            cut = _cut(held, content, more, 0, "")
        for chunk in cut:
            yield chunk._replace(decompressed=True) if gzipped else chunk


def _size(file: BinaryIO) -> int:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size


def _unpacked(
    held: _Buffer,
    content: Content,
    container: Container,
    budget: Budget,
    base: int,
    depth: int,
    member: str,
) -> Generator[Chunk, None, int]:
    """The chunks of what is in a container, the first at offset ``base``; returns where they end.

    ``held`` has the content's beginning.
    """
    if depth >= LAYERS_CAP:
        raise Unreadable(
            "nested-too-deep", f"over {LAYERS_CAP} containers in each other: unpack it"
        )
    if content.what:
        content.unread(bytes(held.view(held.size)))
    else:
        content.stream.seek(0)
    for name, inner in container.open(content, budget):
        path = "/".join(filter(None, (member, name)))
        held.size = 0
        try:
            more = held.fill(inner, BLOCK)
            if deeper := container_of(bytes(held.view(MAGIC_BYTES))):
                base = yield from _unpacked(held, inner, deeper, budget, base, depth + 1, path)
                continue
            for chunk in _cut(held, inner, more, base, path):
                yield chunk
                base = chunk.end
        except Unreadable as error:
            if (
                not name
                or content.failed
                or budget.left < 0
                or (container.name == "tar" and inner.failed)
            ):
                raise
            # A member costs itself only; a byte of offset is its place.
            yield Chunk(base, memoryview(b""), lines=False, member=path, problem=error)
            base += 1
    return base


def _cut(held: _Buffer, content: Content, more: bool, offset: int, member: str) -> Iterator[Chunk]:
    """The chunks of plain text that starts at ``offset``; ``held`` has its first block."""
    _refuse_foreign(bytes(held.view(BLOCK)))
    more = more and held.fill(content, SNIFF)
    if held.bytes.find(b"\n", 0, held.size) >= 0 and _is_lines(
        bytes(held.view(SNIFF)), whole=not more
    ):
        yield from _cut_lines(held, content, offset, member)
        return
    if (more and held.fill(content, DOCUMENT_CAP)) or held.size > DOCUMENT_CAP:
        raise Unreadable(
            "too-large",
            f"one JSON document of over {DOCUMENT_CAP >> 20} MiB; "
            "make lines of it with jq -c '.Records[]'",
        )
    if not bytes(held.view(BLOCK)).removeprefix(_BOM).strip(_BLANK):
        raise NotALog("empty", "empty")
    yield Chunk(offset, held.view(held.size), lines=False, member=member)


class _Buffer:
    """Memory that file after file is read into: fresh memory for each costs nearly as much as
    unpacking it."""

    def __init__(self) -> None:
        self.bytes = bytearray(SNIFF)
        self.size = 0

    def fill(self, content: Content, limit: int) -> bool:
        """Read on until ``limit`` bytes are held; False when the file has ended before."""
        while self.size < limit:
            if self.size == len(self.bytes):
                self.bytes = self.bytes + bytes(
                    len(self.bytes)
                )  # not in place: a chunk may still be looked at
            end = min(self.size + BLOCK, limit, len(self.bytes))
            if not (count := content.readinto(memoryview(self.bytes)[self.size : end])):
                return False
            self.size += count
        return True

    def view(self, end: int) -> memoryview:
        return memoryview(self.bytes)[: min(end, self.size)]

    def drop(self, count: int) -> None:
        """Let the first ``count`` bytes go."""
        self.bytes[: self.size - count] = self.bytes[count : self.size]
        self.size -= count


_free: list[_Buffer] = []
_KEPT = 128 << 20
"""A buffer larger than this is not kept for the next file."""


@contextlib.contextmanager
def _buffer() -> Iterator[_Buffer]:
    held = _free.pop() if _free else _Buffer()
    held.size = 0
    try:
        yield held
    finally:
        if len(held.bytes) <= _KEPT:
            _free.append(held)


def _refuse_foreign(start: bytes) -> None:
    text = strip_timestamp(start.removeprefix(_BOM).lstrip(_BLANK))
    if text and text[:1] not in b'{["' and b"\n{" not in text:
        raise NotALog("not-json", "not JSON")


def _is_lines(start: bytes, whole: bool) -> bool:
    """Whether a file that begins so is JSON Lines: an early line is JSON by itself, and the file as
    one is not."""
    lines = [line for line in start.split(b"\n", 6) if not line.isspace()]
    if (
        len(lines) < 2
        or lines[0].rstrip()[-1:] in (b"[", b"{", b",")
        or (whole and _is_json(start))
    ):
        return False  # a document may have a record a line, and end after one while it is being written
    return any(_is_json(line) for line in lines[:6])


def _is_json(text: bytes) -> bool:
    """Whether ``text`` is one JSON object or array, and not an empty one."""
    text = strip_timestamp(text.removeprefix(_BOM).strip(_BLANK))
    if len(text) == 2 or not text.startswith((b"{", b"[", b'"')):
        return False
    try:
        loads(text, msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True


def _cut_lines(held: _Buffer, content: Content, offset: int, member: str) -> Iterator[Chunk]:
    more = True
    while more:
        more = held.fill(content, LINES_CHUNK)
        while not (cut := held.bytes.rfind(b"\n", 0, held.size) + 1) and more:
            if held.size > LINE_CAP:
                raise Unreadable("too-large", f"a line of over {LINE_CAP >> 20} MiB")
            more = held.fill(content, held.size + LINES_CHUNK)
        if cut:
            yield Chunk(offset, held.view(cut), lines=True, member=member)
            held.drop(cut)
            offset += cut
    if bytes(held.view(held.size)).strip(_BLANK):
        yield Chunk(offset, held.view(held.size), lines=True, member=member)
