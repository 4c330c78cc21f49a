"""A bounded cache of what follows from values of a log."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

import msgspec

CACHE_LIMIT = 8192
LONGEST_KEY = 1024
"""The size of the largest key: what a log has of larger ones is not kept."""

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")


class Generations(dict[_K, _V]):
    """Values by key, in two generations: what nobody asks for in one is forgotten with it.

    These are the values of this generation. What comes again is taken over from the previous one.
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
        """Return the value of a key that has none here. Raises KeyError where it has none."""
        raise KeyError(key)

    def turn(self) -> dict[_K, _V]:
        """Begin a generation, and forget the previous one; return the values that are left."""
        self._previous = dict(self)
        self.clear()
        return self._previous


class ValueCache(Generations[_K, _V]):
    """The results of ``derive`` by key, in two generations of at most ``limit`` entries.

    Keys whose ``key_size`` is over ``longest`` are not kept. With the bound on keys this bounds the
    bytes too. A cache changes speed only, never a result."""

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
    """Return about how many bytes a key has."""
    try:
        return len(msgspec.msgpack.encode(key))
    except (TypeError, ValueError, OverflowError):  # not only of texts and numbers
        return len(repr(key))
