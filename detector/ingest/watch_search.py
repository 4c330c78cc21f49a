"""The search for watched indicators in the chunks that were read since the last search."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence

from detector.detection.event import Event
from detector.detection.indicator import IndicatorMatcher
from detector.detection.record_search import SearchRequest, scan_file
from detector.formats import Unreadable
from detector.investigation.indicators import IndicatorSelector
from detector.sources.open_file import open_file
from detector.store import Store
from detector.triage.watch import Sighting, Watch, WatchRow

_ALL_TIME = 1 << 62
_BATCH = 10_000
"""How many sightings are written at once, since a watched role may have millions of events."""


class WatchSearch:
    """Finds the events that match the active watches."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def run(self, stop: threading.Event) -> tuple[WatchRow, ...]:
        """Search the chunks that are due; return the watches with new sightings.

        A file that is not at its path, or that cannot be read now, is searched later.
        """
        chunks = self._store.watches.chunks_to_search()
        if not chunks:
            return ()
        search = _Search(self._store.watches.active())
        seen: dict[str, WatchRow] = {}
        found: list[Sighting] = []
        searched: dict[str, Sequence[int]] = {}

        def write() -> None:
            rows = self._store.watches.add_sightings(found, searched)
            seen.update((row.watch.watch_id, row) for row in rows)
            found.clear()
            searched.clear()

        for path, offsets in chunks.items():
            if stop.is_set():
                break
            with contextlib.suppress(OSError, Unreadable):
                for sighting in search.sightings_in(path, offsets):
                    found.append(sighting)
                    if len(found) >= _BATCH:
                        write()
                searched[path] = offsets
        write()
        return tuple(seen.values())


class _Search:
    """A search for the indicators of all active watches at once."""

    def __init__(self, watches: Sequence[Watch]) -> None:
        indicators = [watch.indicator for watch in watches]
        self._request = SearchRequest("", IndicatorSelector(indicators), 0, _ALL_TIME)
        self._matcher = IndicatorMatcher(indicators)
        self._watches = {watch.indicator: watch for watch in watches}

    def sightings_in(self, path: str, offsets: Sequence[int]) -> Iterator[Sighting]:
        """Yield the sightings in chunks of a file. Raises OSError, Unreadable."""
        with open_file(path) as file:
            for matches in scan_file(path, file, self._request, offsets):
                for match in matches:
                    yield from self._sightings_of(match.event)

    def _sightings_of(self, event: Event) -> Iterator[Sighting]:
        for indicator in self._matcher.of_event(event):
            yield Sighting(
                self._watches[indicator].watch_id,
                event.identity,
                event.time,
                event.arn or event.caller_account or event.source_address,
                event.action,
                event.region,
                event.source_address,
                event.error_code,
            )
