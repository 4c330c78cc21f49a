"""Who is in a chunk, and where: so that a search passes over what holds nothing of it, and reads what does alone.

Names are what a lineage goes by (principals, access keys, also those that a call to STS issued); only a checksum of
each is kept. Two names with one checksum cost a search in vain, never a record.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import accumulate
from operator import sub
from zlib import crc32

import msgspec

from detector.detection.principal import RelatedPrincipals

PrincipalHashes = tuple[int, ...]
"""The checksums of the names that a record carries, sorted."""
PostingLists = dict[PrincipalHashes, list[int]]
"""The indexes of records, by what they carry."""


class _Packed(msgspec.Struct, array_like=True, gc=False):
    plain: bool
    groups: list[tuple[PrincipalHashes, list[int]]]
    """With each index as its distance from the one before."""


class PrincipalIndex:
    """Who is in a chunk. ``plain``: its records stand in it as they are, which ``formats.rows`` is
    to be told."""

    def __init__(self, encoded: bytes) -> None:
        found = _decoder.decode(encoded)
        self.plain = found.plain
        self._groups = found.groups
        self._of: dict[int, list[int]] = defaultdict(list)
        for place, (marks, _) in enumerate(found.groups):
            for mark in marks:
                self._of[mark].append(place)

    def holds(self, wanted: Iterable[int], but: Set[int] = frozenset()) -> bool:
        """Whether some record carries a wanted mark, other than those at the indexes ``but``."""
        groups = {place for mark in wanted for place in self._of.get(mark, ())}
        return any(set(self._indexes(place)) - but for place in groups) if but else bool(groups)

    def where(self, wanted: Set[int]) -> Iterator[tuple[PrincipalHashes, Sequence[int]]]:
        """The indexes of the records that carry a wanted mark, in order, with all that they
        carry."""
        for place in sorted({place for mark in wanted for place in self._of.get(mark, ())}):
            yield self._groups[place][0], self._indexes(place)

    def _indexes(self, place: int) -> list[int]:
        return list(accumulate(self._groups[place][1]))


_decoder = msgspec.msgpack.Decoder(_Packed)


def encode(places: PostingLists, plain: bool) -> bytes:
    """As ``PrincipalIndex`` reads it."""
    groups = [
        (marks, _distances(sorted(indexes)) if len(indexes) > 1 else indexes)
        for marks, indexes in places.items()
        if marks
    ]
    return msgspec.msgpack.encode(_Packed(plain, groups))


def related_hashes(lineage: RelatedPrincipals) -> PrincipalHashes | None:
    """The marks of which every record of the lineage carries one; None where that cannot be
    told."""
    names = lineage.principal_keys()
    return None if names is None else hashes_of(names)


def hashes_of(names: Iterable[str]) -> PrincipalHashes:
    return tuple(sorted({crc32(name.encode("utf-8", "surrogatepass")) for name in names}))


def _distances(indexes: list[int]) -> list[int]:
    return [*indexes[:1], *map(sub, indexes[1:], indexes)]
