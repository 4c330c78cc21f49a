"""The heads and texts that the native cut has numbered, and their decoded forms.

Python owns the memory and frees it with the table; ``heads.h`` fills it. A text is decoded once,
however many heads share it.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
from collections.abc import Sequence

import msgspec

from detector.cloudtrail.record import ApiCall, Caller, Origin
from detector.formats.heads.callers import CALLER_BYTES, CALLER_CAPACITY, KnownCallers
from detector.formats.heads.head_parts import HeadParts
from detector.text.capped import capped

TABLE_CAPACITY = 1 << 16
"""The initial capacity for heads, texts, origins and calls, each."""
_BYTES = 16 << 20
"""The room for kept texts. Further texts stay in their chunk, and the table ends with it."""
_KNOWN = struct.Struct("=qII")
"""A text: start, size and hash."""
_ORIGIN = struct.Struct("=9i")
"""An origin: the numbers of its texts, in the order of ``heads.h``, and whether it has a caller."""
_CALL = struct.Struct("=5i")
"""A call: the numbers of its texts, and whether it is read-only."""
_SEEN_CALLERS = 2048 * struct.calcsize("=2q2I9i1i")
"""The bytes of the table of callers seen in a chunk, ``SeenCaller`` in ``heads.h``."""
_HEAD = struct.Struct("=2i")
"""A head: the numbers of its origin and its call."""
_POSTING_NAME = struct.Struct("=16p")
"""The name of a posting list: its size, and up to 15 bytes."""
_READ_ONLY = None, False, True

_SIZES = {
    "known": _KNOWN.size,
    "origin": _ORIGIN.size,
    "call": _CALL.size,
    "head": _HEAD.size,
    "group_of": 4,
    "stamp_of": 4,
    "text_table": 8,
    "origin_table": 8,
    "call_table": 8,
    "head_table": 8,
    "refused": 8,
    "posting_of": 4,
    "observed_of": 4,
    "changed_of": 4,
    "asked": 8,
    "kinds": 1,
    "posting_names": 16,
    "has_called": 1,
    "slot_of_origin": 4,
    "slot_of_posting": 4,
    "slot_of_observed": 4,
    "slot_of_changed": 4,
}
"""The bytes per entry of each array; hash tables have two places of four bytes per entry."""


class _Heads(ctypes.Structure):
    _fields_ = [
        ("capacity", ctypes.c_int64),
        ("table_size", ctypes.c_int64),
        ("bytes_capacity", ctypes.c_int64),
        ("texts", ctypes.c_int64),
        ("origins", ctypes.c_int64),
        ("calls", ctypes.c_int64),
        ("heads", ctypes.c_int64),
        ("bytes_end", ctypes.c_int64),
        ("in_chunk", ctypes.c_int64),
        ("known", ctypes.c_void_p),
        ("origin", ctypes.c_void_p),
        ("call", ctypes.c_void_p),
        ("head", ctypes.c_void_p),
        ("group_of", ctypes.c_void_p),
        ("stamp_of", ctypes.c_void_p),
        ("text_table", ctypes.c_void_p),
        ("origin_table", ctypes.c_void_p),
        ("call_table", ctypes.c_void_p),
        ("head_table", ctypes.c_void_p),
        ("bytes", ctypes.c_void_p),
        ("seen_callers", ctypes.c_void_p),
        ("stamp", ctypes.c_int64),
    ]


class Facts(ctypes.Structure):
    """The columns of origins and calls, ``Facts`` in ``sums.h``."""

    _fields_ = [
        ("refused", ctypes.c_void_p),
        ("posting_of", ctypes.c_void_p),
        ("observed_of", ctypes.c_void_p),
        ("changed_of", ctypes.c_void_p),
        ("asked", ctypes.c_void_p),
        ("kinds", ctypes.c_void_p),
        ("posting_names", ctypes.c_void_p),
        ("has_called", ctypes.c_void_p),
        ("slot_of_origin", ctypes.c_void_p),
        ("slot_of_posting", ctypes.c_void_p),
        ("slot_of_observed", ctypes.c_void_p),
        ("slot_of_changed", ctypes.c_void_p),
    ]


class _Texts(dict[int, str | None]):
    """The decoded texts by number; others are decoded on lookup."""

    def __init__(self, known: memoryview, kept: memoryview) -> None:
        super().__init__({0: None})
        self._known = known
        self._kept = kept

    def __missing__(self, number: int) -> str | None:
        start, size, _ = _KNOWN.unpack_from(self._known, _KNOWN.size * number)
        text = self[number] = _decode_text(self._kept[start : start + size])
        return text

    def forget(self) -> None:
        """Forget all decoded texts; they can be decoded again."""
        self.clear()
        self[0] = None


class _Origins(dict[int, Origin]):
    """The decoded origins by number; others are decoded on lookup."""

    def __init__(self, rows: memoryview, texts: _Texts) -> None:
        super().__init__()
        self._rows = rows
        self._texts = texts
        self._callers: dict[tuple[int, ...], Caller] = {}

    def __missing__(self, number: int) -> Origin:
        origin = self[number] = self._origin(_ORIGIN.unpack_from(self._rows, _ORIGIN.size * number))
        return origin

    def decode(self, first: int, end: int) -> None:
        """Decode the origins with the numbers ``[first, end)``."""
        rows = _ORIGIN.iter_unpack(self._rows[_ORIGIN.size * first : _ORIGIN.size * end])
        self.update(enumerate(map(self._origin, rows), first))

    def forget(self) -> None:
        """Forget all decoded origins; they can be decoded again."""
        self.clear()
        self._callers.clear()

    def _origin(self, row: tuple[int, ...]) -> Origin:
        _, _, _, _, recipient, address, agent, region, has_caller = row
        texts = self._texts
        return (
            self._caller(row[:4]) if has_caller else None,
            texts[recipient],
            texts[address],
            texts[agent],
            texts[region],
        )

    def _caller(self, names: tuple[int, ...]) -> Caller:
        """Return the caller of these texts: ARN, account, access key and invoking service."""
        caller = self._callers.get(names)
        if caller is None:
            caller = self._callers[names] = Caller(*map(self._texts.__getitem__, names))
        return caller


class HeadTable(HeadParts):
    """Origins, calls and heads by the numbers that C has given their raw bytes.

    Different raw texts may decode to the same text, so origins, calls and heads may have several
    numbers. Pages of the memory that were never written take no room."""

    def __init__(self, capacity: int) -> None:
        super().__init__()
        self.capacity = capacity
        sizes = {name: size * capacity for name, size in _SIZES.items()}
        sizes |= {"seen_callers": _SEEN_CALLERS, "bytes": _BYTES}
        self._memory = mmap.mmap(
            -1, sum(sizes.values()), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        )
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        views, pointers, start = {}, {}, 0
        for name, size in sizes.items():
            views[name] = memoryview(self._memory)[start : start + size]
            pointers[name] = address + start
            start += size
        self.structure = _Heads(capacity, 2 * capacity, _BYTES, 1, 1, 1, 1)
        self.facts_structure = Facts()
        for structure in (self.structure, self.facts_structure):
            for name in pointers.keys() & {field[0] for field in structure._fields_}:
                setattr(structure, name, pointers[name])
        self._views = views
        self.refused, self.asked = views["refused"].cast("Q"), views["asked"].cast("Q")
        self.posting_of, self.kinds = views["posting_of"].cast("i"), views["kinds"]
        self.observed_of = views["observed_of"].cast("i")
        self.changed_of = views["changed_of"].cast("i")
        self._decoded = 0
        self._decoded_texts = self._decoded_origins = 1
        self._texts = _Texts(views["known"], views["bytes"])
        self.origins = _Origins(views["origin"], self._texts)

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been numbered yet."""
        return self.origin_count == 1

    @property
    def origin_count(self) -> int:
        return int(self.structure.origins)

    @property
    def is_spent(self) -> bool:
        """Whether texts lie in a chunk, so that the table ends with the chunk."""
        return bool(self.structure.in_chunk)

    @property
    def text_bytes(self) -> int:
        """The size of the kept texts in bytes."""
        return int(self.structure.bytes_end)

    def decode(self, data: memoryview) -> None:
        """Decode the origins and calls that were numbered in the chunk ``data``."""
        if self._decoded_texts < self.structure.texts:
            self._decode_texts(data)
        self.origins.decode(self._decoded_origins, self.origin_count)
        self._decoded_origins = self.origin_count
        first, end = _CALL.size * len(self.calls), _CALL.size * self.structure.calls
        self.calls += map(self._call, _CALL.iter_unpack(self._views["call"][first:end]))

    def forget(self) -> None:
        """Forget decoded texts and origins; they are decoded again on demand.

        Their numbers stay valid. No text may lie in a chunk."""
        self._texts.forget()
        self.origins.forget()

    def new_callers(
        self, capacity: int = CALLER_CAPACITY, size: int = CALLER_BYTES
    ) -> KnownCallers:
        return KnownCallers(capacity, size)

    def name_posting(self, number: int, name: bytes) -> None:
        _POSTING_NAME.pack_into(self._views["posting_names"], _POSTING_NAME.size * number, name)

    def take_callers(self) -> set[int]:
        flags = self._views["has_called"][: self.origin_count]
        callers = {number for number, has_called in enumerate(flags) if has_called}
        flags[:] = bytes(len(flags))
        return callers

    def parts(self, number: int) -> tuple[int, int]:
        origin, call = _HEAD.unpack_from(self._views["head"], _HEAD.size * number)
        return origin, call

    def calls_of(self, numbers: Sequence[int]) -> list[int]:
        calls = self._views["head"].cast("i")[1::2]
        return list(map(calls.__getitem__, numbers))

    def _decode_texts(self, data: memoryview) -> None:
        first, end = _KNOWN.size * self._decoded_texts, _KNOWN.size * self.structure.texts
        spans = _KNOWN.iter_unpack(self._views["known"][first:end])
        base = self._decoded
        texts: Sequence[str]
        kept = bytes(self._views["bytes"][base : self.structure.bytes_end])
        if kept.isascii() and b"\\" not in kept and not self.is_spent:
            text = kept.decode("ascii")
            texts = [text[start - base : start - base + size] for start, size, _ in spans]
        else:
            kept_view = memoryview(kept)
            texts = [
                _decode_text((kept_view[start - base :] if start >= 0 else data[~start:])[:size])
                for start, size, _ in spans
            ]
        self._decoded = self.structure.bytes_end
        self._texts.update(enumerate(texts, self._decoded_texts))
        self._decoded_texts = self.structure.texts

    def _call(self, row: tuple[int, ...]) -> ApiCall:
        source, name, category, error, read_only = row
        texts = self._texts
        return texts[source], texts[name], _READ_ONLY[read_only], texts[category], texts[error]


def _decode_text(data: memoryview) -> str:
    """Decode the raw bytes between the quotes of a JSON string; overlong texts are truncated."""
    raw = bytes(data)
    return capped(msgspec.json.decode(b'"%s"' % raw, type=str) if b"\\" in raw else raw.decode())
