"""Which identities are stored, at some fourteen bytes each.

Copies of an event may come in any file. Whether an identity is new is asked of every hit, so it is
answered from memory; where it is not, the segments tell.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from detector.formats.native.columns import IDENTITY, MarkTable

_BITS = 6
"""Of the size of the first table."""


class IdentitySet:
    """Marks of identities; an identity without a mark is new.

    Identities may share a mark, so one whose mark is in here need not be stored."""

    def __init__(self) -> None:
        # At random: who writes a log must not know which marks have one place.
        self._table = MarkTable.of_size(_BITS, secrets.randbits(64) | 1)
        self._count = 0

    def __contains__(self, identity: bytes) -> bool:
        return self.has_any(identity)

    def has_any(self, identities: bytes) -> bool:
        """Tell whether one of the identities that follow each other may be in here."""
        return bool(self.among(identities))

    def among(self, identities: bytes) -> Sequence[int]:
        """Return the numbers of those that may be in here, of identities that follow each other."""
        return self._table.find(identities) if self._count else ()

    def add_all(self, identities: bytes) -> int:
        """Add identities that follow each other; return how many marks are new."""
        self._make_room(len(identities) // IDENTITY)
        added = self._table.add(identities)
        self._count += added
        return added

    def _make_room(self, count: int) -> None:
        """Have at most three quarters of the table taken, after so many more."""
        before = self._table
        bits = before.bits
        while 4 * (self._count + count) > 3 << bits:
            bits += 1
        if bits > before.bits:
            self._table = MarkTable.of_size(bits, before.factor)
            self._table.add_marks_of(before)
