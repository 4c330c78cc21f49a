"""Long work in a thread, split into pieces so that it can be cancelled.

A call into C holds the interpreter until it returns, which blocks the event loop. So long work,
including sorting, is split into pieces of a few thousand rows.
"""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, TypeVar

T = TypeVar("T")

_PIECE = 10_000
"""Number of rows that one call sorts, in some milliseconds."""

_ROWS_BETWEEN_CHECKS = 500
"""Number of rows between two checks for cancellation."""

_SAMPLES = 16
"""Number of keys sampled per piece, to find where to split."""


class Cancelled(Exception):
    """The work was cancelled: its result is no longer wanted."""


class Job:
    """One run of some work; ``share`` is its progress, 0 to 1."""

    def __init__(self) -> None:
        self.share = 0.0
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        return self._cancelled.is_set()

    def each(self, items: Sequence[T]) -> Iterator[T]:
        """Yield the items one by one. Raises Cancelled between them."""
        for piece in self.pieces(items):
            yield from piece

    def pieces(self, items: Sequence[T]) -> Iterator[Sequence[T]]:
        """Yield the items a few hundred at a time. Raises Cancelled between pieces."""
        for start in range(0, len(items), _ROWS_BETWEEN_CHECKS):
            if self._cancelled.is_set():
                raise Cancelled
            self.share = start / len(items)
            yield items[start : start + _ROWS_BETWEEN_CHECKS]
        self.share = 1.0


def sort_in_pieces(
    rows: Sequence[T], by: Callable[[T], Any], job: Job, *, descending: bool = False
) -> list[T]:
    """Sort like ``sorted``, in pieces. Raises Cancelled.

    This is a bucket sort: sampled keys split the rows into buckets, and one call sorts each bucket.
    Rows with equal keys keep their order, also when descending.
    """
    if len(rows) <= _PIECE:
        return sorted(rows, key=by, reverse=descending)
    keys = [by(row) for row in job.each(rows)]
    splitters = _splitters(keys)
    buckets: list[list[int]] = [[] for _ in range(len(splitters) + 1)]
    for index in job.each(range(len(rows))):
        buckets[bisect_right(splitters, keys[index])].append(index)
    if descending:
        buckets.reverse()
    result: list[T] = []
    for bucket in job.each(buckets):
        result += [rows[index] for index in _sort_bucket(bucket, keys, descending, job)]
    return result


def _sort_bucket(bucket: list[int], keys: Sequence[Any], descending: bool, job: Job) -> list[int]:
    if job.cancelled:
        raise Cancelled
    bucket.sort(key=keys.__getitem__, reverse=descending)
    return bucket


def _splitters(keys: Sequence[Any]) -> list[Any]:
    """Choose distinct keys, in ascending order, that split all keys into similar-sized buckets."""
    step = max(1, _PIECE // _SAMPLES)
    sample = sorted(keys[::step])[_SAMPLES::_SAMPLES]
    return sample[:1] + [key for before, key in pairwise(sample) if before != key]
