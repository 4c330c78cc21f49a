"""Who is in a chunk: how many of its records carry each name, so that a search can pass over what holds nothing of it.

Names are what a lineage goes by (principals, access keys, also those that a call to STS issued); only a checksum of
each is kept. Two names with one checksum cost a search in vain, never a record.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from zlib import crc32

import msgspec

from detector.alert import Event
from detector.baseline import principal_of
from detector.formats import Records
from detector.lineage import Lineage, session_of

Marks = dict[int, int]
"""Records by the checksum of a name that they carry."""

_ISSUED = re.compile(rb'"accessKeyId"\s*:\s*"([^"]+)"')


def marks(records: Records) -> Marks:
    """The marks of all records of a chunk."""
    callers = [head.user_identity for head in records.heads if head.user_identity is not None]
    # Of lists, which are counted without a step of Python each.
    names: Counter[str | None] = Counter([who.access_key_id for who in callers])
    for arn, count in Counter([who.arn for who in callers]).items():
        names[arn and principal_of(arn)] += count
    for index in [index for index, head in enumerate(records.heads) if head.event_source == "sts.amazonaws.com"]:
        who = records.heads[index].user_identity
        for found in set(_ISSUED.findall(records.canonical(index))):
            if (key := found.decode(errors="replace")) != (who and who.access_key_id):
                names[key] += 1
    marks: Marks = {}
    for name, count in names.items():
        if name:
            mark = _mark(name)
            marks[mark] = marks.get(mark, 0) + count
    return marks


def marks_of(lineage: Lineage) -> frozenset[int] | None:
    """The marks of which every record of the lineage carries one; None where that cannot be told."""
    names = [*lineage.own.keys, *lineage.hop.keys, *map(principal_of, (*lineage.own.arns, *lineage.hop.arns))]
    for role in lineage.own.roles:
        if (session := session_of(role)) is None:
            return None
        names.append(session)
    return frozenset(map(_mark, names))


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
