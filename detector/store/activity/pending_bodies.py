"""The packing of pending activity: what commits append before it is added to principals' days.

The chunks of a commit name the same accounts, regions, programs and calls, so they compress well
together. That saves pages which would be left empty once the activity has been added to the days.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from isal import isal_zlib

_BODIES = 512
"""The most chunks that are packed together."""
_ZLIB = b"\x78"
"""The first byte of a packed row; older versions wrote one chunk per row, with another byte."""

_decoder = msgspec.msgpack.Decoder(list[bytes])


def pack_bodies(bodies: Sequence[bytes]) -> Iterator[bytes]:
    """Pack the activities of chunks, as ``ChunkActivity.encode`` returns them, into few rows."""
    for first in range(0, len(bodies), _BODIES):
        yield isal_zlib.compress(msgspec.msgpack.encode(bodies[first : first + _BODIES]), 1)


def unpack_bodies(packed: bytes) -> list[bytes]:
    """Return the activities in a row. Raises msgspec.MsgspecError if the row is damaged."""
    if packed[:1] != _ZLIB:
        return [packed]
    try:
        return _decoder.decode(isal_zlib.decompress(packed))
    except isal_zlib.error as error:  # type: ignore[misc]  # its stub gives it no type
        raise msgspec.DecodeError(str(error)) from None
