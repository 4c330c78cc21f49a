"""Records that a container runtime split into several lines.

Runtimes split a line every 16 KiB: Kubernetes marks all pieces but the last with ``P``, Docker
leaves out their line ends. The pieces of different streams may be interleaved.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from detector.formats.json_spans import decode_string, split_members
from detector.formats.text_forms import contains_json, is_value
from detector.text.late_pattern import late_pattern

PIECES_CAP = 16 << 20
"""The most bytes in the pieces of one record. CloudTrail's own records have at most 1 MB."""
_CRI = late_pattern(rb"\S{10,64} (stdout|stderr) ([PF])(?::\S*)? ")
_LOG = b'"log"'
_OF_LINE = frozenset({"log", "time", "date", "@timestamp"})


class _Piece(NamedTuple):
    """A line of a container's log."""

    stream: tuple[bytes, ...]
    text: bytes
    is_last: bool
    """Whether it is the last piece of the line that the container wrote."""


def join_pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines; the pieces of one record are joined."""
    pending: dict[tuple[bytes, ...], list[bytes]] = {}
    for line in lines:
        piece = _piece_of(line)
        if piece is None or (piece.is_last and piece.stream not in pending):
            if piece is None or piece.text.strip():
                yield line
        elif piece.is_last and is_value(piece.text.strip()):
            # The last piece of the pending line was lost.
            yield b"".join(pending.pop(piece.stream))
            yield line
        elif piece.is_last:
            yield b"".join([*pending.pop(piece.stream), piece.text])
        elif piece.stream in pending:
            pending[piece.stream].append(piece.text)
        elif contains_json(piece.text):
            pending[piece.stream] = [piece.text]
        else:
            yield line
    for parts in pending.values():
        yield b"".join(parts)


def end_of_whole(data: bytes | bytearray, end: int) -> int:
    """Return the end of the lines before ``end`` that belong to complete records.

    ``end`` is the end of a line; the result is, too, or it is 0.
    """
    start, position = end, end
    while position and end - position < PIECES_CAP:
        line_start = data.rfind(b"\n", 0, position - 1) + 1
        piece = _piece_of(bytes(data[line_start : position - 1]))
        if piece is None or piece.is_last:
            return start
        if contains_json(piece.text):
            start = line_start
        position = line_start
    return end if position else start


def _piece_of(line: bytes) -> _Piece | None:
    """Parse a line of a container's log, whether a piece or a whole line; None for others."""
    match = _CRI.match(line)
    if match:
        return _Piece((match[1],), line[match.end() :].rstrip(b"\r"), match[2] == b"F")
    if line[:1] != b"{" or _LOG not in line:
        return None
    try:
        members = split_members(line)
        text = decode_string(members["log"])
    except (json.JSONDecodeError, RecursionError, KeyError):
        return None
    if members["log"][:1] != b'"':
        return None
    others = {
        name: value
        for name, value in members.items()
        if name not in _OF_LINE and not name.startswith("partial_")
    }
    stream = tuple(part for name, value in others.items() for part in (name.encode(), value))
    is_last = members.get("partial_last", b"").strip(b'"') == b"true"
    return _Piece(stream, text, is_last or text.endswith(b"\n") or is_value(text))


def is_container_line(line: bytes) -> bool:
    """Return whether a line is from a container's log in Kubernetes (CRI format)."""
    return _CRI.match(line) is not None
