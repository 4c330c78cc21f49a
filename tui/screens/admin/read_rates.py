"""How fast each source brings something: what has come within the last minute, from looks at it now and then."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from detector.store import Volume

_SPAN = 60.0


class Rate(NamedTuple):
    """By the second."""

    bytes: float
    records: float


class _Look(NamedTuple):
    at: float
    bytes: int
    records: int


class Rates:
    """Looks may be taken in one thread and asked about in another."""

    def __init__(self) -> None:
        self._looks: Mapping[str, tuple[_Look, ...]] = {}

    def look(self, volumes: Iterable[Volume], now: float) -> None:
        """Remember how much each place has brought by ``now``, epoch seconds."""
        self._looks = {
            volume.origin: (
                *_since(self._looks.get(volume.origin, ()), now - _SPAN),
                _Look(now, volume.bytes, volume.records),
            )
            for volume in volumes
        }

    def of(self, place: str, now: float) -> Rate | None:
        """Over the last minute, or since the first look; None where there was none before now."""
        looks = _since(self._looks.get(place, ()), now - _SPAN)
        if not looks or now <= looks[0].at:
            return None
        first, last, seconds = looks[0], looks[-1], min(_SPAN, now - looks[0].at)
        return Rate(
            max(0, last.bytes - first.bytes) / seconds,
            max(0, last.records - first.records) / seconds,
        )


def _since(looks: tuple[_Look, ...], start: float) -> tuple[_Look, ...]:
    """The looks from ``start`` on, and the one before them, which tells how it was then."""
    older = sum(look.at <= start for look in looks)
    return looks[max(0, older - 1) :]
