"""The records of a chunk by signature, as the native cut found them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from detector.cloudtrail.record import EventSignature
from detector.formats.known_heads import KnownHeads, RecordGroup
from detector.formats.native.cut import RecordSpans


class Slices(Sequence[memoryview]):
    """The records of a chunk as slices of it, made when they are asked for."""

    def __init__(self, data: memoryview, spans: RecordSpans) -> None:
        self._data = data
        self._starts = spans.starts
        self._sizes = spans.sizes

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, index: Any) -> Any:
        start = self._starts[index]
        return self._data[start : start + self._sizes[index]]


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
