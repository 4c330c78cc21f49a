"""Which identities are stored, at nine bytes each.

Copies of an event may come in any file. Whether an identity is new is asked of every hit, so it is
answered from memory; where it is not, the segments tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from detector.store.packing.segment import IDENTITY

_MARK = 8
"""Bytes of an identity that are kept."""
_FULL = 32 * _MARK
"""Bytes in a bucket, on the average, from which on there are more buckets."""


class IdentitySet:
    """Marks of identities; an identity without a mark is new.

    Identities may share a mark, so one whose mark is in here need not be stored."""

    def __init__(self) -> None:
        self._size = 0
        self._buckets = [bytearray() for _ in range(64)]

    def __contains__(self, identity: bytes) -> bool:
        mark = identity[:_MARK]
        return mark in self._buckets[hash(mark) & (len(self._buckets) - 1)]

    def has_any(self, identities: bytes) -> bool:
        """Tell whether one of the identities that follow each other may be in here."""
        buckets, mask = self._buckets, len(self._buckets) - 1
        marks = [identities[first : first + _MARK] for first in range(0, len(identities), IDENTITY)]
        return any(mark in buckets[hash(mark) & mask] for mark in marks)

    def add(self, identities: Iterable[bytes]) -> None:
        """Add identities, each of which is new."""
        self._add(identity[:_MARK] for identity in identities)

    def add_all(self, identities: bytes) -> None:
        """Add identities that follow each other, each of which is new."""
        self._add(
            identities[first : first + _MARK] for first in range(0, len(identities), IDENTITY)
        )

    def _add(self, marks: Iterable[bytes]) -> None:
        before, mask = self._buckets, len(self._buckets) - 1
        for mark in marks:
            before[hash(mark) & mask] += mark
            self._size += _MARK
        if self._size > _FULL * len(before):
            size = len(before)
            while 2 * self._size > _FULL * size:
                size *= 2
            self._buckets = [bytearray() for _ in range(size)]
            self._size = 0
            self._add(mark for bucket in before for mark in _marks(bucket))


def _marks(bucket: bytearray) -> Iterator[bytes]:
    for first in range(0, len(bucket), _MARK):
        yield bytes(bucket[first : first + _MARK])
