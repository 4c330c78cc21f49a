"""The principal index of a chunk: posting lists of its records by principal.

A search skips the chunks without a wanted principal, and reads only the records that may have one.
The keys are those of related principals (principals, access keys, keys issued by a call to STS);
only a checksum of each is stored. Two keys with the same checksum cause a useless read, but never a
missed record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from itertools import accumulate, chain
from operator import itemgetter
from zlib import crc32

import msgspec
from isal import isal_zlib

from detector.detection.principal import RelatedPrincipals
from detector.formats.heads.postings import EncodedPostings, encode_postings

PrincipalHashes = tuple[int, ...]
"""The sorted checksums of the principal keys of a record."""
PostingLists = dict[PrincipalHashes, list[int]]
"""The indexes of records in a chunk, by the checksums of their principal keys."""


_COMPRESSED_FROM = 512
"""The size in bytes from which an index is compressed; that of a small file has about fifty."""
_ZLIB = b"\x78"
"""The first byte of a compressed index; an uncompressed one begins with a MessagePack array."""


class _EncodedIndex(msgspec.Struct, array_like=True, gc=False):
    verbatim: bool
    groups: list[tuple[PrincipalHashes, list[int]]]
    """Record indexes are delta-encoded: each is the distance from the one before."""


_decoder = msgspec.msgpack.Decoder(_EncodedIndex)


class PrincipalIndex:
    """The decoded index of a chunk.

    ``verbatim``: the chunk has the records as they are, without wrappers, so that reading them
    again need not check for these."""

    def __init__(self, encoded: bytes) -> None:
        """Decode an index. Raises msgspec.MsgspecError if it is damaged."""
        decoded = _decoder.decode(_decompressed(encoded))
        self.verbatim = decoded.verbatim
        self._groups = decoded.groups

    def contains(self, wanted: Iterable[int]) -> bool:
        """Return whether any record has a wanted checksum."""
        return bool(self.common(frozenset(wanted)))

    def common(self, wanted: frozenset[int]) -> Set[int]:
        """Return the wanted checksums that records have.

        Most chunks have none, so no table of all checksums is built."""
        return wanted.intersection(chain.from_iterable(map(itemgetter(0), self._groups)))

    def lookup(self, wanted: Set[int]) -> Iterator[tuple[PrincipalHashes, Sequence[int]]]:
        """Yield the checksums and record indexes of each posting list with a wanted checksum."""
        for hashes, distances in self._groups if wanted else ():
            if not wanted.isdisjoint(hashes):
                yield hashes, list(accumulate(distances))


def encode(postings: Iterable[EncodedPostings], verbatim: bool) -> bytes:
    """Encode posting lists for ``PrincipalIndex``."""
    every = list(postings)
    count = sum(each.list_count for each in every)
    encoded = b"".join(
        [
            b"\x92\xc3" if verbatim else b"\x92\xc2",
            _begin_array(count),
            *[each.items for each in every],
        ]
    )
    if len(encoded) < _COMPRESSED_FROM:
        return encoded
    return min(encoded, isal_zlib.compress(encoded, 1), key=len)


def encode_lists(postings: PostingLists) -> EncodedPostings:
    """Encode the posting lists that are not empty."""
    return encode_postings(
        (posting_name(hashes), indexes) for hashes, indexes in postings.items() if indexes
    )


def posting_name(hashes: PrincipalHashes) -> bytes:
    """Return the encoded checksums that a posting list begins with; ``b""`` if there are none."""
    return msgspec.msgpack.encode(hashes) if hashes else b""


def _begin_array(count: int) -> bytes:
    """Return the MessagePack header of an array of ``count`` items."""
    if count < 1 << 4:
        return bytes([0x90 | count])
    return b"\xdc" + count.to_bytes(2) if count < 1 << 16 else b"\xdd" + count.to_bytes(4)


def _decompressed(encoded: bytes) -> bytes:
    if encoded[:1] != _ZLIB:
        return encoded
    try:
        return isal_zlib.decompress(encoded)
    except isal_zlib.error as error:  # type: ignore[misc]  # its stub gives it no type
        raise msgspec.DecodeError(str(error)) from None


def related_hashes(related: RelatedPrincipals) -> PrincipalHashes | None:
    """Return checksums at least one of which every related record has; None if unknown."""
    keys = related.principal_keys()
    return None if keys is None else hashes_of(keys)


def hashes_of(keys: Iterable[str]) -> PrincipalHashes:
    """Return the sorted checksums of principal keys."""
    return tuple(sorted(set(map(_checksum, keys))))


def add_keys(hashes: PrincipalHashes, keys: Iterable[str]) -> PrincipalHashes:
    """Return sorted checksums extended by those of more principal keys."""
    added = set(map(_checksum, keys)).difference(hashes)
    return tuple(sorted(added.union(hashes))) if added else hashes


def _checksum(key: str) -> int:
    return crc32(key.encode("utf-8", "surrogatepass"))
