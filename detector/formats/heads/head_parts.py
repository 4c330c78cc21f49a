"""The origins, the calls and the heads of records, by numbers of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from detector.cloudtrail.record import EventSignature, join_parts
from detector.formats.heads.callers import CALLER_BYTES, CALLER_CAPACITY
from detector.formats.heads.decoded_callers import HitCallers


class HeadParts:
    """What is known of heads and their parts by their numbers, from 1 on.

    ``refused``, ``posting_of``, ``observed_of`` and ``changed_of`` (0: nowhere) of each origin,
    ``asked`` and ``kinds`` of each call are what groups are summed by, and written by whoever
    decides what is asked of records; ``facts`` are what that one has found to follow from origins
    and calls."""

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
        """How many origins have numbers, number 0 with them."""
        return len(self.origins)

    def forget(self) -> None:
        """Forget what is decoded again when it is asked for; numbers stay."""

    def new_callers(self, capacity: int = CALLER_CAPACITY, size: int = CALLER_BYTES) -> HitCallers:
        """Return what may be known of callers and views of heads, of which nothing is known yet."""
        raise NotImplementedError

    def name_posting(self, number: int, name: bytes) -> None:
        """Name a posting by up to 15 bytes of MessagePack, by which it is encoded.

        What is posted by the name ``b""`` is not encoded."""
        raise NotImplementedError

    def take_callers(self) -> set[int]:
        """Return the origins whose records were summed since they were asked for."""
        raise NotImplementedError

    def parts(self, number: int) -> tuple[int, int]:
        """Return the numbers of a head's origin and call."""
        raise NotImplementedError

    def calls_of(self, numbers: Sequence[int]) -> list[int]:
        """Return the numbers of the calls of heads."""
        raise NotImplementedError

    def signature(self, number: int) -> EventSignature:
        """Return the signature of a head."""
        origin, call = self.parts(number)
        return join_parts(self.origins[origin], self.calls[call])
