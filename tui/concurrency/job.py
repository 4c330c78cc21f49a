"""Long work in a thread: it goes on in pieces, says how far it is, and ends when nobody wants it any more.

One call into C keeps the interpreter to itself for as long as it takes, and with it the event loop. So what is long is
cut into pieces of a few thousand rows, also sorting.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, TypeVar

T = TypeVar("T")

_PIECE = 10_000
"""Rows that are sorted by one call: some milliseconds."""
_LOOK_EVERY = 500
"""Rows from one look at whether the work is still wanted to the next."""
_SAMPLES = 16
"""Of each piece, to find where the pieces should be parted."""


class Cancelled(Exception):
    """The work is not wanted any more."""


class Job:
    """One run of some work. ``share`` of the step that it is at has been done, from 0 to 1."""

    def __init__(self) -> None:
        self.share = 0.0
        self._unwanted = threading.Event()

    def cancel(self) -> None:
        self._unwanted.set()

    @property
    def cancelled(self) -> bool:
        return self._unwanted.is_set()

    def each(self, items: Sequence[T]) -> Iterator[T]:
        """The items, one by one. Raises Cancelled between them, once they are not wanted any more."""
        for piece in self.pieces(items):
            yield from piece

    def pieces(self, items: Sequence[T]) -> Iterator[Sequence[T]]:
        """The items, some hundred at a time. Raises Cancelled as ``each`` does."""
        for start in range(0, len(items), _LOOK_EVERY):
            if self._unwanted.is_set():
                raise Cancelled
            self.share = start / len(items)
            yield items[start : start + _LOOK_EVERY]
        self.share = 1.0


def sort_in_pieces(
    rows: Sequence[T], by: Callable[[T], Any], job: Job, *, descending: bool = False
) -> list[T]:
    """What ``sorted`` gives, in pieces. Rows that are equal keep their order either way. Raises
    Cancelled."""
    if len(rows) <= _PIECE:
        return sorted(rows, key=by, reverse=descending)
    keys = [by(row) for row in job.each(rows)]
    partings = _partings(keys)
    pieces: list[list[int]] = [[] for _ in range(len(partings) + 1)]
    for place in job.each(range(len(rows))):
        pieces[bisect_right(partings, keys[place])].append(place)
    return [
        rows[place]
        for piece in job.each(pieces[::-1] if descending else pieces)
        for place in _sorted(piece, keys, descending, job)
    ]


def _sorted(piece: list[int], keys: Sequence[Any], descending: bool, job: Job) -> list[int]:
    if job.cancelled:
        raise Cancelled
    piece.sort(key=keys.__getitem__, reverse=descending)
    return piece


def _partings(keys: Sequence[Any]) -> list[Any]:
    """Keys that part all of them into pieces of about the same length, ascending, each once."""
    step = max(1, _PIECE // _SAMPLES)
    sample = sorted(keys[::step])[_SAMPLES::_SAMPLES]
    return sample[:1] + [key for before, key in pairwise(sample) if before != key]
