"""A bounded cache of results derived from log values."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

import msgspec

CACHE_LIMIT = 8192
LONGEST_KEY = 1024
"""Maximum ``key_size`` in bytes: results for larger keys are not cached."""

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class Generations(dict[_K, _V]):
    """Values by key, in two generations: a value not used within a generation is dropped.

    The dictionary holds the current generation; a value that is used again moves over from the
    previous one.
    """

    def __init__(self) -> None:
        super().__init__()
        self._previous: dict[_K, _V] = {}

    def __missing__(self, key: _K) -> _V:
        if key in self._previous:
            value = self[key] = self._previous[key]
            return value
        return self._find(key)

    def _find(self, key: _K) -> _V:
        """Return the value of a key in neither generation. Raises KeyError if it has none."""
        raise KeyError(key)

    def turn(self) -> dict[_K, _V]:
        """Start a new generation and drop the previous one; return the values that remain."""
        self._previous = dict(self)
        self.clear()
        return self._previous


class ValueCache(Generations[_K, _V]):
    """The results of ``derive`` by key, in two generations of at most ``limit`` entries.

    Keys whose ``key_size`` exceeds ``longest`` are not cached, which also bounds the bytes. A cache
    changes speed only, never a result."""

    def __init__(
        self, derive: Callable[[_K], _V], limit: int = CACHE_LIMIT, longest: int = LONGEST_KEY
    ) -> None:
        super().__init__()
        self._derive = derive
        self._limit = limit
        self._longest = longest

    def __missing__(self, key: _K) -> _V:
        value = self._previous[key] if key in self._previous else self._derive(key)
        if key_size(key) > self._longest:
            return value
        if len(self) >= self._limit:
            self.turn()
        self[key] = value
        return value


def key_size(key: object) -> int:
    """Return the approximate size of a key in bytes."""
    try:
        return len(msgspec.msgpack.encode(key))
    except (TypeError, ValueError, OverflowError):  # more than texts and numbers
        return len(repr(key))
