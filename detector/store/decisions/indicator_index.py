"""The test whether a chunk may hold an indicator."""

from __future__ import annotations

from collections.abc import Iterable

from detector.detection.activity.chunk import networks_of
from detector.detection.digest import ChunkStats
from detector.detection.indicator import Indicator, IndicatorMatcher
from detector.detection.principal_index import PrincipalIndex, hashes_of


class IndicatorIndex:
    """Tells which chunks are worth reading again to search for indicators.

    Access keys and ARNs are looked up in a chunk's principal index, addresses and networks in its
    activity. Other indicators are not indexed, so every chunk may hold them.
    """

    def __init__(self, indicators: Iterable[Indicator]) -> None:
        matcher = IndicatorMatcher(indicators)
        keys = matcher.principal_keys()
        self._hashes = None
        if keys is not None:
            self._hashes = hashes_of(keys)
        self._is_wanted_network = None
        if matcher.has_networks:
            self._is_wanted_network = matcher.network_test()

    def may_hold(self, chunk: ChunkStats) -> bool:
        """Tell whether a chunk may hold an event with one of the indicators."""
        if chunk.first is None:
            return False
        if self._hashes is None:
            return True
        if self._hashes and PrincipalIndex(chunk.principal_index).contains(self._hashes):
            return True
        if self._is_wanted_network is None:
            return False
        return any(map(self._is_wanted_network, networks_of(chunk.activity)))
