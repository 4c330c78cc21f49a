"""The events of a chunk, independent of how its records were grouped."""

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
    """The groups of a chunk: each has the records of one call by one origin.

    By group, ``numbers`` has the index of its call in ``calls``, ``sizes`` its number of records,
    ``members`` the indexes of its records."""

    numbers: Sequence[int] = ()
    calls: Sequence[CallFacts] = ()
    sizes: Sequence[int] = ()
    members: GroupMembers | Sequence[Sequence[int]] = ()


class OriginEvents(msgspec.Struct, gc=False):
    """The events of one origin in a chunk: their groups, and their first and last time."""

    groups: list[int]
    first: int
    last: int


class ChunkEvents(msgspec.Struct):
    """The events of a chunk, and counts of the records that are not events.

    ``seen`` has the observations; documents that are grouped together share one. ``span`` is the
    first and last time of this chunk's events, None without events. ``postings`` locate the records
    of principals, except those in ``openings``, whose records may also have the key of a session.
    ``skipped`` and ``rejected`` count the records that are not events, by reason. ``candidates``
    are the groups that rules may match, in the order of their first records; ``callers`` knows
    which callers refuse the rules. ``by_origin`` and ``groups`` are empty unless activity is
    counted."""

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
        """Count records that are skipped because of what they are."""
        self.skipped[reason] = self.skipped.get(reason, 0) + count

    def reject(self, reason: str, count: int) -> None:
        """Count records that are rejected because of what they lack."""
        self.rejected[reason] = self.rejected.get(reason, 0) + count
