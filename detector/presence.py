"""Who is in a chunk: how many of its records carry each name, so that a search can pass over what holds nothing of it.

Names are what a lineage goes by (principals, access keys, also those that a call to STS issued); only a checksum of
each is kept. Two names with one checksum cost a search in vain, never a record.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from zlib import crc32

import msgspec

from detector.alert import Event
from detector.baseline import principal_of
from detector.formats import Records
from detector.lineage import STS, Lineage, issued, names_of
from detector.record import Head

Marks = dict[int, int]
"""Records by the checksum of a name that they carry."""

def marks(records: Records) -> Marks:
    """The marks of all records of a chunk."""
    names: Counter[str] = Counter()
    for call, indexes in records.calls.items():
        head = Head(None, *call)
        for name in names_of(head):
            names[name] += len(indexes)
        if head.event_source == STS:
            for index in indexes:
                for key in issued(records.canonical(index)):
                    names[key] += key != head.caller.access_key_id
    marks: Marks = {}
    for name, count in names.items():
        if count:
            mark = _mark(name)
            marks[mark] = marks.get(mark, 0) + count
    return marks


def marks_of(lineage: Lineage) -> frozenset[int] | None:
    """The marks of which every record of the lineage carries one; None where that cannot be told."""
    names = lineage.names()
    return None if names is None else frozenset(map(_mark, names))


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
