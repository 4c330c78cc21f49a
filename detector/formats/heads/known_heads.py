"""The heads of chunks before, by their raw bytes and as they were decoded.

Most records make a call that a record of an earlier chunk made. What follows from their head is
remembered with it. A new call mostly has texts that were seen before.
"""

from __future__ import annotations

from typing import Any

from detector.formats.heads.decoded_heads import DecodedHeads
from detector.formats.heads.head_table import TABLE_CAPACITY, HeadTable

_HEADS_LIMIT = 3 << 13
"""From so many heads on all are forgotten before the next chunk; in each five minutes, three
thousand sessions make half as many different calls, most of them again and again."""
_BYTES_LIMIT = 12 << 20
"""Of the raw bytes of the texts by which heads are known."""
_KEPT_LIMIT = 24 << 20
"""Of the bytes of records that the facts of heads keep; for most heads, none or a caller."""


class KnownHeads:
    """The heads of chunks that follow each other. They change speed only, never a result."""

    def __init__(self, limit: int = _HEADS_LIMIT) -> None:
        self._limit = limit
        self._table: HeadTable | None = None
        self.decoded = DecodedHeads()
        """The heads that the native cut has not numbered."""
        self._kept = 0
        self._other_origins = 0
        """Those that are not in the table any more, of which it is kept what follows from them."""
        self.generation = 0
        """Grows when all is forgotten."""

    def trim(self) -> None:
        """Forget all, where that is much. Within a chunk a head keeps its number."""
        if len(self.decoded.heads) > self._limit or self._kept > _KEPT_LIMIT or self._is_large():
            self.forget()

    def forget(self) -> None:
        """Forget all."""
        self.decoded.facts = None
        self.decoded = DecodedHeads()
        self._drop_table()
        self._other_origins = 0
        self._kept = 0
        self.generation += 1

    def turn(self) -> set[Any]:
        """Forget what follows from origins that were not asked for since the last time.

        Return what is left, as the facts of the tables do."""
        left: set[Any] = set()
        for table in (self._table, self.decoded):
            if table is not None and table.facts is not None:
                left |= table.facts.turn()
                table.forget()
        self._other_origins = len(left)
        return left

    def _is_large(self) -> bool:
        origins = self._other_origins + len(self.decoded.origins)
        if self._table is not None:
            if self._table.text_bytes > _BYTES_LIMIT:
                return True
            origins += len(self._table.origins)
        return origins > self._limit // 2

    def table(self) -> HeadTable:
        """Return the heads by their raw bytes, for another chunk."""
        if self._table is None or self._table.is_spent:
            self._drop_table()
            self._table = HeadTable(TABLE_CAPACITY)
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
        self._table = HeadTable(capacity)
        return True

    def _drop_table(self) -> None:
        """Let go of the table at once: its facts refer to it."""
        if self._table is not None:
            self._table.facts = None
            self._other_origins += len(self._table.origins)
        self._table = None

    def keep(self, size: int) -> None:
        """Count bytes of records that the facts of heads have come to keep."""
        self._kept += size
