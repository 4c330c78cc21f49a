"""What a search of a text finds: records, and what is none."""

from __future__ import annotations

from typing import Literal, NamedTuple

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
