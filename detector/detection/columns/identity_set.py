"""A set of stored identities that takes about fourteen bytes each.

Copies of an event may arrive in any file. Every hit is checked for a new identity, so the check is
made in memory; only if the identity may be known are the segments read.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from detector.formats.native.columns import IDENTITY, MarkTable

_BITS = 6
"""Size of the first table, as a power of two."""


class IdentitySet:
    """A set of hashes (marks) of identities; an identity without a mark is new.

    Identities may share a mark, so an identity whose mark is present is not necessarily stored."""

    def __init__(self) -> None:
        # Random, so that nobody who writes a log can choose identities that collide.
        self._table = MarkTable.of_size(_BITS, secrets.randbits(64) | 1)
        self._count = 0

    def __contains__(self, identity: bytes) -> bool:
        return self.has_any(identity)

    def has_any(self, identities: bytes) -> bool:
        """Return whether any of the concatenated identities may be present."""
        return bool(self.among(identities))

    def among(self, identities: bytes) -> Sequence[int]:
        """Return the indexes of those concatenated identities that may be present."""
        return self._table.find(identities) if self._count else ()

    def add_all(self, identities: bytes) -> int:
        """Add concatenated identities; return how many marks are new."""
        self._make_room(len(identities) // IDENTITY)
        added = self._table.add(identities)
        self._count += added
        return added

    def _make_room(self, count: int) -> None:
        """Grow the table so that ``count`` more marks fill at most three quarters of it."""
        before = self._table
        bits = before.bits
        while 4 * (self._count + count) > 3 << bits:
            bits += 1
        if bits > before.bits:
            self._table = MarkTable.of_size(bits, before.factor)
            self._table.add_marks_of(before)
