"""What a search of a text finds: records, and what is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import msgspec

from detector.cloudtrail.record import Head


class ParsedRecord(NamedTuple):
    """A record, or a JSON value in the place of one.

    ``raw`` is its JSON as the file has it, or the text of a wrapper's string.
    """

    raw: bytes
    translated: bytes | None = None
    """The record in CloudTrail's names, where the file has others."""
    head: Head | None = None
    """The record's head, where it has been decoded already."""


class NonRecord(NamedTuple):
    """A value that is no record, or a remark on one."""

    kind: Literal["skipped", "rejected", "noted"]
    reason: str


Item = ParsedRecord | NonRecord


def without_copies(groups: list[list[Item]]) -> Iterator[Item]:
    """Yield the items of several members, a record that stands in two of them once."""
    seen: set[str] = set()
    for items in groups:
        own = set()
        for item in items:
            event_id = _event_id(item)
            if event_id not in seen:
                yield item
            own.add(event_id)
        seen |= own - {""}


class _Identified(msgspec.Struct):
    eventID: str = ""


_identity_decoder = msgspec.json.Decoder(_Identified)


def _event_id(item: Item) -> str:
    if not isinstance(item, ParsedRecord):
        return ""
    try:
        return _identity_decoder.decode(item.translated or item.raw).eventID
    except (ValueError, RecursionError):
        return ""
