"""The heads and texts that the native cut has numbered, and what was decoded of them.

The memory belongs to Python and is freed with the table; ``heads.h`` fills it. A text is decoded
once, however many heads have it.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from detector.cloudtrail.record import Caller, EventSignature
from detector.text.capped import TEXT_CAP, capped

TABLE_CAPACITY = 1 << 16
"""Of heads, and of texts."""
_BYTES = 16 << 20
"""Of the texts that are kept; others lie in their chunk, and the table ends with it."""
_KNOWN = struct.Struct("=qII")
"""A text: its start, its size, a hash."""
_HEAD = struct.Struct("=14i")
"""The parts of a head, by number."""
_READ_ONLY = None, False, True

H = TypeVar("H")


class _Heads(ctypes.Structure):
    _fields_ = [
        ("capacity", ctypes.c_int64),
        ("table_size", ctypes.c_int64),
        ("bytes_capacity", ctypes.c_int64),
        ("texts", ctypes.c_int64),
        ("heads", ctypes.c_int64),
        ("bytes_end", ctypes.c_int64),
        ("in_chunk", ctypes.c_int64),
        ("known", ctypes.c_void_p),
        ("head", ctypes.c_void_p),
        ("group_of", ctypes.c_void_p),
        ("stamp_of", ctypes.c_void_p),
        ("text_table", ctypes.c_void_p),
        ("head_table", ctypes.c_void_p),
        ("bytes", ctypes.c_void_p),
        ("stamp", ctypes.c_int64),
    ]


class HeadTable(Generic[H]):
    """What is known of heads by their numbers, from 1 on.

    ``heads`` are made of signatures by ``make``. Pages of the memory that nothing was written to
    take no room."""

    def __init__(self, make: Callable[[EventSignature], H], capacity: int) -> None:
        self.capacity = capacity
        table_size = 2 * capacity
        sizes = [_KNOWN.size * capacity, _HEAD.size * capacity, 4 * capacity, 4 * capacity]
        sizes += [4 * table_size, 4 * table_size, _BYTES]
        self._memory = mmap.mmap(-1, sum(sizes), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        pointers = [address + sum(sizes[:number]) for number in range(len(sizes))]
        self.structure = _Heads(capacity, table_size, _BYTES, 1, 1, 0, 0, *pointers, 0)
        view = memoryview(self._memory)
        self._known = view[: sizes[0]]
        self._heads = view[sizes[0] :][: sizes[1]]
        self._bytes = view[sum(sizes[:-1]) :]
        self._decoded = 0
        self._texts: list[Any] = [None]
        self._callers: dict[tuple[int, ...], Caller] = {}
        self._make = make
        self.heads: list[Any] = [None]
        self.may_alias = False
        """Two texts that differ may have decoded alike, and so two heads."""

    @property
    def is_empty(self) -> bool:
        """Nothing is known yet."""
        return len(self.heads) == 1

    @property
    def is_spent(self) -> bool:
        """Texts lie in a chunk, and end with it."""
        return bool(self.structure.in_chunk)

    @property
    def text_bytes(self) -> int:
        """The bytes of the texts that are kept."""
        return int(self.structure.bytes_end)

    def decode(self, data: memoryview) -> None:
        """Decode the heads that were numbered in the chunk ``data``, with their texts."""
        if len(self._texts) < self.structure.texts:
            self._decode_texts(data)
        if len(self.heads) < self.structure.heads:
            self._decode_heads()

    def _decode_texts(self, data: memoryview) -> None:
        first, end = _KNOWN.size * len(self._texts), _KNOWN.size * self.structure.texts
        spans = _KNOWN.iter_unpack(self._known[first:end])
        base = self._decoded
        kept = bytes(self._bytes[base : self.structure.bytes_end])
        if kept.isascii() and b"\\" not in kept and not self.is_spent:
            text = kept.decode("ascii")
            texts = [text[start - base : start - base + size] for start, size, _ in spans]
        else:
            texts = [
                self._decode_text(
                    memoryview(kept)[start - base :] if start >= 0 else data[~start:], size
                )
                for start, size, _ in spans
            ]
        self._decoded = self.structure.bytes_end
        self._texts += texts

    def _decode_text(self, data: memoryview, size: int) -> str:
        raw = bytes(data[:size])
        if b"\\" in raw:
            self.may_alias = True
            text = msgspec.json.decode(b'"%s"' % raw, type=str)
        else:
            text = raw.decode()
        self.may_alias |= len(text) > TEXT_CAP
        return capped(text)

    def _decode_heads(self) -> None:
        first, end = _HEAD.size * len(self.heads), _HEAD.size * self.structure.heads
        rows = _HEAD.iter_unpack(self._heads[first:end])
        self.heads += [self._make(self._signature_of(row)) for row in rows]

    def _signature_of(self, row: tuple[int, ...]) -> EventSignature:
        """Return the signature of a head, its parts in the order of ``heads.h``."""
        _, _, _, _, source, name, region, address, agent, error, recipient, category, *flags = row
        texts = self._texts
        return EventSignature(
            self._caller(row[:4]) if flags[1] else None,
            texts[source],
            texts[name],
            texts[region],
            texts[address],
            texts[agent],
            texts[error],
            _READ_ONLY[flags[0]],
            texts[recipient],
            texts[category],
        )

    def _caller(self, names: tuple[int, ...]) -> Caller:
        """Return the caller of these texts: ARN, account, key and what invoked it."""
        caller = self._callers.get(names)
        if caller is None:
            caller = self._callers[names] = Caller(*map(self._texts.__getitem__, names))
        return caller
