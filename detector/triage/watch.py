"""Watches: indicators of which an analyst wants to see every new sighting."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

from detector.detection.indicator import Indicator
from detector.text.time import format_time

MOST_SIGHTINGS = 1_000
"""Maximum sightings kept for a watch; the latest ones are kept."""


WatchState = Literal["seen", "waiting", "lifted", "undone"]


class Watch(msgspec.Struct, frozen=True):
    """A request to report an indicator in records that are read from now on.

    ``label`` gives the reason, in a few words. Sightings found up to ``acknowledged`` have been
    reviewed. Times are epoch seconds."""

    indicator: Indicator
    label: str = ""
    author: str = ""
    created: float = 0.0
    watch_id: str = ""
    acknowledged: float = 0.0
    lifted: float | None = None
    undone: float | None = None
    """When the creation of the watch was undone."""

    @property
    def active(self) -> bool:
        """Whether the indicator is being watched for."""
        return self.lifted is None and self.undone is None


class Sighting(NamedTuple):
    """An event with a watched indicator.

    ``found`` is when the sighting was written to the state; for an acknowledged sighting it is
    never later than the acknowledgement. Both times are epoch seconds."""

    watch_id: str
    identity: bytes
    time: int
    caller: str
    """The caller's ARN, else its account, else its address."""
    action: str
    region: str
    address: str
    error: str
    found: float = 0.0


class WatchRow(msgspec.Struct, frozen=True):
    """A watch with a summary of its sightings; ``new`` counts those not acknowledged yet."""

    watch: Watch
    sightings: int = 0
    new: int = 0
    first: int = 0
    latest: Sighting | None = None

    @property
    def state(self) -> WatchState:
        """``undone``, ``lifted``, ``seen`` (sightings not acknowledged yet) or ``waiting``."""
        if self.watch.undone is not None:
            return "undone"
        if self.watch.lifted is not None:
            return "lifted"
        if self.new:
            return "seen"
        return "waiting"

    @property
    def count(self) -> str:
        """The number of sightings; ``or more`` if there may be more than are kept."""
        if self.sightings >= MOST_SIGHTINGS:
            return f"{MOST_SIGHTINGS:,} or more"
        return f"{self.sightings:,}"

    def as_json(self) -> dict[str, Any]:
        """Return the object that ``--format jsonl`` prints."""
        watch, latest = self.watch, self.latest
        times: tuple[str, ...] | tuple[None, ...] = (None, None)
        if latest is not None:
            times = (format_time(self.first), format_time(latest.time))
        return {
            "watch_id": watch.watch_id,
            "state": self.state,
            "kind": watch.indicator.kind,
            "indicator": watch.indicator.text,
            "label": watch.label,
            "author": watch.author,
            "created": format_time(watch.created),
            "sightings": self.sightings,
            "sightings_truncated": self.sightings >= MOST_SIGHTINGS,
            "new": self.new,
            "first": times[0],
            "last": times[1],
            "last_caller": latest.caller if latest else None,
            "last_call": latest.action if latest else None,
            "last_source_ip": latest.address if latest else None,
        }
