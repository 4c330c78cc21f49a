"""Posting lists as MessagePack: which records of a chunk have the same principals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import sub
from typing import NamedTuple

import msgspec


class EncodedPostings(NamedTuple):
    """Posting lists as the items of a MessagePack array, and how many there are.

    Each is a pair: the name of the list, and the numbers of its records, each as its distance from
    the one before."""

    list_count: int
    items: bytes


def encode_postings(lists: Iterable[tuple[bytes, Sequence[int]]]) -> EncodedPostings:
    """Encode posting lists: the name of each, which is MessagePack, and its records.

    A list whose name is empty is left out."""
    items = [_pair(name, sorted(records)) for name, records in lists if name]
    return EncodedPostings(len(items), b"".join(items))


def _pair(name: bytes, records: list[int]) -> bytes:
    return b"\x92" + name + msgspec.msgpack.encode([*records[:1], *map(sub, records[1:], records)])
