"""The heads that were decoded before, by their signatures and by their raw bytes.

Most records make a call that a record of an earlier chunk made, in the same bytes. Their head is
not decoded again, and what follows from it is remembered with it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from detector.cloudtrail.record import EventSignature
from detector.formats.search import is_complete

_HEADS_LIMIT = 3 << 13
"""From so many heads on all are forgotten before the next chunk; in each five minutes, three
thousand sessions make half as many different calls, most of them again and again."""
_BYTES_LIMIT = 12 << 20
"""Of the raw bytes by which heads are known."""
_KEPT_LIMIT = 24 << 20
"""Of the bytes of records that the facts of heads keep; for most heads, none or a caller."""


class KnownHead(msgspec.Struct, eq=False):
    """A signature, of which there is one object while its head is known.

    ``facts`` are what the reader of records has found to follow from it."""

    signature: EventSignature
    is_complete: bool
    facts: Any = None


class RecordGroup(msgspec.Struct, gc=False):
    """The records of one signature in a chunk, by their indexes in order.

    ``span`` are the first and the last of their times, where all have one and it was told."""

    head: KnownHead
    indexes: list[int]
    span: tuple[int, int] | None = None


class KnownHeads:
    """The heads of chunks that follow each other. They change speed only, never a result."""

    def __init__(self, limit: int = _HEADS_LIMIT) -> None:
        self._limit = limit
        self._by_signature: dict[EventSignature, KnownHead] = {}
        self._by_bytes: dict[bytes, KnownHead] = {}
        self._parts: dict[Any, Any] = {}
        self._size = 0
        self._kept = 0
        self.generation = 0
        """Grows when all is forgotten."""

    def __len__(self) -> int:
        return len(self._by_signature)

    def trim(self) -> None:
        """Forget all, where that is much. Within a chunk a signature keeps its head."""
        if (
            len(self._by_signature) > self._limit
            or self._size > _BYTES_LIMIT
            or self._kept > _KEPT_LIMIT
        ):
            self._by_signature.clear()
            self._by_bytes.clear()
            self._parts.clear()
            self._size = self._kept = 0
            self.generation += 1

    def keep(self, size: int) -> None:
        """Count bytes of records that the facts of heads have come to keep."""
        self._kept += size

    def of_bytes(self, raw: bytes) -> KnownHead | None:
        """Return the head of records whose heads have these bytes, once it is known."""
        return self._by_bytes.get(raw)

    def of_signature(self, signature: EventSignature) -> KnownHead:
        """Return the head of a signature."""
        head = self._by_signature.get(signature)
        if head is None:
            if len(self._by_signature) <= self._limit:
                share = self._parts.setdefault
                signature = EventSignature._make([share(part, part) for part in signature])
            head = self._by_signature[signature] = KnownHead(signature, is_complete(signature))
        return head

    def remember(self, raw: bytes, head: KnownHead) -> None:
        """Know a head by its bytes, where they are not empty and not too many."""
        if raw and self._size <= _BYTES_LIMIT:
            self._by_bytes[raw] = head
            self._size += len(raw)
