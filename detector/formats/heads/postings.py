"""Posting lists in MessagePack: the records of a chunk that have the same principals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import sub
from typing import NamedTuple

import msgspec


class EncodedPostings(NamedTuple):
    """Posting lists as the items of a MessagePack array, and their number.

    Each item is a pair: the name of the list, and the delta-encoded indexes of its records."""

    list_count: int
    items: bytes


def encode_postings(lists: Iterable[tuple[bytes, Sequence[int]]]) -> EncodedPostings:
    """Encode posting lists, each given as a name in MessagePack and its records' indexes.

    A list with an empty name is left out."""
    items = [_pair(name, sorted(records)) for name, records in lists if name]
    return EncodedPostings(len(items), b"".join(items))


def _pair(name: bytes, records: list[int]) -> bytes:
    return b"\x92" + name + msgspec.msgpack.encode([*records[:1], *map(sub, records[1:], records)])
