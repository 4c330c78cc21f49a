"""Who is in a chunk: how many of its records carry each name, so that a search can pass over what holds nothing of it.

Names are what a lineage goes by (principals, access keys, also those that a call to STS issued); only a checksum of
each is kept. Two names with one checksum cost a search in vain, never a record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from zlib import crc32

import msgspec

from detector.alert import Event
from detector.baseline import principal_of
from detector.lineage import Lineage, issued
from detector.record import Head

Marks = dict[int, int]
"""Records by the checksum of a name that they carry."""


def mark(marks: Marks, names: Iterable[int], count: int) -> None:
    """Note that so many more records carry these names."""
    for name in names:
        marks[name] = marks.get(name, 0) + count


def mark_issued(marks: Marks, head: Head, records: Iterable[bytes]) -> None:
    """Note the keys that records of STS with this head carry beside the caller's own."""
    for record in records:
        mark(marks, marks_of(issued(record) - {head.caller.access_key_id}), 1)


def marks_of(names: Iterable[str]) -> tuple[int, ...]:
    return tuple({_mark(name) for name in names})


def wanted_of(lineage: Lineage) -> frozenset[int] | None:
    """The marks of which every record of the lineage carries one; None where that cannot be told."""
    names = lineage.names()
    return None if names is None else frozenset(marks_of(names))


def carried(wanted: frozenset[int], events: Iterable[Event]) -> int:
    """How often these events carry one of the wanted marks."""
    return sum(_mark(name) in wanted for event in events
               for name in {principal_of(event.arn), event.access_key, event.issued_key} if name)


def held(wanted: frozenset[int], marks: Mapping[int, int]) -> int:
    """How often the records of a chunk carry one of the wanted marks."""
    return sum(marks.get(mark, 0) for mark in wanted)


def packed(marks: Marks) -> bytes:
    return msgspec.msgpack.encode(marks)


_decoder = msgspec.msgpack.Decoder(dict[int, int])


def unpacked(content: bytes) -> Marks:
    return _decoder.decode(content)


def _mark(name: str) -> int:
    return crc32(name.encode("utf-8", "surrogatepass"))
