"""The content of a segment, without its identities, and its stored form."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from isal import isal_zlib

from detector.detection.event import EventCall, EventClient, KeptEvent, Position, Series
from detector.store.packing.column import Column
from detector.store.packing.part_table import PartTable
from detector.store.packing.parts import Parts

_FORM = b"\2"
"""The first byte of a stored body; a body of the first form begins with the zlib header."""


class PackedChunk(NamedTuple):
    """A chunk of a file, and the generation of the rules that it was searched with."""

    file_id: int
    offset: int
    generation: int


class Body(msgspec.Struct, array_like=True):
    """The content of a segment, without its identities, as columns by row.

    ``stale`` has, by row, the (time, number of matches) of other records that claim the same
    event."""

    start: int
    """The time, in epoch seconds, from which ``times`` count; it may be negative."""
    times: Column
    parts: Parts
    client: Column
    call: Column
    region: Column
    match: Column
    stale: dict[int, list[tuple[int, int]]]
    issued_keys: dict[int, str]
    event_ids: dict[int, str]
    chunks: list[PackedChunk]
    chunk: Column
    index: Column

    def __reduce__(self) -> tuple[Callable[[bytes], Body], tuple[bytes]]:
        return _decode, (msgspec.msgpack.encode(self),)

    def pack(self) -> bytes:
        """Return the content in its stored form."""
        return _FORM + isal_zlib.compress(msgspec.msgpack.encode(self), 1)

    @classmethod
    def unpack(cls, stored: bytes) -> Body:
        """Return the content of a stored body. Raises msgspec.MsgspecError if it is damaged."""
        is_first = not stored.startswith(_FORM)
        try:
            content = isal_zlib.decompress(stored if is_first else stored[len(_FORM) :])
        except isal_zlib.error as error:  # type: ignore[misc]  # its stub gives it no type
            raise msgspec.DecodeError(str(error)) from None
        return _first_decoder.decode(content).body() if is_first else _decoder.decode(content)


_FirstMatches = tuple[tuple[int, tuple[Any, ...]], ...]
"""The number of the series and the inputs of each match."""


class _FirstBody(msgspec.Struct, array_like=True):
    """The first form of a body, in which parts did not share values."""

    start: int
    times: Column
    clients: list[EventClient]
    client: Column
    calls: list[EventCall]
    call: Column
    regions: list[str]
    region: Column
    issued_keys: dict[int, str]
    event_ids: dict[int, str]
    chunks: list[PackedChunk]
    chunk: Column
    index: Column
    series: list[Series]
    matches: list[_FirstMatches]
    match: Column
    stale: dict[int, list[tuple[int, _FirstMatches]]]

    def body(self) -> Body:
        """Return the content in the current form."""
        columns = self.client, self.call, self.region, self.match
        every = enumerate(zip(*[column.numbers() for column in columns], strict=True))
        kinds = [self._kind(row, *numbers) for row, numbers in every]
        found = PartTable(kinds).of_rows(array("i", range(len(kinds))))
        return Body(
            self.start,
            self.times,
            found.parts,
            Column.of(found.client),
            Column.of(found.call),
            Column.of(found.region),
            Column.of(found.match),
            found.stale,
            self.issued_keys,
            self.event_ids,
            self.chunks,
            self.chunk,
            self.index,
        )

    def _kind(self, row: int, client: int, call: int, region: int, match: int) -> KeptEvent:
        """Return an event with those parts of a row that rows have in common."""
        return KeptEvent(
            0,
            self.clients[client],
            self.calls[call],
            self.regions[region],
            "",
            None,
            _NOWHERE,
            self._with_series(self.matches[match]),
            tuple([(time, self._with_series(them)) for time, them in self.stale.get(row, ())]),
        )

    def _with_series(self, matches: _FirstMatches) -> tuple[tuple[Series, tuple[Any, ...]], ...]:
        return tuple([(self.series[number], inputs) for number, inputs in matches])


def _decode(content: bytes) -> Body:
    return _decoder.decode(content)


_NOWHERE = Position("", 0, 0)
_decoder = msgspec.msgpack.Decoder(Body)
_first_decoder = msgspec.msgpack.Decoder(_FirstBody)
