"""The items that a search of a text finds: records, and values that are not records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import msgspec

from detector.cloudtrail.record import Head


class ParsedRecord(NamedTuple):
    """A record, or a JSON value in the place of one.

    ``raw`` is its JSON as in the file, or the text in a wrapper's string.
    """

    raw: bytes
    translated: bytes | None = None
    """The record in CloudTrail's names; None if the file has these already."""
    head: Head | None = None
    """The record's head if it is already decoded."""


class NonRecord(NamedTuple):
    """A value that is not a record, or a note on a record."""

    kind: Literal["skipped", "rejected", "noted"]
    reason: str


Item = ParsedRecord | NonRecord


def without_copies(groups: list[list[Item]]) -> Iterator[Item]:
    """Yield the items of several members; a record that is in two of them is yielded once."""
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
