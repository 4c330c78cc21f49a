"""Numbered origins, calls and heads of records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from detector.cloudtrail.record import EventSignature, join_parts
from detector.formats.heads.callers import CALLER_BYTES, CALLER_CAPACITY
from detector.formats.heads.decoded_callers import HitCallers


class HeadParts:
    """Heads and their parts by number, from 1 on.

    Groups are summed by the columns ``refused``, ``posting_of``, ``observed_of`` and ``changed_of``
    (0: none) of each origin, and ``asked`` and ``kinds`` of each call. The code that decides which
    rules are evaluated writes these columns, and keeps the facts that it derives in ``facts``."""

    refused: memoryview[int] | dict[int, int]
    posting_of: memoryview[int] | dict[int, int]
    observed_of: memoryview[int] | dict[int, int]
    changed_of: memoryview[int] | dict[int, int]
    asked: memoryview[int] | dict[int, int]
    kinds: memoryview[int] | dict[int, int]

    def __init__(self) -> None:
        self.origins: Any = [None]
        self.calls: list[Any] = [None]
        self.facts: Any = None

    @property
    def origin_count(self) -> int:
        """The number of origins, including number 0."""
        return len(self.origins)

    def forget(self) -> None:
        """Forget what can be decoded again on demand; numbers stay valid."""

    def new_callers(self, capacity: int = CALLER_CAPACITY, size: int = CALLER_BYTES) -> HitCallers:
        """Return an empty table of callers and views for these heads."""
        raise NotImplementedError

    def name_posting(self, number: int, name: bytes) -> None:
        """Set the encoded name of a posting list: up to 15 bytes of MessagePack.

        A posting list with the name ``b""`` is not encoded."""
        raise NotImplementedError

    def take_callers(self) -> set[int]:
        """Return the origins whose records were summed since the last call of this method."""
        raise NotImplementedError

    def parts(self, number: int) -> tuple[int, int]:
        """Return the numbers of a head's origin and call."""
        raise NotImplementedError

    def calls_of(self, numbers: Sequence[int]) -> list[int]:
        """Return the numbers of the heads' calls."""
        raise NotImplementedError

    def signature(self, number: int) -> EventSignature:
        """Return the signature of a head."""
        origin, call = self.parts(number)
        return join_parts(self.origins[origin], self.calls[call])
