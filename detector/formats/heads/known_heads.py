"""The heads that were decoded before, by their signatures and by their raw bytes.

Most records make a call that a record of an earlier chunk made, in the same bytes. Their head is
not decoded again, and what follows from it is remembered with it. A new call mostly has texts that
were seen before.
"""

from __future__ import annotations

from typing import Any

import msgspec

from detector.cloudtrail.record import EventSignature
from detector.formats.heads.completeness import is_complete
from detector.formats.heads.head_table import TABLE_CAPACITY, HeadTable

_HEADS_LIMIT = 3 << 13
"""From so many heads on all are forgotten before the next chunk; in each five minutes, three
thousand sessions make half as many different calls, most of them again and again."""
_BYTES_LIMIT = 12 << 20
"""Of the raw bytes of the texts by which heads are known."""
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
        self._table: HeadTable[KnownHead] | None = None
        self._parts: dict[Any, Any] = {}
        self._kept = 0
        self._dropped_origins = 0
        """Of tables that were let go of: what follows from them is kept until all is forgotten."""
        self.generation = 0
        """Grows when all is forgotten."""

    def __len__(self) -> int:
        return len(self._by_signature)

    def trim(self) -> None:
        """Forget all, where that is much. Within a chunk a signature keeps its head."""
        if len(self._by_signature) > self._limit or self._kept > _KEPT_LIMIT or self._is_large():
            self._by_signature.clear()
            self._drop_table()
            self._dropped_origins = 0
            self._parts.clear()
            self._kept = 0
            self.generation += 1

    def _is_large(self) -> bool:
        origins = self._dropped_origins
        if self._table is not None:
            if self._table.text_bytes > _BYTES_LIMIT:
                return True
            origins += len(self._table.origins)
        return origins > self._limit // 2

    def table(self) -> HeadTable[KnownHead]:
        """Return the heads by their raw bytes, for another chunk."""
        if self._table is None or self._table.is_spent:
            self._drop_table()
            self._table = HeadTable(self._of_texts, TABLE_CAPACITY)
        return self._table

    def make_room(self, limit: int) -> bool:
        """Forget the heads by their raw bytes; return False where that makes no room.

        A table that was empty is made larger, up to ``limit`` heads."""
        capacity = TABLE_CAPACITY
        if self._table is not None and self._table.is_empty:
            capacity = 4 * self._table.capacity
        if capacity > limit:
            return False
        self._drop_table()
        self._table = HeadTable(self._of_texts, capacity)
        return True

    def _drop_table(self) -> None:
        """Let go of the table at once: its facts refer to it."""
        if self._table is not None:
            self._table.facts = None
            self._dropped_origins += len(self._table.origins)
        self._table = None

    def keep(self, size: int) -> None:
        """Count bytes of records that the facts of heads have come to keep."""
        self._kept += size

    def of_signature(self, signature: EventSignature) -> KnownHead:
        """Return the head of a signature."""
        head = self._by_signature.get(signature)
        if head is None:
            if len(self._by_signature) <= self._limit:
                share = self._parts.setdefault
                signature = EventSignature._make([share(part, part) for part in signature])
            head = self._add(signature)
        return head

    def _of_texts(self, signature: EventSignature) -> KnownHead:
        """Return the head of a signature whose texts a table has only once."""
        return self._by_signature.get(signature) or self._add(signature)

    def _add(self, signature: EventSignature) -> KnownHead:
        head = self._by_signature[signature] = KnownHead(signature, is_complete(signature))
        return head
