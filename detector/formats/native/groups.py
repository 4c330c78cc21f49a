"""The records of a chunk by signature, as the native cut found them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from detector.cloudtrail.record import EventSignature
from detector.formats.known_heads import KnownHeads, RecordGroup
from detector.formats.native.cut import HIT_FIELDS, RecordSpans
from detector.text.capped import TEXT_CAP

RawHit = tuple[tuple[bytes, bytes, bool], bytes]
"""What decides a rule beside the signature, as it stands in the record (caller, error message,
whether it has an error code), and the identity of the event."""


class Slices(Sequence[memoryview]):
    """The records of a chunk as slices of it, made when they are asked for."""

    def __init__(self, data: memoryview, spans: RecordSpans) -> None:
        self._data = data
        self._starts = spans.starts
        self._sizes = spans.sizes

        self._hit_fields = spans.hit_fields

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, index: Any) -> Any:
        start = self._starts[index]
        return self._data[start : start + self._sizes[index]]

    def raw_hit(self, index: int) -> RawHit | None:
        """Return what a record has as a hit; None for one that must be decoded for it."""
        caller, size, message, message_size, identity, has_identity, has_code = (
            HIT_FIELDS.unpack_from(self._hit_fields, index * HIT_FIELDS.size)
        )
        if not (has_identity and size) or self._sizes[index] > TEXT_CAP:
            return None
        text = bytes(self._data[message : message + message_size]) if message_size else b""
        return (bytes(self._data[caller : caller + size]), text, has_code), identity


def group_by_bytes(
    spans: RecordSpans, known: KnownHeads, signature_at: Callable[[int], EventSignature]
) -> list[RecordGroup]:
    """Return groups of records by signature, in order of the first of each.

    ``signature_at`` decodes that of a record: of the first of each group whose head is not known by
    its bytes. Groups that decode alike are one."""
    groups: dict[int, RecordGroup] = {}
    start = 0
    of_bytes, order = known.of_bytes, spans.order
    times = zip(spans.firsts, spans.lasts, strict=True)
    for key, end, span in zip(spans.keys, spans.ends, times, strict=True):
        indexes = order[start:end]
        start = end
        head = of_bytes(key)
        if head is None:
            head = known.of_signature(signature_at(indexes[0]))
            known.remember(key, head)
        group = groups.get(id(head))
        if group is None:
            groups[id(head)] = RecordGroup(head, indexes, span)
        else:
            group.indexes = sorted(group.indexes + indexes)
            group.span = None
    return list(groups.values())
