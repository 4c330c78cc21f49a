"""The packing of what commits bring of principals, until it is added to their days.

The chunks of a commit name the same accounts, regions, programs and calls: together they compress
to a fraction of the pages that they would leave empty later.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from isal import isal_zlib

_BODIES = 512
"""Chunks that are packed together."""
_ZLIB = b"\x78"
"""The first byte of what is packed; what older versions wrote, a chunk a row, has another."""

_decoder = msgspec.msgpack.Decoder(list[bytes])


def pack_bodies(bodies: Sequence[bytes]) -> Iterator[bytes]:
    """Pack the activities of chunks, as ``ChunkActivity.encode`` returns them, into few rows."""
    for first in range(0, len(bodies), _BODIES):
        yield isal_zlib.compress(msgspec.msgpack.encode(bodies[first : first + _BODIES]), 1)


def unpack_bodies(packed: bytes) -> list[bytes]:
    """Return the activities in a row. Raises msgspec.MsgspecError where it is damaged."""
    if packed[:1] != _ZLIB:
        return [packed]
    try:
        return _decoder.decode(isal_zlib.decompress(packed))
    except isal_zlib.error as error:  # type: ignore[misc]  # its stub gives it no type
        raise msgspec.DecodeError(str(error)) from None
