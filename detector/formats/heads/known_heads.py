"""The heads of previous chunks, by raw bytes and in decoded form.

Most records repeat a call of an earlier chunk; the facts derived from a head are remembered with
it. The texts of a new call have mostly been seen before.
"""

from __future__ import annotations

from typing import Any

from detector.formats.heads.decoded_heads import DecodedHeads
from detector.formats.heads.head_table import TABLE_CAPACITY, HeadTable

_HEADS_LIMIT = 3 << 13
"""The number of heads from which all are forgotten before the next chunk.

In five minutes, three thousand sessions make half as many different calls, most of them
repeatedly."""
_BYTES_LIMIT = 12 << 20
"""The greatest size of the raw texts by which heads are known, in bytes."""
_KEPT_LIMIT = 24 << 20
"""The greatest size of record bytes that heads' facts keep; for most heads, none or a caller."""


class KnownHeads:
    """The heads of successive chunks. They only affect speed, never a result."""

    def __init__(self, limit: int = _HEADS_LIMIT) -> None:
        self._limit = limit
        self._table: HeadTable | None = None
        self.decoded = DecodedHeads()
        """The heads that were numbered in Python, not by the native cut."""
        self._kept = 0
        self._other_origins = 0
        """The number of origins that left the table but whose facts are still kept."""
        self.generation = 0
        """Increases whenever everything is forgotten."""

    def trim(self) -> None:
        """Forget everything if it has grown too large.

        Only to be called between chunks: within a chunk, a head keeps its number."""
        if len(self.decoded.heads) > self._limit or self._kept > _KEPT_LIMIT or self._is_large():
            self.forget()

    def forget(self) -> None:
        """Forget everything."""
        self.decoded.facts = None
        self.decoded = DecodedHeads()
        self._drop_table()
        self._other_origins = 0
        self._kept = 0
        self.generation += 1

    def turn(self) -> set[Any]:
        """Forget the facts of origins without a call since the last turn.

        Returns the facts of the remaining origins, as the ``turn`` of the tables' facts does."""
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
        """Return the table of heads by raw bytes for the next chunk."""
        if self._table is None or self._table.is_spent:
            self._drop_table()
            self._table = HeadTable(TABLE_CAPACITY)
        return self._table

    def make_room(self, limit: int) -> bool:
        """Replace the table of heads by raw bytes; return False if that would not make room.

        If the table is empty, the new one is larger, up to ``limit`` heads."""
        capacity = TABLE_CAPACITY
        if self._table is not None and self._table.is_empty:
            capacity = 4 * self._table.capacity
        if capacity > limit:
            return False
        self._drop_table()
        self._table = HeadTable(capacity)
        return True

    def _drop_table(self) -> None:
        """Drop the table and its facts, which refer to it, so that it is freed at once."""
        if self._table is not None:
            self._table.facts = None
            self._other_origins += len(self._table.origins)
        self._table = None

    def keep(self, size: int) -> None:
        """Count record bytes that the facts of heads newly keep."""
        self._kept += size
