"""Searches of the logs for a list of indicators, with a count for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from detector.cloudtrail.record import Record
from detector.detection.activity.activity import ALL_DAYS
from detector.detection.baseline import principal_of
from detector.detection.event import Event
from detector.detection.indicator import Indicator, IndicatorMatcher
from detector.store import Store
from detector.text.time import format_time


class IndicatorSelector:
    """The events that contain any of the indicators.

    If every indicator is an address, a network, a key or an ARN, only matching callers are
    searched: these keys and ARNs, and the principals that called from a wanted network. For
    networks and addresses this needs a ``store`` that has counted all its files.
    """

    ignores_case = True

    def __init__(self, indicators: Sequence[Indicator], store: Store | None = None) -> None:
        self._matcher = IndicatorMatcher(indicators)
        self._keys = self._principal_keys(store)

    def includes(self, event: Event, record: Record) -> bool:  # noqa: ARG002
        return bool(self._matcher.of_event(event))

    def principal_keys(self) -> frozenset[str] | None:
        return self._keys

    def required_substrings(self) -> Sequence[bytes] | None:
        if self._keys is not None:
            return None
        return self._matcher.required_substrings()

    def _principal_keys(self, store: Store | None) -> frozenset[str] | None:
        keys = self._matcher.principal_keys()
        if keys is None or not self._matcher.has_networks:
            return keys
        if store is None or store.activity.uncounted_files():
            return None
        is_wanted = self._matcher.network_test()
        actors = store.activity.principals_with("network", is_wanted, *ALL_DAYS)
        if any(not actor.name.startswith("arn:") for actor in actors):
            return None
        return keys | {actor.name for actor in actors}


class IndicatorCount(msgspec.Struct):
    """How often an indicator was found, by whom, and when; times are in epoch seconds."""

    indicator: Indicator
    events: int = 0
    first: int = 0
    last: int = 0
    principals: set[str] = msgspec.field(default_factory=set)

    def add(self, event: Event) -> None:
        """Count an event."""
        self.events += 1
        self.first = min(self.first or event.time, event.time)
        self.last = max(self.last, event.time)
        self.principals.add(principal_of(event.arn) or event.caller_account)

    def as_json(self) -> dict[str, Any]:
        """Return the object that ``--format jsonl`` prints."""
        times: tuple[str, ...] | tuple[None, ...] = (None, None)
        if self.events:
            times = (format_time(self.first), format_time(self.last))
        return {
            "indicator": self.indicator.text,
            "kind": self.indicator.kind,
            "events": self.events,
            "first": times[0],
            "last": times[1],
            "principals": sorted(self.principals),
        }


class IndicatorCounts:
    """The hits of each indicator, including indicators without hits."""

    def __init__(self, indicators: Sequence[Indicator]) -> None:
        self.indicators = tuple(indicators)
        self._matcher = IndicatorMatcher(indicators)
        self._counts = {each: IndicatorCount(each) for each in indicators}

    def add(self, events: Iterable[Event]) -> None:
        """Count events; each event counts once for every indicator in it."""
        for event in events:
            for indicator in self._matcher.of_event(event):
                self._counts[indicator].add(event)

    def of_event(self, event: Event) -> list[Indicator]:
        """Return the indicators in an event."""
        return self._matcher.of_event(event)

    @property
    def counts(self) -> list[IndicatorCount]:
        """The counts, those with most hits first."""
        return sorted(self._counts.values(), key=lambda each: (-each.events, each.indicator))
