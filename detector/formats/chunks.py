"""Cuts a file's bytes into chunks of JSON.

A trail file is one JSON document; it is held in memory whole, up to ``DOCUMENT_CAP``. JSON Lines
are cut at line ends, so a file of any size is read in constant memory. The content of containers is
unpacked layer by layer, member by member; offsets then count all unpacked bytes, in order.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator
from io import BytesIO
from typing import BinaryIO, NamedTuple

import msgspec

from detector.cloudtrail.record import loads
from detector.formats.containers import MAGIC_BYTES, Container, container_of
from detector.formats.decompress import BLOCK, Budget, Content, gunzip, gunzip_at_once
from detector.formats.errors import NotALog, Unreadable
from detector.formats.native.cut import count_bytes, is_available
from detector.formats.pieces import end_of_whole, is_container_line
from detector.formats.text_forms import (
    BLANK,
    begins_json,
    begins_value,
    contains_json,
    is_comment,
    is_json_behind_text,
)

SNIFF = 8 << 20
"""Bytes that are read before a large file is classified as JSON Lines or one document."""
LINES_CHUNK = 8 << 20
LINE_CAP = 64 << 20
DOCUMENT_CAP = 1 << 30
"""In decompressed bytes. CloudTrail's own files have at most 50 MB compressed, about 600 MB as
JSON."""
LINES_CAP = 1 << 16
"""The greatest number of lines in a chunk; about 8,000 of CloudTrail's own fill one."""
OBJECTS_CAP = 1_000_000
LEAST_OBJECT = 96
"""A document of more than ``OBJECTS_CAP`` objects is not read if these have fewer bytes on
average; CloudTrail's have twice as many."""
_SHORTEST_OBJECT = 2
"""The bytes of ``{}``."""
LAYERS_CAP = 5
"""How deep containers may be nested."""

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_WHITESPACE = b" \t\r\n"
_NEWLINE, _BRACE = b"\n{"
_LINES_SEEN = 50
"""How many lines at the beginning are looked at; one must have JSON, if only after other text."""


class Chunk(NamedTuple):
    """A part of a file: a whole JSON document, or whole lines.

    ``data`` is only valid until the next chunk is read: the memory is reused.
    """

    offset: int
    """In decompressed bytes."""
    data: memoryview
    lines: bool
    member: str = ""
    """The name of the member in an archive."""
    problem: Unreadable | None = None
    """Why the member could not be read; ``data`` is then empty."""
    decompressed: bool = False
    """Whether the offset counts decompressed bytes, not those of the file itself."""

    @property
    def end(self) -> int:
        return self.offset + len(self.data)

    @property
    def is_unfinished(self) -> bool:
        """Whether these are lines that end within a line, or within a record of several lines."""
        if not self.lines:
            return False
        data = bytes(self.data)
        return data[-1:] != b"\n" or not end_of_whole(data, len(data))


def read_chunks(file: BinaryIO, offset: int = 0) -> Generator[Chunk, None, None]:
    """Read the chunks of a file. Raises Unreadable, Incomplete or NotALog.

    ``offset`` is 0, or where a chunk or a line starts. A last line without a newline is a chunk
    of its own: it may be complete, or still being written.
    """
    size = _size_of(file)
    budget = Budget.of_file(size)
    is_gzip = file.read(2) == _GZIP
    file.seek(0)
    content = Content(file)
    if is_gzip:
        text = gunzip_at_once(file, size)
        if text is not None and not offset and _is_small_document(text):
            yield Chunk(0, memoryview(bytearray(text)), lines=False, decompressed=True)
            return
        file.seek(0)  # Reading as a stream finds further members or the error.
        content = gunzip(file, budget) if text is None else Content(BytesIO(text), "gzip", budget)
    with _borrow_buffer() as buffer:
        has_more = buffer.fill(content, BLOCK)
        container = container_of(_start_of(buffer))
        if container is not None:
            for chunk in _unpack(buffer, content, container, budget, 0, int(is_gzip), ""):
                if chunk.offset >= offset:
                    yield chunk._replace(decompressed=True)
            return
        if offset:
            content.stream.seek(offset)
            buffer.size = 0
            chunks = _cut_lines(buffer, content, offset, "")
        else:
            chunks = _cut(buffer, content, has_more, 0, "")
        for chunk in chunks:
            yield chunk._replace(decompressed=True) if is_gzip else chunk


def unpack_small_document(file: BinaryIO, size: int) -> bytes | None:
    """Unpack a gzip file that is one small document, for which ``read_chunks`` yields one chunk.

    None for any other file. The file must be at its start; its position is undefined afterwards."""
    text = gunzip_at_once(file, size, BLOCK)
    return text if text is not None and _is_small_document(text) else None


def _is_small_document(text: bytes) -> bool:
    """Return whether a text is one line that begins like JSON, and smaller than a block."""
    return len(text) < BLOCK and text[:1] in (b"{", b"[") and b"\n" not in text


def _size_of(file: BinaryIO) -> int:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size


def _unpack(
    buffer: _Buffer,
    content: Content,
    container: Container,
    budget: Budget,
    base: int,
    depth: int,
    member: str,
) -> Generator[Chunk, None, int]:
    """Yield the chunks in a container, and return the offset where they end.

    The first is at offset ``base``. ``buffer`` has the beginning of the content, which is nested
    ``depth`` containers deep.
    """
    if depth >= LAYERS_CAP:
        raise Unreadable(
            "nested-too-deep", f"over {LAYERS_CAP} containers in each other: unpack it"
        )
    if content.container:
        content.unread(bytes(buffer.view(buffer.size)))
    else:
        content.stream.seek(0)
    for name, inner in container.open(content, budget):
        path = "/".join(filter(None, (member, name)))
        buffer.size = 0
        try:
            has_more = buffer.fill(inner, BLOCK)
            deeper = container_of(_start_of(buffer))
            if deeper is not None:
                base = yield from _unpack(buffer, inner, deeper, budget, base, depth + 1, path)
                continue
            for chunk in _cut(buffer, inner, has_more, base, path):
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
            # A damaged member does not affect the others; it takes one byte of offset.
            yield Chunk(base, memoryview(b""), lines=False, member=path, problem=error)
            base += 1
    return base


def _cut(
    buffer: _Buffer, content: Content, has_more: bool, offset: int, member: str
) -> Iterator[Chunk]:
    """Cut text that starts at ``offset``; ``buffer`` has its first block.

    Raises Unreadable or NotALog."""
    hole = buffer.drop_zeros()
    while not buffer.size and has_more:
        has_more = buffer.fill(content, BLOCK)
        hole += buffer.drop_zeros()
    if hole and not buffer.size:
        raise NotALog("not-json", "not JSON: zeros only")
    begins_as_json = buffer.size and buffer.bytes[0] in b"{["
    if not begins_as_json:
        _refuse_foreign(bytes(buffer.view(BLOCK)))
    has_more = has_more and buffer.fill(content, SNIFF)
    has_newline = buffer.bytes.find(b"\n", 0, buffer.size) >= 0
    if has_newline and _is_lines(bytes(buffer.view(SNIFF)), is_whole=not has_more):
        yield from _cut_lines(buffer, content, offset + hole, member)
        return
    if (has_more and buffer.fill(content, DOCUMENT_CAP)) or buffer.size > DOCUMENT_CAP:
        raise Unreadable(
            "too-large",
            f"one JSON document of over {DOCUMENT_CAP >> 20} MiB; "
            "make lines of it with jq -c '.Records[]'",
        )
    if not begins_as_json and not bytes(buffer.view(BLOCK)).removeprefix(_BOM).strip(_WHITESPACE):
        raise NotALog("empty", "empty")
    if buffer.size > OBJECTS_CAP * _SHORTEST_OBJECT:
        _refuse_small_objects(buffer)
    yield Chunk(offset, buffer.view(buffer.size), lines=False, member=member)


def _refuse_small_objects(buffer: _Buffer) -> None:
    """Raise Unreadable for a text of very many small objects.

    Counting stops as soon as the rest cannot exceed the cap."""
    objects = end = 0
    while objects + (buffer.size - end) // _SHORTEST_OBJECT >= OBJECTS_CAP and end < buffer.size:
        start, end = end, min(end + BLOCK, buffer.size)
        objects += count_bytes(buffer.bytes, _BRACE, start, end)
    if objects > OBJECTS_CAP and objects * LEAST_OBJECT > buffer.size:
        raise Unreadable(
            "too-large",
            f"one JSON text of {objects:,} small objects; make lines of it with jq -c '.Records[]'",
        )


class _Buffer:
    """Memory that is reused for file after file.

    Fresh memory for each file costs nearly as much as decompressing it: about 3 ms for 8 MiB. The
    buffer therefore begins with the size that the smallest files need.
    """

    def __init__(self) -> None:
        self.bytes = bytearray(BLOCK)
        self.size = 0

    def fill(self, content: Content, limit: int) -> bool:
        """Read until ``limit`` bytes are held; return False if the content ends before."""
        while self.size < limit:
            if self.size == len(self.bytes):
                # Copy instead of growing in place: a chunk may still refer to the old memory.
                grown = bytearray(2 * len(self.bytes))
                grown[: self.size] = self.bytes
                self.bytes = grown
            end = min(self.size + BLOCK, limit, len(self.bytes))
            count = content.readinto(memoryview(self.bytes)[self.size : end])
            if not count:
                return False
            self.size += count
        return True

    def view(self, end: int) -> memoryview:
        return memoryview(self.bytes)[: min(end, self.size)]

    def drop(self, count: int) -> None:
        """Drop the first ``count`` bytes."""
        self.bytes[: self.size - count] = self.bytes[count : self.size]
        self.size -= count

    def drop_zeros(self) -> int:
        """Drop the zero bytes at the beginning; return their number.

        A log that was truncated while it was being written begins with a hole.
        """
        if not self.size or self.bytes[0]:
            return 0
        count = self.size - len(bytes(self.view(self.size)).lstrip(b"\0"))
        self.drop(count)
        return count


_free: list[_Buffer] = []
_REUSE_CAP = 128 << 20
"""The greatest size in bytes of a buffer that is reused for the next file."""


@contextlib.contextmanager
def _borrow_buffer() -> Iterator[_Buffer]:
    buffer = _free.pop() if _free else _Buffer()
    buffer.size = 0
    try:
        yield buffer
    finally:
        if len(buffer.bytes) <= _REUSE_CAP:
            _free.append(buffer)


def _start_of(buffer: _Buffer) -> bytes:
    """Return enough of a content's beginning to recognize its container."""
    start = bytes(buffer.view(MAGIC_BYTES))
    return start if start[:1] in (b"{", b"[") else bytes(buffer.view(BLOCK))


def _refuse_foreign(start: bytes) -> None:
    text = start.removeprefix(_BOM).lstrip(_WHITESPACE)
    if text and text[:1] not in (b"{", b"[") and not contains_json(text):
        from detector.formats.whereabouts import foreign_detail

        raise NotALog("not-json", foreign_detail(text))


def _is_lines(start: bytes, is_whole: bool) -> bool:
    """Return whether a file that begins with ``start`` is JSON Lines.

    That is so if an early line is JSON by itself, and the whole file is not one document.
    """
    lines = [
        text
        for line in start.split(b"\n", _LINES_SEEN)[:_LINES_SEEN]
        if (text := line.removeprefix(_BOM).strip(BLANK)) and not is_comment(text)
    ]
    if lines and is_container_line(lines[0]):
        return True
    # A document may have one record per line, and end after one if it is still being written.
    if len(lines) < 2 or lines[0][-1:] in (b"[", b"{", b","):
        return False
    if is_whole and _is_json(start):
        return False
    if not begins_json(lines[0]) and any(map(is_json_behind_text, lines)):
        return True
    if all(line.strip() in (b"{}", b"[]") for line in lines[:6]):
        return True
    return any(_is_json(line) or begins_value(line) for line in lines[:6])


def _is_json(text: bytes) -> bool:
    """Return whether a text is one string, or one object or array that is not empty."""
    text = text.removeprefix(_BOM).strip(BLANK)
    if len(text) == 2 or not text.startswith((b"{", b"[", b'"')):
        return False
    try:
        loads(text, msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True


def _cut_lines(buffer: _Buffer, content: Content, offset: int, member: str) -> Iterator[Chunk]:
    """Cut text into chunks of whole lines; an unfinished last line is a chunk of its own.

    Raises Unreadable for a line over ``LINE_CAP``."""
    has_more = True
    while has_more:
        has_more = buffer.fill(content, LINES_CHUNK)
        offset += buffer.drop_zeros()
        end = _end_of_lines(buffer)
        while not end and has_more:
            if buffer.size > LINE_CAP:
                raise Unreadable("too-large", f"a line of over {LINE_CAP >> 20} MiB")
            has_more = buffer.fill(content, buffer.size + LINES_CHUNK)
            offset += buffer.drop_zeros()
            end = _end_of_lines(buffer)
        if end:
            # Each line takes memory, however short it is.
            for part in _parts(buffer, end):
                yield Chunk(offset, buffer.view(end)[part], lines=True, member=member)
                offset += part.stop - part.start
            buffer.drop(end)
    if bytes(buffer.view(buffer.size)).strip(BLANK):
        yield Chunk(offset, buffer.view(buffer.size), lines=True, member=member)


def _parts(buffer: _Buffer, end: int) -> Iterator[slice]:
    """Yield the parts of whole lines up to ``end``, each of at most ``LINES_CAP`` lines."""
    # Without the library, searching for each newline is faster than counting them first.
    if end and is_available() and count_bytes(buffer.bytes, _NEWLINE, 0, end) < LINES_CAP:
        yield slice(0, end)
        return
    find, start, lines = buffer.bytes.find, 0, 0
    newline = find(b"\n", 0, end)
    while newline >= 0:
        lines += 1
        if lines == LINES_CAP:
            yield slice(start, newline + 1)
            start, lines = newline + 1, 0
        newline = find(b"\n", newline + 1, end)
    if start < end:
        yield slice(start, end)


def _end_of_lines(buffer: _Buffer) -> int:
    """Return the end of the last whole line in the buffer that does not split a record."""
    end = buffer.bytes.rfind(b"\n", 0, buffer.size) + 1
    return end_of_whole(buffer.bytes, end)
