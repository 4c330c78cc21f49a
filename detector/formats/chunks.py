"""The cutting of a file's bytes into chunks of JSON.

A trail file is one JSON document; it is held whole, up to ``DOCUMENT_CAP``. JSON Lines are cut at
line ends, so that a file of any size is read in flat memory. The content of containers is unpacked
layer by layer, member by member; offsets then count the bytes of all that was unpacked, in order.
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
"""Bytes that are read before a large file is judged to be lines or one document."""
LINES_CHUNK = 8 << 20
LINE_CAP = 64 << 20
DOCUMENT_CAP = 1 << 30
"""Decompressed bytes. CloudTrail's own files hold at most 50 MB compressed, some 600 MB as JSON."""
LINES_CAP = 1 << 16
"""Lines of a chunk; of CloudTrail's own some 8,000 fill one."""
OBJECTS_CAP = 1_000_000
LEAST_OBJECT = 96
"""A document of more objects that have fewer bytes on average is not read: CloudTrail's have twice
as many."""
_SHORTEST_OBJECT = 2
"""Bytes of ``{}``."""
LAYERS_CAP = 5
"""Containers that may be nested in each other."""

_GZIP = b"\x1f\x8b"
_BOM = b"\xef\xbb\xbf"
_WHITESPACE = b" \t\r\n"
_NEWLINE, _BRACE = b"\n{"
_LINES_SEEN = 50
"""Lines at the beginning of which one must be JSON, at least behind other text."""


class Chunk(NamedTuple):
    """A part of a file: a whole JSON document, or whole lines.

    ``data`` is in memory that the next chunk is read into: it is valid until then.
    """

    offset: int
    """In decompressed bytes."""
    data: memoryview
    lines: bool
    member: str = ""
    """The name in an archive."""
    problem: Unreadable | None = None
    """The reason why the member could not be read; ``data`` is empty then."""
    decompressed: bool = False
    """The offset is not one of the file itself."""

    @property
    def end(self) -> int:
        return self.offset + len(self.data)

    @property
    def is_unfinished(self) -> bool:
        """Tell whether it is lines that end within a line, or within a record of several."""
        if not self.lines:
            return False
        data = bytes(self.data)
        return data[-1:] != b"\n" or not end_of_whole(data, len(data))


def read_chunks(file: BinaryIO, offset: int = 0) -> Generator[Chunk, None, None]:
    """Read the chunks of a file. Raises Unreadable, Incomplete or NotALog.

    ``offset`` is 0, or where a chunk or a line starts. A last line without its newline is a chunk
    of its own: it may be whole, or still being written.
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
        file.seek(0)  # Reading the stream finds what follows a member, or says what is wrong.
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
    """Unpack a gzip file that is one small document, of which ``read_chunks`` makes one chunk.

    None for any other. The file is at its beginning, and then anywhere."""
    text = gunzip_at_once(file, size, BLOCK)
    return text if text is not None and _is_small_document(text) else None


def _is_small_document(text: bytes) -> bool:
    """Tell whether a text is one line that begins as JSON, and would be read as one block."""
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
    """Read the chunks in a container, and return where they end.

    The first is at offset ``base``. ``buffer`` has the content's beginning; ``depth`` containers
    are around it.
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
            # A damaged member costs itself only; it takes one byte of offset.
            yield Chunk(base, memoryview(b""), lines=False, member=path, problem=error)
            base += 1
    return base


def _cut(
    buffer: _Buffer, content: Content, has_more: bool, offset: int, member: str
) -> Iterator[Chunk]:
    """Cut text that starts at ``offset``; ``buffer`` has its first block."""
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
    """Raise Unreadable for a text of very many small objects; most texts are not counted whole."""
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

    Fresh memory for each file costs nearly as much as decompressing it: 8 MiB some 3 ms, so that it
    begins with what the smallest files need.
    """

    def __init__(self) -> None:
        self.bytes = bytearray(BLOCK)
        self.size = 0

    def fill(self, content: Content, limit: int) -> bool:
        """Read until ``limit`` bytes are held; False if the content ends before."""
        while self.size < limit:
            if self.size == len(self.bytes):
                # Not in place: a chunk may still refer to the old memory.
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
        """Drop the zeros at the beginning; return how many there were.

        A log that was truncated while it was being written begins with a hole.
        """
        if not self.size or self.bytes[0]:
            return 0
        count = self.size - len(bytes(self.view(self.size)).lstrip(b"\0"))
        self.drop(count)
        return count


_free: list[_Buffer] = []
_REUSE_CAP = 128 << 20
"""Bytes of a buffer up to which it is reused for the next file."""


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
    """Return enough of a content's beginning to tell its container."""
    start = bytes(buffer.view(MAGIC_BYTES))
    return start if start[:1] in (b"{", b"[") else bytes(buffer.view(BLOCK))


def _refuse_foreign(start: bytes) -> None:
    text = start.removeprefix(_BOM).lstrip(_WHITESPACE)
    if text and text[:1] not in (b"{", b"[") and not contains_json(text):
        from detector.formats.whereabouts import foreign_detail

        raise NotALog("not-json", foreign_detail(text))


def _is_lines(start: bytes, is_whole: bool) -> bool:
    """Tell whether a file that begins with ``start`` is JSON Lines.

    Then an early line is JSON by itself, and the whole file is not one document.
    """
    lines = [
        text
        for line in start.split(b"\n", _LINES_SEEN)[:_LINES_SEEN]
        if (text := line.removeprefix(_BOM).strip(BLANK)) and not is_comment(text)
    ]
    if lines and is_container_line(lines[0]):
        return True
    # A document may have a record a line, and end after one while it is being written.
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
    """Tell whether a text is one JSON value that is not empty."""
    text = text.removeprefix(_BOM).strip(BLANK)
    if len(text) == 2 or not text.startswith((b"{", b"[", b'"')):
        return False
    try:
        loads(text, msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True


def _cut_lines(buffer: _Buffer, content: Content, offset: int, member: str) -> Iterator[Chunk]:
    """Cut text into chunks of whole lines, and the rest."""
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
            # Each line costs memory of its own, however short.
            for part in _parts(buffer, end):
                yield Chunk(offset, buffer.view(end)[part], lines=True, member=member)
                offset += part.stop - part.start
            buffer.drop(end)
    if bytes(buffer.view(buffer.size)).strip(BLANK):
        yield Chunk(offset, buffer.view(buffer.size), lines=True, member=member)


def _parts(buffer: _Buffer, end: int) -> Iterator[slice]:
    """Yield the parts of whole lines up to ``end``, each of at most ``LINES_CAP`` lines."""
    # Without the library, looking for each newline takes less than counting all.
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
    """Return the end of the last whole line in the buffer, and of a record of several."""
    end = buffer.bytes.rfind(b"\n", 0, buffer.size) + 1
    return end_of_whole(buffer.bytes, end)
