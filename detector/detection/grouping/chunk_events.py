"""What the records of a chunk show together, however they were grouped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from detector.detection.baseline import OriginSpans
from detector.detection.principal_index import PrincipalHashes
from detector.detection.signature_cache import CallFacts, OriginFacts, SignatureGroup
from detector.formats.heads.decoded_callers import HitCallers
from detector.formats.heads.postings import EncodedPostings
from detector.formats.native.cut import GroupMembers

_NO_POSTINGS = EncodedPostings(0, b"")


class CallGroups(NamedTuple):
    """The groups of a chunk, each the records of one call by one origin.

    ``numbers`` are those of their calls in ``calls``, ``sizes`` how many records each has,
    ``members`` return the indexes of its records."""

    numbers: Sequence[int] = ()
    calls: Sequence[CallFacts] = ()
    sizes: Sequence[int] = ()
    members: GroupMembers | Sequence[Sequence[int]] = ()


class OriginEvents(msgspec.Struct, gc=False):
    """The events of one origin in a chunk, by groups, and their first and last time."""

    groups: list[int]
    first: int
    last: int


class ChunkEvents(msgspec.Struct):
    """The records of a chunk, and those of them that are events.

    ``seen`` is what is observed of the events, with first and last time; of documents that are
    grouped together, what is observed in all. ``span`` is the first and last time of this chunk's
    events, None where it has none. ``postings`` say where the records of principals are, but for
    those of ``openings``, which may have the key of a session beside. ``skipped`` and ``rejected``
    count the records that are no events, by reason. Of ``candidates`` rules may match, in the order
    of the first record of each, but for those of ``callers`` who are known to refuse it.
    ``by_origin`` and ``groups`` are empty where the calls of origins were not asked for."""

    seen: OriginSpans = msgspec.field(default_factory=OriginSpans)
    span: tuple[int, int] | None = None
    postings: EncodedPostings = _NO_POSTINGS
    openings: list[tuple[PrincipalHashes, Sequence[int]]] = []
    skipped: dict[str, int] = {}
    rejected: dict[str, int] = {}
    candidates: list[SignatureGroup] = []
    callers: HitCallers | None = None
    by_origin: dict[OriginFacts, OriginEvents] = {}
    groups: CallGroups = CallGroups()

    def skip(self, reason: str, count: int) -> None:
        """Count records that are no events by what they are."""
        self.skipped[reason] = self.skipped.get(reason, 0) + count

    def reject(self, reason: str, count: int) -> None:
        """Count records that are no events by what they lack."""
        self.rejected[reason] = self.rejected.get(reason, 0) + count
