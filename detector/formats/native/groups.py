"""The records of a chunk as the native cut found them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from detector.formats.native.cut import HIT_FIELDS, RecordSpans
from detector.formats.native.hit_runs import HitRuns, Questions
from detector.text.capped import TEXT_CAP

RawView = tuple[bytes, Any, bool]
"""The view of a record: caller, error message and whether there is an error code.

With the signature, it decides most rules. Caller and message are raw JSON."""
RawHit = tuple[RawView, bytes]
"""A view, with its texts as in the record, and the identity of the event."""


class Slices(Sequence[memoryview]):
    """The records of a chunk as slices of its bytes, made on access."""

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
        """Return the view and identity of a record; None if it must be decoded."""
        caller, size, message, message_size, identity, has_identity, has_code = (
            HIT_FIELDS.unpack_from(self._hit_fields, index * HIT_FIELDS.size)
        )
        if not (has_identity and size) or self._sizes[index] > TEXT_CAP:
            return None
        text = bytes(self._data[message : message + message_size]) if message_size else b""
        return (bytes(self._data[caller : caller + size]), text, has_code), identity

    def hit_runs(self, groups: Sequence[list[int]], questions: Questions | None = None) -> HitRuns:
        """Cut groups of records, given by index, into runs."""
        return HitRuns(self._data, self._sizes, self._hit_fields, groups, questions)
