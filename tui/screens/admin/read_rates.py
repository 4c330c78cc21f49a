"""The read rate of each source over the last minute."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from detector.store import Volume

_SPAN_SECONDS = 60.0


class Rate(NamedTuple):
    """Bytes and records per second."""

    bytes: float
    records: float


class _Sample(NamedTuple):
    time: float
    bytes: int
    records: int


class ReadRates:
    """Samples of the volume of each source; thread-safe."""

    def __init__(self) -> None:
        self._samples: Mapping[str, tuple[_Sample, ...]] = {}

    def sample(self, volumes: Iterable[Volume], now: float) -> None:
        """Take a sample of each volume; ``now`` is in epoch seconds."""
        samples = {}
        for volume in volumes:
            former = _samples_since(self._samples.get(volume.origin, ()), now - _SPAN_SECONDS)
            samples[volume.origin] = *former, _Sample(now, volume.bytes, volume.records)
        self._samples = samples

    def rate(self, origin: str, now: float) -> Rate | None:
        """Return the rate over the last minute; None before the second sample.

        If the first sample is younger than a minute, the rate covers the time since then.
        """
        samples = _samples_since(self._samples.get(origin, ()), now - _SPAN_SECONDS)
        if not samples or now <= samples[0].time:
            return None
        first, last = samples[0], samples[-1]
        seconds = min(_SPAN_SECONDS, now - first.time)
        return Rate(
            max(0, last.bytes - first.bytes) / seconds,
            max(0, last.records - first.records) / seconds,
        )


def _samples_since(samples: tuple[_Sample, ...], start: float) -> tuple[_Sample, ...]:
    """Return the samples after ``start``, preceded by the last sample not after it."""
    older = sum(sample.time <= start for sample in samples)
    return samples[max(0, older - 1) :]
